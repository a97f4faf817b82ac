"""Which labels of two blocks are one object, against brute force."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dask_blockwise.relabelling.grid import later_neighbours
from dask_blockwise.relabelling.matching import (
    best_pairs,
    contained_pairs,
    link_pieces,
    overlap,
    touching_pairs,
)

LABELS = hnp.arrays(np.uint32, (4, 5, 6), elements=st.integers(0, 4))


@given(LABELS, LABELS)
def test_overlap_counts_pairs_of_foreground(first, second):
    expected = Counter(p for p in zip(first.flat, second.flat, strict=True) if all(p))
    met = overlap(first, second)
    assert dict(zip(map(tuple, met.pairs), met.voxels, strict=True)) == expected
    assert sorted(map(tuple, met.pairs)) == list(map(tuple, met.pairs))


@given(LABELS, LABELS, st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_best_pairs_are_mutual_and_one_to_one(first, second, min_iou):
    pairs = list(map(tuple, best_pairs(first, second, min_iou)))
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)

    def iou(a, b):
        return np.sum((first == a) & (second == b)) / np.sum((first == a) | (second == b))

    for a, b in pairs:
        assert iou(a, b) >= min_iou
        assert all(iou(a, b) >= iou(a, c) for c in range(1, 5) if (second == c).any())
        assert all(iou(a, b) >= iou(c, b) for c in range(1, 5) if (first == c).any())


@given(LABELS, LABELS)
def test_best_pairs_are_the_same_from_either_side_unless_tied(first, second):
    best = best_pairs(first, second, 0.51)
    back = best_pairs(second, first, 0.51)
    assert set(map(tuple, best)) == {(a, b) for b, a in back}


@given(LABELS)
def test_equal_labels_match_themselves(labels):
    present = np.unique(labels[labels > 0])
    np.testing.assert_array_equal(best_pairs(labels, labels, 1), np.stack([present] * 2, 1))


def voxels_that_touch(first, second, direction, connectivity):
    """Pairs of labels, by looking at each pair of voxels."""
    sides = zip(direction, first.shape, second.shape, strict=True)
    shift = [n if d > 0 else -m if d < 0 else 0 for d, n, m in sides]
    pairs = set()
    for here, there in product(np.argwhere(first), np.argwhere(second)):
        step = np.abs(there + shift - here)
        if step.max() <= 1 and step.sum() <= connectivity:
            pairs.add((first[tuple(here)], second[tuple(there)]))
    return pairs


@given(st.data(), st.integers(1, 3))
def test_touching_pairs_equal_brute_force(data, connectivity):
    direction = data.draw(st.sampled_from(later_neighbours((True,) * 3, connectivity)))
    sides = [data.draw(st.tuples(*[st.integers(1, 3)] * 2)) for _ in range(3)]
    shapes = [
        tuple(s[side if d else 0] for s, d in zip(sides, direction, strict=True)) for side in (0, 1)
    ]
    first, second = (
        data.draw(hnp.arrays(np.uint32, s, elements=st.integers(0, 3))) for s in shapes
    )
    pairs = touching_pairs(first, second, direction, connectivity)
    assert set(map(tuple, pairs)) == voxels_that_touch(first, second, direction, connectivity)


@pytest.mark.parametrize("connectivity, count", [(1, 3), (2, 9), (3, 13)])
def test_neighbours_are_each_named_once(connectivity, count):
    later = later_neighbours((True,) * 3, connectivity)
    assert len(later) == count
    assert not set(later) & {tuple(-s for s in d) for d in later}


@given(LABELS, LABELS, st.sampled_from([0.3, 0.5, 1.0]))
def test_contained_pairs_are_those_of_which_the_smaller_lies_in_the_other(first, second, least):
    expected = set()
    for a, b in product(range(1, 5), repeat=2):
        met, sizes = np.sum((first == a) & (second == b)), ((first == a).sum(), (second == b).sum())
        if met and met / min(sizes) >= least:
            expected.add((a, b))
    assert set(map(tuple, contained_pairs(first, second, least))) == expected


def test_time_points_do_not_touch():
    first, second = np.array([[1], [0]]), np.array([[0], [2]])
    touching = touching_pairs(first, second, (0, 1), 2, (False, True))
    assert touching.size == 0
    assert touching_pairs(first, second, (0, 1), 2).tolist() == [[1, 2]]


def test_only_alike_voxels_touch():
    first, second = np.array([[1], [2]]), np.array([[3], [3]])
    alike = np.array([[7], [8]]), np.array([[7], [7]])
    assert touching_pairs(first, second, (0, 1), 1, alike=alike).tolist() == [[1, 3]]


LEGS, ONE = [1, 1], [1]


@pytest.mark.parametrize(
    ("owners", "others", "touching", "expected"),
    [
        (ONE, ONE, [], [[1, 1]]),
        (LEGS, ONE, [], []),
        (LEGS, ONE, [[2, 1]], [[2, 1]]),
        (LEGS, ONE, [[1, 1], [2, 1]], [[1, 1], [2, 1]]),
        (ONE, [2, 1], [[1, 1]], [[1, 2]]),
        ([], ONE, [], []),
    ],
)
def test_pieces_are_linked_where_they_touch_or_are_all_of_their_labels(
    owners, others, touching, expected
):
    linked = link_pieces(
        np.array([[1, 1]], np.uint32),
        np.array(touching, np.uint32).reshape(-1, 2),
        np.array(owners, np.uint64),
        np.array(others, np.uint64),
    )
    assert linked.tolist() == expected
