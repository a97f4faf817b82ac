"""Contacts of fragments, against a sum over all pairs of voxels; partitions, against the rules."""

from collections import defaultdict

import mwatershed
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dask_blockwise.region_graph import RegionGraph, count_contacts, partition, sum_contacts

OFFSETS = [(-1, 0), (0, -1), (0, 1), (2, -3), (-3, 0)]
LABELS = hnp.arrays(np.uint64, (7, 8), elements=st.integers(0, 4))


def by_voxel(labels, affinities, thresholds):
    """Sums and numbers of all contacts, voxel by voxel."""
    found = defaultdict(lambda: [0, 0, 0, 0])
    for channel, offset, threshold in zip(affinities, OFFSETS, thresholds, strict=True):
        for at in np.ndindex(labels.shape):
            to = tuple(np.add(at, offset))
            if min(to) < 0 or any(np.greater_equal(to, labels.shape)):
                continue
            one, other = sorted((int(labels[at]), int(labels[to])))
            if one and one != other:
                first = 0 if max(map(abs, offset)) == 1 else 2
                sums = found[one, other]
                sums[first] += round(float(channel[at]) * 2**32) - round(threshold * 2**32)
                sums[first + 1] += 1
    return dict(found)


@given(LABELS, st.tuples(st.integers(1, 7), st.integers(1, 8)), st.integers(0, 99))
def test_sums_of_blocks_are_those_of_all_pairs_of_voxels(labels, block, seed):
    affinities = np.random.default_rng(seed).random((5, 7, 8), np.float32)
    thresholds = [0.5, 0.25, 0.125, 0.1, 0.9]
    rows = []
    for begin in np.ndindex(*(-(-n // b) for n, b in zip(labels.shape, block, strict=True))):
        starts = np.multiply(begin, block)
        core = tuple(
            slice(s, min(n, s + b)) for s, b, n in zip(starts, block, labels.shape, strict=True)
        )
        rows.append(count_contacts(labels, affinities[(..., *core)], OFFSETS, thresholds, core))
    graph = sum_contacts(rows)
    sums = np.concatenate([graph.near, graph.far], axis=1).tolist()
    pairs = list(map(tuple, graph.pairs.tolist()))
    assert dict(zip(pairs, sums, strict=True)) == by_voxel(labels, affinities, thresholds)
    assert pairs == sorted(set(pairs))


def test_many_batches_add_up(monkeypatch):
    monkeypatch.setattr("dask_blockwise.region_graph._ROWS_AT_ONCE", 3)
    row = np.array([[1, 2, 5, 1, 0, 0], [1, 3, 2**64 - 4, 1, 7, 2]], np.uint64)
    graph = sum_contacts([row] * 10)
    assert graph.near.tolist() == [[50, 10], [-40, 10]]
    assert graph.far.tolist() == [[0, 0], [70, 20]]


def test_bytes_stand_for_the_unit_interval_and_nan_for_nothing():
    labels, whole = np.array([[1, 2]], np.uint64), (slice(0, 1), slice(0, 2))
    for values in (np.array([[[255, 0]]], np.uint8), np.array([[[1, np.nan]]], np.float32)):
        (row,) = count_contacts(labels, values, [(0, 1)], [0.5], whole).tolist()
        assert row == [1, 2, 2**31, 1, 0, 0]
        (row,) = count_contacts(labels, values[..., ::-1], [(0, 1)], [0], whole).tolist()
        assert row == [1, 2, 0, 1, 0, 0]


def graph_of(near, far=()):
    """A graph of pairs with their mean affinities over the threshold, each of one voxel pair."""
    pairs = sorted({pair for pair, _ in [*near, *far]})
    sums = []
    for found in (dict(near), dict(far)):
        sums.append([[round(found.get(p, 0) * 2**32), int(p in found)] for p in pairs])
    return RegionGraph(np.array(pairs, np.uint64), *map(np.array, sums))


CHAIN = [((0, 1), 0.4), ((1, 2), 0.3), ((2, 3), 0.2)]


@pytest.mark.parametrize(
    ("method", "near", "far", "expected"),
    [
        ("mean", CHAIN, [], [0, 0, 0, 0]),
        ("mean", [((0, 1), 0.4), ((1, 2), -0.1)], [], [0, 0, 1, 2]),
        ("mean", [((0, 1), 0.4), ((0, 2), 0.2), ((1, 2), -0.3)], [], [0, 0, 1, 2]),
        ("mean", [((0, 1), 0.4)], [((0, 1), -0.5)], [0, 1, 2, 3]),
        ("mean", [((0, 1), 0.4)], [((0, 2), 0.5)], [0, 0, 1, 2]),
        ("mutex", CHAIN, [], [0, 0, 0, 0]),
        ("mutex", CHAIN, [((0, 3), -0.25)], [0, 0, 0, 1]),
        ("mutex", CHAIN, [((0, 3), -0.1)], [0, 0, 0, 0]),
        ("mutex", CHAIN, [((0, 2), -0.35)], [0, 0, 1, 1]),
        ("multicut", CHAIN, [((0, 3), -0.25)], [0, 0, 0, 1]),
        ("multicut", CHAIN, [((0, 3), -0.1)], [0, 0, 0, 0]),
        ("multicut", [((0, 1), 0.4)], [((0, 2), 0.5)], [0, 0, 1, 2]),
        *((method, [], [], [0, 1, 2, 3]) for method in ("mean", "mutex", "multicut")),
    ],
)
def test_partitions(method, near, far, expected):
    graph = graph_of(near, far) if near else sum_contacts([])
    assert partition(4, graph, method).tolist() == expected


@given(st.integers(2, 12), st.data())
def test_mutex_equals_mwatershed(nodes, data):
    pair = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)).map(sorted).map(tuple)
    pairs = data.draw(st.lists(pair.filter(lambda p: p[0] < p[1]), unique=True, min_size=1))
    signs = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    strength = data.draw(st.permutations(range(1, len(pairs) + 1)))
    weights = [n / 256 if s else -n / 256 for n, s in zip(strength, signs, strict=True)]
    near = list(zip(pairs, weights, strict=True))
    found = partition(nodes, graph_of(near), "mutex")
    ordered = sorted(near, key=lambda edge: -abs(edge[1]))
    theirs = dict(mwatershed.cluster([(weight > 0, *pair) for pair, weight in ordered]))
    for a in theirs:
        for b in theirs:
            assert (found[a] == found[b]) == (theirs[a] == theirs[b])
