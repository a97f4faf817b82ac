"""Bits: of links, of the whole, and how sure an estimate of them is."""

import numpy as np
import pytest

from dask_blockwise.labels.scores import score_segmentation
from dask_blockwise.reports.seam_estimate import Links, bits_of_splits, estimated, fused_bits
from dask_blockwise.reports.seam_graph import Share


def test_fusing_two_objects_costs_the_voi_of_the_whole():
    truth = np.repeat([1, 2, 3], [30, 50, 20])
    fused = np.where(truth == 2, 1, truth)
    bits = fused_bits(np.array([30.0]), np.array([50.0]), 100)[0]
    assert bits == pytest.approx(score_segmentation(truth, fused).voi_merge)


@pytest.mark.parametrize("seed", range(5))
def test_a_link_of_a_tree_costs_what_cutting_it_does(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 50, 9)
    pairs = np.array([(n, rng.integers(0, n)) for n in range(1, 9)])
    voxels = np.repeat(np.arange(9), sizes)
    whole = np.ones(sizes.sum(), int)
    found = bits_of_splits(pairs, sizes.astype(float), sizes.sum())
    for link, bits in enumerate(found):
        side = {pairs[link][0]}
        for _ in range(9):
            side |= {n for p in np.delete(pairs, link, 0).tolist() if side & set(p) for n in p}
        cut = 1 + np.isin(voxels, list(side))
        assert bits == pytest.approx(score_segmentation(whole, cut).voi)


def test_what_hangs_together_otherwise_costs_nothing():
    pairs = np.array([[0, 1], [1, 2], [2, 0]])
    assert (bits_of_splits(pairs, np.ones(3), 3) == 0).sum() == 1


@pytest.mark.parametrize("share", [0.3, 0.7])
@pytest.mark.parametrize("wrong", [0.05, 0.2])
def test_intervals_hold_the_true_bits(share, wrong):
    rng = np.random.default_rng(0)
    held, middle = [], []
    for _ in range(200):
        bits = rng.exponential(0.01, 200)
        bad, seen = rng.random(200) < wrong, rng.random(200) < share
        found = [Share(b, True, n) for n, b in enumerate(bits[bad & seen])]
        links = Links(int(seen.sum()), bits[bad & seen], bits[~seen])
        made = estimated(found, [1.0] * len(found), links, rng)
        truth = bits[bad].sum()
        held.append(made.interval[0] <= truth <= made.interval[1])
        middle.append(made.bits - truth)
    assert np.mean(held) > 0.85
    assert abs(np.mean(middle)) < 0.2 * 200 * wrong * 0.01


def test_nothing_found_and_all_seen_is_sure():
    made = estimated([], [], Links(9, np.empty(0), np.empty(0)), np.random.default_rng(0))
    assert (made.bits, made.interval) == (0, (0, 0))


def test_what_may_be_no_share_lowers_the_interval():
    links = Links(9, np.array([0.5]), np.empty(0))
    made = estimated([Share(0.5, False, 0)], [0.5], links, np.random.default_rng(0))
    assert made.interval[0] == 0
    assert made.merge == pytest.approx(0.25)
