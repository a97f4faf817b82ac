"""From tiles to objects over the whole volume: where all is seen, the distance is exact."""

import numpy as np
import pytest
from scipy import ndimage

from dask_blockwise.labels.scores import score_segmentation
from dask_blockwise.reports.seam_claims import Claims, agrees, box_around
from dask_blockwise.reports.seam_meets import meet
from dask_blockwise.reports.seam_tiles import tiles

SHAPE, BLOCK = (64, 72, 60), (16, 24, 20)


def cells(seed, count=25):
    points = np.ones(SHAPE, bool)
    points[tuple(np.random.default_rng(seed).integers(0, n, count) for n in SHAPE)] = False
    nearest = ndimage.distance_transform_edt(points, return_indices=True)[1]
    index = np.ravel_multi_index(nearest, SHAPE)
    return np.unique(index, return_inverse=True)[1].reshape(SHAPE) + 1


def claims_of(stored, truth, seen=lambda n: True):
    made = tiles(SHAPE, BLOCK, (True,) * 3, (2,) * 3, 1e9)
    meets = [
        meet(stored[tile.box], truth[tile.seen] if seen(n) else None, tile)
        for n, tile in enumerate(made)
    ]
    return Claims(meets, made, (0, 1, 2), truth.size)


def bits(claims):
    split = sum(share.bits for share in claims.shares if share.split)
    return split, sum(share.bits for share in claims.shares) - split


def cut_at_a_face(labels, label):
    """A label that is another one on the far side of a face."""
    broken = labels.copy()
    far = broken[:, :, 40:]
    far[far == label] = labels.max() + 1
    return broken


def largest_on_both_sides(labels):
    sides = (
        np.bincount(part.ravel(), minlength=labels.max() + 1)
        for part in (labels[:, :, :40], labels[:, :, 40:])
    )
    return int(np.argmax(np.minimum(*sides)))


def neighbours(labels):
    """Two labels that touch across a face."""
    pairs = np.stack([labels[:, :, 39], labels[:, :, 40]]).reshape(2, -1)
    pairs, count = np.unique(pairs[:, pairs[0] != pairs[1]], axis=1, return_counts=True)
    return pairs[:, np.argmax(count)]


@pytest.mark.parametrize("seed", range(3))
def test_a_cut_object_counts_with_all_of_its_voxels(seed):
    truth = cells(seed)
    label = largest_on_both_sides(truth)
    stored = cut_at_a_face(truth, label)
    claims = claims_of(stored, truth)
    assert bits(claims) == pytest.approx((score_segmentation(truth, stored).voi_split, 0))
    worst = claims.ranked[0]
    assert (worst.claim.kind, set(worst.labels)) == ("split", {label, truth.max() + 1})
    assert worst.bits == pytest.approx(bits(claims)[0])
    assert worst.claim.face == (2, 40)
    assert abs(worst.claim.place[2] + 0.5 - 40) == 0.5


@pytest.mark.parametrize("seed", range(3))
def test_fused_objects_count_with_all_of_their_voxels(seed):
    truth = cells(seed)
    one, other = neighbours(truth)
    stored = np.where(truth == other, one, truth)
    claims = claims_of(stored, truth)
    assert bits(claims) == pytest.approx((0, score_segmentation(truth, stored).voi_merge), rel=0.01)
    worst = claims.ranked[0]
    assert (worst.claim.kind, worst.labels) == ("merge", (one,))
    near = truth[tuple(slice(i - 1, i + 2) for i in worst.claim.place)]
    assert {one, other} <= set(near.ravel().tolist())


@pytest.mark.parametrize("seed", range(3))
def test_equal_labels_claim_nothing_however_much_is_seen(seed):
    truth = cells(seed)
    shuffled = np.random.default_rng(0).permutation(truth.max() + 1)[truth] + 1
    for seen in (lambda n: True, lambda n: n % 2, lambda n: False):
        claims = claims_of(shuffled, truth, seen)
        assert bits(claims) == pytest.approx((0, 0))
        assert claims.ranked == []


def test_background_is_no_object():
    empty = np.zeros(SHAPE, int)
    assert bits(claims_of(empty, empty)) == (0, 0)
    truth = np.where(cells(0) > 12, cells(0), 0)
    assert bits(claims_of(truth, truth)) == pytest.approx((0, 0))


def test_what_a_second_look_overrules_does_not_count():
    truth = cells(0)
    claims = claims_of(cut_at_a_face(truth, largest_on_both_sides(truth)), truth)
    says_no = {(one.tile, one.number): False for one in claims.ranked}
    assert bits(claims.after(says_no)) == pytest.approx((0, 0), abs=2e-3)
    assert claims.after(says_no).ranked == []
    one, other = neighbours(truth)
    claims = claims_of(np.where(truth == other, one, truth), truth)
    says_no = {(one.tile, one.number): False for one in claims.ranked}
    assert bits(claims.after(says_no)) == pytest.approx((0, 0), abs=2e-3)


def test_a_second_look_says_what_labels_say():
    truth = cells(0)
    stored = cut_at_a_face(truth, largest_on_both_sides(truth))
    worst = claims_of(stored, truth).ranked[0].claim
    box = box_around(worst.place, (24, 24, 24), SHAPE)
    assert agrees(worst, truth[box], box)
    assert not agrees(worst, stored[box], box)


def test_trust_grows_with_looks_and_with_claims():
    truth = cells(0)
    claims = claims_of(cut_at_a_face(truth, largest_on_both_sides(truth)), truth)
    (before,) = claims.trust()
    first = claims.ranked[0]
    (after,) = claims.after({(first.tile, first.number): True}).trust()
    assert 0.5 < before < after < 1
