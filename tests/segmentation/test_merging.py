"""What is merged at once and by halves of the edges, against all edges one after the other."""

from __future__ import annotations

import numpy as np
from contracting import contracted
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dask_blockwise.segmentation.edge_order import in_order
from dask_blockwise.segmentation.edges import Edges
from dask_blockwise.segmentation.merging import merged

OFFSETS = ((0, 1), (-1, 0), (2, -1), (0, 3))


@st.composite
def drawn(draw):
    """Nodes of an array, of which some lie outside and some are none, and edges between them."""
    shape = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    kinds = draw(arrays.arrays(np.int8, shape, elements=st.sampled_from([-1, 0, 0, 0, 1])))
    inside = int((kinds == 0).sum())
    nodes = np.full(shape, -1, np.int32)
    nodes[kinds == 0] = np.arange(inside)
    nodes[kinds == 1] = inside + np.arange((kinds == 1).sum())
    every = []
    for rank, offset in enumerate(OFFSETS):
        here = tuple(slice(max(0, -o), n - max(0, o)) for o, n in zip(offset, shape))
        if any(s.stop <= s.start for s in here):
            continue
        there = tuple(slice(s.start + o, s.stop + o) for s, o in zip(here, offset))
        size = tuple(s.stop - s.start for s in here)
        some = st.sampled_from([0.5, 0.3, 0.25, 0.1, 0.0, -0.0, -0.2])
        strength = draw(arrays.arrays(np.float32, size, elements=some))
        ties, taken = (draw(arrays.arrays(bool, size)) for _ in range(2))
        every.append(Edges(rank, here, there, strength, ties, taken))
    return nodes, inside, every


@given(drawn())
def test_as_all_edges_in_one_order(given):
    nodes, inside, every = given
    found = in_order(every, nodes)
    expected = contracted(inside, *found.ends(), found.attracts)
    own = (nodes >= 0) & (nodes < inside)
    pairs = set(zip(merged(every, nodes, inside)[own].tolist(), expected[nodes[own]].tolist()))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert (merged(every, nodes, inside)[nodes < 0] == -1).all()


def test_without_edges_each_is_alone():
    assert merged([], np.array([[0, 1, -1]], np.int32), inside=2).tolist() == [[0, 1, -1]]
