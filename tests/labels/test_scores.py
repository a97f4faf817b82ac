"""Scores against skimage."""

import numpy as np
import pytest
from skimage import metrics

from dask_blockwise.labels.scores import dice, score_segmentation

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 5, (10, 20, 20))
OTHER = RNG.integers(0, 4, TRUTH.shape)


def test_equals_skimage_on_labelled_voxels():
    known = TRUTH > 0
    score = score_segmentation(TRUTH, OTHER)
    split, merge = metrics.variation_of_information(TRUTH[known], OTHER[known])
    assert (score.voi_split, score.voi_merge) == pytest.approx((split, merge))
    assert score.voi == pytest.approx(split + merge)
    # To skimage, background of the result isn't a segment, so it is given an id.
    error, _, _ = metrics.adapted_rand_error(TRUTH[known], OTHER[known] + 1)
    assert score.adapted_rand == pytest.approx(error)


def test_split_and_merge_are_told_apart():
    halves, quarters = np.repeat([1, 2], 50), np.repeat([1, 2, 3, 4], 25)
    assert score_segmentation(halves, quarters)[:2] == pytest.approx((1, 0))
    assert score_segmentation(quarters, halves)[:2] == pytest.approx((0, 1))


def test_renaming_does_not_matter_even_to_huge_ids():
    names = np.array([0, 2**40, 7, 2**33, 1], np.uint64)
    assert score_segmentation(TRUTH, names[TRUTH]) == pytest.approx(
        score_segmentation(TRUTH, TRUTH)
    )


def test_background_of_the_result_may_be_left_out():
    truth, result = np.array([1, 1, 1, 1]), np.array([0, 3, 3, 3])
    assert score_segmentation(truth, result).voi > 0
    assert score_segmentation(truth, result, ignore_background=True).voi == 0


@pytest.mark.parametrize(
    "truth, other, expected",
    [([1, 1, 0], [1, 1, 0], 1), ([1, 0], [0, 1], 0), ([0, 0], [0, 0], 1), ([1, 1], [0, 5], 2 / 3)],
)
def test_dice(truth, other, expected):
    assert dice(truth, other) == pytest.approx(expected)


@pytest.mark.parametrize("score", [dice, score_segmentation])
def test_shapes_must_be_equal(score):
    with pytest.raises(ValueError, match=r"\(3,\) .* \(4,\) .* cut both"):
        score(np.ones(3, int), np.ones(4, int))


def test_truth_must_hold_something():
    with pytest.raises(ValueError, match="nothing to compare"):
        score_segmentation(np.zeros(4, int), np.ones(4, int))
