"""The order of a mutex watershed's edges, and the first of each pair of nodes in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .edges import Edges
from .pair_table import NO_KEY, compiled, doubled, inlined, key_of, slot, table

__all__ = ["EdgesInOrder", "in_order"]

_MOST_EDGES = 1 << 31
_HIGH, _UPPER, _ATTRACTS = np.uint64(32), np.uint64(0xFFFFFFFF << 32), np.uint32(1)
_SIGN, _VALUE = np.uint32(1 << 31), np.uint32((1 << 31) - 1)


@dataclass(frozen=True)
class EdgesInOrder:
    """Edges, the strongest first, of equally strong ones by rank and then in raster order.

    Parameters
    ----------
    keys
        Of each edge, uint64: its strength, so that the strongest is least, in the upper half; in
        the lower ``rank * voxels + voxel`` of where it begins, and in the last bit if it attracts.
    nodes
        Which node each voxel is of.
    steps
        How far edges of each rank go, in voxels of the raster.
    """

    keys: NDArray[np.uint64]
    nodes: NDArray[np.int32]
    steps: NDArray[np.int64]

    @property
    def attracts(self) -> NDArray[np.bool_]:
        """Which hold their ends together."""
        return (self.keys.astype(np.uint32) & _ATTRACTS).astype(bool)

    @property
    def order(self) -> NDArray[np.uint64]:
        """``strength << 32 | rank`` of each, the least of what comes first."""
        return self.keys & _UPPER | self._begins // np.uint32(self.nodes.size)

    @property
    def voxels(self) -> NDArray[np.uint32]:
        """Where each begins in the array, in raster order."""
        return self._begins % np.uint32(self.nodes.size)

    @property
    def _begins(self) -> NDArray[np.uint32]:
        return self.keys.astype(np.uint32) >> _ATTRACTS

    def ends(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Nodes where they begin and end."""
        one, other = _ends(self.keys, self.nodes.ravel(), self.steps)
        return one, other

    def firsts(self) -> EdgesInOrder:
        """The first edge of each pair of nodes alone."""
        return replace(self, keys=_firsts(self.keys, self.nodes.ravel(), self.steps))


def in_order(every: Iterable[Edges], nodes: NDArray[np.int32]) -> EdgesInOrder:
    """Edges between different nodes, the strongest first.

    Parameters
    ----------
    every : iterable of Edges
    nodes : ndarray of int32
        Which node each voxel is of; under 0 where it is of none.

    Raises
    ------
    ValueError
        If there are more edges than are counted.

    Examples
    --------
    >>> every = np.ones(3, bool)
    >>> strength = np.array([0.2, 0.5, 0.5], np.float32)
    >>> edges = Edges(0, (slice(0, 3),), (slice(1, 4),), strength, every, every)
    >>> found = in_order([edges], np.array([7, 7, 2, 0], np.int32))
    >>> found.ends(), found.voxels
    ((array([7, 2], dtype=int32), array([2, 0], dtype=int32)), array([1, 2], dtype=uint32))
    """
    found = list(every)
    ranks, size = 1 + max((edges.rank for edges in found), default=0), nodes.size
    if ranks * size > _MOST_EDGES:
        raise ValueError(
            f"A mutex watershed of one array takes {_MOST_EDGES} edges at most, got "
            f"{ranks * size}, {ranks} a voxel: label it by smaller blocks, of which "
            "relabel(watershed(volume, ...)) makes the very objects of one array."
        )
    steps, used = np.zeros(ranks, np.int64), 0
    # Memory that isn't written to is not taken.
    keys = np.empty(sum(edges.strength.size for edges in found), np.uint64)
    nodes = np.ascontiguousarray(nodes)
    for edges in found:
        rows, steps[edges.rank] = _rows(edges, nodes.shape)
        bits = edges.strength.ravel().view(np.uint32)
        apart = edges.attracts.ravel(), edges.taken.ravel()
        first = edges.rank * size
        used = _note(keys, used, nodes.ravel(), rows, steps[edges.rank], first, bits, *apart)
    keys = keys[:used]
    keys.sort()
    return EdgesInOrder(keys, nodes, steps)


def _rows(edges: Edges, shape: Index) -> tuple[NDArray[np.int64], int]:
    """Where rows of edges along the last axis begin in an array, and how far each edge goes."""
    begin, end = (tuple(s.start for s in box) for box in (edges.here, edges.there))
    counts = [s.stop - s.start for s in edges.here[:-1]]
    corners = np.indices((*counts, 1)).reshape(len(shape), -1)
    rows = np.ravel_multi_index(tuple(corners + np.array(begin)[:, None]), shape)
    first, last = (int(np.ravel_multi_index(corner, shape)) for corner in (begin, end))
    return rows, last - first


@inlined
def _descending(bits: Any) -> Any:
    """A number that sorts as a float of these bits does, from the largest to the smallest."""
    if bits & _SIGN and bits & _VALUE:
        return bits
    # Of 0 and -0 it is the same.
    return _VALUE - (bits & _VALUE)


@compiled
def _note(
    keys: Any,
    used: Any,
    nodes: Any,
    rows: Any,
    step: Any,
    first: Any,
    bits: Any,
    attracts: Any,
    taken: Any,
) -> Any:
    """Add keys of the edges of one offset to so many others; return how many there are then."""
    edge, width = 0, bits.size // rows.size
    for row in rows:
        for here in range(row, row + width):
            one, other = nodes[here], nodes[here + step]
            if one != other and one >= 0 and other >= 0 and taken[edge]:
                place = (first + here) << 1 | attracts[edge]
                keys[used] = np.uint64(_descending(bits[edge])) << _HIGH | np.uint64(place)
                used += 1
            edge += 1
    return used


@inlined
def _pair(key: Any, nodes: Any, steps: Any) -> Any:
    place = np.uint32(key) >> _ATTRACTS
    rank = place // np.uint32(nodes.size)
    here = np.int64(place - rank * np.uint32(nodes.size))
    return nodes[here], nodes[here + steps[rank]]


@compiled
def _ends(keys: Any, nodes: Any, steps: Any) -> Any:
    one, other = np.empty(keys.size, np.int32), np.empty(keys.size, np.int32)
    for edge in range(keys.size):
        one[edge], other[edge] = _pair(keys[edge], nodes, steps)
    return one, other


@compiled
def _firsts(every: Any, nodes: Any, steps: Any) -> Any:
    """Keys of the first edge of each pair."""
    keys, found, held = table(every.size // 4), np.empty_like(every), 0
    for edge in every:
        one, other = _pair(edge, nodes, steps)
        key = key_of(one, other)
        place = slot(keys, key)
        if keys[place] == NO_KEY:
            keys[place], found[held] = key, edge
            held += 1
            if 4 * held > 3 * keys.size:
                keys = doubled(keys)
    return found[:held]
