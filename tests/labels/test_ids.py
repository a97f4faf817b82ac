"""From labels of blocks to labels of the volume."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.cluster.hierarchy import DisjointSet

from dask_blockwise.labels.ids import apply_table, compact, final_ids, merge, numbered_on

LABELS = hnp.arrays(np.uint32, (4, 5, 6), elements=st.integers(0, 4))


@given(LABELS, st.tuples(*[st.integers(0, 2)] * 3), st.sampled_from([1, 10**6, 10**15]))
def test_compact_names_labels_of_the_core_first(labels, begin, stride):
    core = tuple(slice(b, b + 2) for b in begin)
    dense, sizes = compact(labels.astype(np.uint64) * np.uint64(stride), core)
    inside = dense[core][dense[core] > 0]
    np.testing.assert_array_equal(np.unique(inside), np.arange(1, len(sizes) + 1))
    np.testing.assert_array_equal(np.bincount(inside, minlength=len(sizes) + 1)[1:], sizes)
    pairs = set(zip(labels.flat, dense.flat, strict=True))
    assert len(pairs) == len(np.unique(labels)) == len(np.unique(dense))
    assert not dense[labels == 0].any()


@pytest.mark.parametrize(
    "labels, error, message",
    [
        (np.zeros((2, 2)), TypeError, "must be integers, got float64"),
        (np.array([[-1, 2]]), ValueError, "must not be negative, got -1"),
    ],
)
def test_compact_refuses_what_are_not_labels(labels, error, message):
    with pytest.raises(error, match=message):
        compact(labels, (slice(None),) * 2)


def test_table_is_applied_in_several_pieces():
    labels = np.random.default_rng(0).integers(0, 50, (30, 90, 70)).astype(np.uint32)
    table = np.random.default_rng(1).integers(0, 2**60, 50).astype(np.uint64)
    np.testing.assert_array_equal(apply_table(labels[:, ::2], table), table[labels[:, ::2]])


@given(st.integers(1, 30), st.data())
def test_merge_equals_a_disjoint_set_however_batched(count, data):
    node = st.integers(0, count - 1)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=30))
    batch = data.draw(st.integers(1, 5))
    expected = DisjointSet(range(count))
    for a, b in edges:
        expected.merge(a, b)
    array = np.array(edges, np.int64).reshape(-1, 2)
    component = merge(count, [array[i : i + batch] for i in range(0, len(edges), batch)])
    for a, b in product(range(count), repeat=2):
        assert (component[a] == component[b]) == expected.connected(a, b)
    _, first = np.unique(component, return_index=True)
    assert (np.diff(first) > 0).all()


@given(
    hnp.arrays(
        np.uint64,
        st.tuples(st.integers(1, 4), st.integers(1, 6)),
        elements=st.sampled_from([0, 1, 7, 2**63, 2**64 - 1]),
    )
)
def test_labels_of_time_points_stay_apart_whatever_their_ids(film):
    numbered = numbered_on(list(film))
    at = np.nonzero(film)
    objects = list(zip(at[0].tolist(), film[at].tolist()))
    assert not numbered[film == 0].any()
    pairs = set(zip(objects, numbered[at].tolist()))
    assert len(pairs) == len(set(objects)) == len({new for _, new in pairs})


def test_nothing_to_merge():
    assert merge(0, []).tolist() == []
    assert merge(3, [np.empty((0, 2), np.int64)]).tolist() == [0, 1, 2]
    assert final_ids(merge(0, []), np.empty(0, np.int64)).tolist() == []


@given(
    hnp.arrays(np.int64, 20, elements=st.integers(0, 5)),
    hnp.arrays(np.int64, 20, elements=st.integers(1, 9)),
    st.integers(0, 20),
)
def test_final_ids_are_consecutive_and_large_enough(values, sizes, min_size):
    component = merge(20, [np.stack([np.arange(20), np.argmax(values[:, None] == values, 1)], 1)])
    ids = final_ids(component, sizes, min_size)
    for value in np.unique(values):
        total = sizes[values == value].sum()
        assert (ids[values == value] > 0).all() == (total >= min_size)
        assert len(np.unique(ids[values == value])) == 1
    np.testing.assert_array_equal(np.unique(ids[ids > 0]), np.arange(1, ids.max() + 1))
