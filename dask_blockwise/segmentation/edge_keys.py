"""Keys of edges: numbers that sort as a mutex watershed takes edges, and say where each lies.

In the upper half of a key is the edge's strength, so that the strongest is least; in the lower
``rank * voxels + voxel`` of where it begins, and in the last bit whether it attracts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .edges import Edges
from .pair_table import inlined

__all__ = ["ATTRACTS", "Flat", "descending", "flat", "key_of_edge", "pair_of"]

_HIGH, ATTRACTS = np.uint64(32), np.uint32(1)
_SIGN, _VALUE = np.uint32(1 << 31), np.uint32((1 << 31) - 1)


class Flat(NamedTuple):
    """The edges of one offset, as kernels take them: in rows along the last axis."""

    # Where rows begin in the raster of an array, and how far each edge goes in it.
    rows: NDArray[np.int64]
    step: int
    # Of the offset in their order.
    rank: int
    # Of each edge, in raster order; strength as the bits of float32.
    bits: NDArray[np.uint32]
    attracts: NDArray[np.bool_]
    taken: NDArray[np.bool_]


def flat(edges: Edges, shape: Index) -> Flat:
    """Edges of an array of some shape in rows.

    Examples
    --------
    >>> some = np.ones((2, 2), bool)
    >>> box, there = (slice(0, 2), slice(0, 2)), (slice(0, 2), slice(1, 3))
    >>> found = flat(Edges(1, box, there, some.astype(np.float32), some, some), (2, 3))
    >>> found.rows, found.step, found.rank
    (array([0, 3]), 1, 1)
    """
    begin, end = (tuple(s.start for s in box) for box in (edges.here, edges.there))
    counts = [s.stop - s.start for s in edges.here[:-1]]
    corners = np.indices((*counts, 1)).reshape(len(shape), -1)
    rows = np.ravel_multi_index(tuple(corners + np.array(begin)[:, None]), shape)
    first, last = (int(np.ravel_multi_index(corner, shape)) for corner in (begin, end))
    bits = edges.strength.ravel().view(np.uint32)
    return Flat(rows, last - first, edges.rank, bits, edges.attracts.ravel(), edges.taken.ravel())


@inlined
def descending(bits: Any) -> Any:
    """A number that sorts as a float of these bits does, from the largest to the smallest."""
    if bits & _SIGN and bits & _VALUE:
        return bits
    # Of 0 and -0 it is the same.
    return _VALUE - (bits & _VALUE)


@inlined
def key_of_edge(number: Any, place: Any, attracts: Any) -> Any:
    """The key of an edge of such a descending number, that begins at ``rank * voxels + voxel``."""
    return np.uint64(number) << _HIGH | np.uint64(place << 1 | attracts)


@inlined
def pair_of(key: Any, nodes: Any, steps: Any) -> Any:
    """Nodes at both ends of an edge; steps are those of all ranks."""
    place = np.uint32(key) >> ATTRACTS
    rank = place // np.uint32(nodes.size)
    here = np.int64(place - rank * np.uint32(nodes.size))
    return nodes[here], nodes[here + steps[rank]]
