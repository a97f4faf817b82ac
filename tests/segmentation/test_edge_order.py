"""The order of edges, against sorting them one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dask_blockwise.segmentation.edge_order import in_order
from dask_blockwise.segmentation.edges import Edges

SHAPES = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


@st.composite
def drawn(draw):
    """An array of nodes, and edges of some offsets in it, few strengths of which differ."""
    shape = draw(SHAPES)
    nodes = draw(arrays.arrays(np.int32, shape, elements=st.integers(-1, 4)))
    every = []
    for rank in range(draw(st.integers(0, 4))):
        offset = draw(st.tuples(*[st.integers(-2, 2)] * len(shape)))
        here = tuple(slice(max(0, -o), n - max(0, o)) for o, n in zip(offset, shape))
        if any(s.stop <= s.start for s in here):
            continue
        there = tuple(slice(s.start + o, s.stop + o) for s, o in zip(here, offset))
        size = tuple(s.stop - s.start for s in here)
        some = st.sampled_from([0.5, 0.25, 0.0, -0.0, -0.25, 1e-30])
        strength = draw(arrays.arrays(np.float32, size, elements=some))
        ties, taken = (draw(arrays.arrays(bool, size)) for _ in range(2))
        every.append(Edges(rank, here, there, strength, ties, taken))
    return nodes, every


def one_by_one(nodes, every):
    """Strength, rank, voxel, ends and whether it attracts, of each edge in its order."""
    found = []
    for edges in every:
        for at in np.ndindex(edges.strength.shape):
            here, there = (tuple(int(n + s.start) for n, s in zip(at, box)) for box in edges[1:3])
            one, other = int(nodes[here]), int(nodes[there])
            if one != other and min(one, other) >= 0 and edges.taken[at]:
                voxel = int(np.ravel_multi_index(here, nodes.shape))
                strength = float(edges.strength[at])
                found.append((-strength, edges.rank, voxel, one, other, bool(edges.attracts[at])))
    return sorted(found)


@given(drawn())
def test_as_one_by_one(given):
    nodes, every = given
    found, expected = in_order(every, nodes), one_by_one(nodes, every)
    ranks, voxels = (found.order & np.uint64(0xFFFFFFFF)).tolist(), found.voxels.tolist()
    ends = [end.tolist() for end in found.ends()]
    assert list(zip(ranks, voxels, *ends, found.attracts.tolist())) == [e[1:] for e in expected]
    # Equally strong ones have the same number.
    strengths = (found.order >> np.uint64(32)).tolist()
    assert len(set(zip(strengths, [e[0] for e in expected]))) == len(set(strengths))
    assert strengths == sorted(strengths)


@given(drawn(), st.sampled_from([1, 64]))
def test_the_first_of_each_pair(given, bits):
    nodes, every = given
    found = in_order(every, nodes)
    first = {}
    for key, one, other in zip(found.keys.tolist(), *(end.tolist() for end in found.ends())):
        first.setdefault(frozenset((one, other)), (key, one, other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dask_blockwise.segmentation.edge_order._BITS", bits)
        kept = found.firsts()
    columns = (column.tolist() for column in (kept.keys, *kept.ends()))
    assert list(zip(*columns)) == list(first.values())


@pytest.mark.parametrize("bits", [1, 64])
def test_many_pairs(monkeypatch, bits):
    monkeypatch.setattr("dask_blockwise.segmentation.edge_order._BITS", bits)
    nodes = np.random.default_rng(0).permutation(60_000).astype(np.int32)
    every = np.ones(nodes.size - 1, bool)
    box = slice(0, every.size), slice(1, nodes.size)
    edges = Edges(0, box[:1], box[1:], every.astype(np.float32), every, every)
    assert in_order([edges], nodes).firsts().voxels.tolist() == list(range(every.size))


def test_more_edges_than_are_counted_are_refused(monkeypatch):
    monkeypatch.setattr("dask_blockwise.segmentation.edge_order._MOST_EDGES", 11)
    here = (slice(0, 2), slice(0, 2))
    some = np.ones((2, 2), bool)
    edges = [Edges(rank, here, here, some.astype(np.float32), some, some) for rank in range(3)]
    with pytest.raises(ValueError, match="takes 11 edges at most, got 12, 3 a voxel: label it by"):
        in_order(edges, np.zeros((2, 2), np.int32))
