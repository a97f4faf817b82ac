"""Contacts of fragments, against a sum over all pairs of voxels."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dask_blockwise.relabelling.contacts import count_contacts, sum_contacts
from dask_blockwise.relabelling.pairs import ends

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
    columns = graph.near, graph.near_count, graph.far, graph.far_count
    pairs = list(zip(*map(np.ndarray.tolist, ends(graph.pairs)), strict=True))
    sums = map(list, zip(*map(np.ndarray.tolist, columns), strict=True))
    assert dict(zip(pairs, sums, strict=True)) == by_voxel(labels, affinities, thresholds)
    assert pairs == sorted(set(pairs))


def test_many_batches_add_up(monkeypatch):
    monkeypatch.setattr("dask_blockwise.relabelling.contacts._ROWS_AT_ONCE", 3)
    row = np.array([[1, 2, 5, 1, 0, 0], [1, 3, 2**64 - 4, 1, 7, 2]], np.uint64)
    graph = sum_contacts([row] * 10)
    assert graph.near.tolist() == [50, -40]
    assert graph.far.tolist() == [0, 70]
    assert graph.near_count.tolist() == [10, 10]
    assert graph.far_count.tolist() == [0, 20]


@given(st.lists(st.lists(st.tuples(*[st.integers(0, 30)] * 2), max_size=9)), st.integers(1, 9))
def test_sums_do_not_depend_on_how_many_rows_are_taken_at_once(blocks, at_once):
    rows = [
        np.array([[a, a + b + 1, 1, 1, a * b, 1] for a, b in block], np.uint64) for block in blocks
    ]
    rows = [row.reshape(-1, 6) for row in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dask_blockwise.relabelling.contacts._ROWS_AT_ONCE", at_once)
        graph = sum_contacts(rows)
    counts = Counter(pair for block in blocks for pair in block)
    expected = sorted((a, a + b + 1, n, a * b * n) for (a, b), n in counts.items())
    columns = *ends(graph.pairs), graph.near_count, graph.far
    assert list(zip(*map(np.ndarray.tolist, columns), strict=True)) == expected


def test_bytes_stand_for_the_unit_interval_and_clipped_nan_for_nothing():
    labels, whole = np.array([[1, 2]], np.uint64), (slice(0, 1), slice(0, 2))
    for values in (np.array([[[255, 0]]], np.uint8), np.array([[[1, np.nan]]], np.float32)):
        (row,) = count_contacts(labels, values, [(0, 1)], [0.5], whole, clip=True).tolist()
        assert row == [1, 2, 2**31, 1, 0, 0]
        there = values[..., ::-1]
        (row,) = count_contacts(labels, there, [(0, 1)], [0], whole, clip=True).tolist()
        assert row == [1, 2, 0, 1, 0, 0]
