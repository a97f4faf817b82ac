"""The order of a mutex watershed's edges, and the first of each pair of nodes in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .edge_keys import ATTRACTS, Flat, descending, flat, key_of_edge, pair_of
from .edges import Edges
from .pair_table import NO_KEY, compiled, doubled, key_of, mixed, slot, table
from .radix import sort_from

__all__ = ["EdgesInOrder", "check_count", "in_order"]

_MOST_EDGES, _BITS = 1 << 31, 64
# Of pairs; a table of so many numbers stays in the processor's cache.
_KINDS = 1 << 14
_UPPER = np.uint64(0xFFFFFFFF << 32)


@dataclass(frozen=True)
class EdgesInOrder:
    """Edges, the strongest first, of equally strong ones by rank and then in raster order.

    Parameters
    ----------
    keys
        Of each edge, uint64, as `edge_keys` has them.
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
        return (self.keys.astype(np.uint32) & ATTRACTS).astype(bool)

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
        return self.keys.astype(np.uint32) >> ATTRACTS

    def ends(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Nodes where they begin and end."""
        one, other = _ends(self.keys, self.nodes.ravel(), self.steps)
        return one, other

    def between(self) -> EdgesInOrder:
        """Those between different nodes; of pairs that have many, the first and few others."""
        return replace(self, keys=_between(self.keys, self.nodes.ravel(), self.steps))

    def firsts(self) -> EdgesInOrder:
        """The first edge of each pair of different nodes alone."""
        few, nodes = self.between(), self.nodes.ravel()
        node, edge = (int(n).bit_length() for n in (nodes.max(initial=0), few.keys.size))
        if 2 * node + edge > _BITS:
            return replace(few, keys=_firsts(few.keys, nodes, few.steps))
        # To sort takes half as long as to look each pair up in a table.
        pairs = _marked(few.keys, nodes, few.steps, np.uint64(node), np.uint64(edge))
        pairs = sort_from(pairs, edge)
        of_pair = pairs >> np.uint64(edge)
        first = np.ones(pairs.size, bool)
        np.not_equal(of_pair[1:], of_pair[:-1], out=first[1:])
        kept = np.zeros(pairs.size, bool)
        kept[pairs[first] & np.uint64((1 << edge) - 1)] = True
        return replace(few, keys=few.keys[kept])


def in_order(
    every: Iterable[Edges | Flat],
    nodes: NDArray[np.int32],
    over: float = -np.inf,
    up_to: float = np.inf,
) -> EdgesInOrder:
    """Edges between different nodes, the strongest first.

    Parameters
    ----------
    every : iterable of Edges, or of what `flat` makes of them for the same array
    nodes : ndarray of int32
        Which node each voxel is of; under 0 where it is of none.
    over, up_to : float
        Edges that are stronger than the first, and as strong as the second at most, alone.

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
    found = [edges if isinstance(edges, Flat) else flat(edges, nodes.shape) for edges in every]
    size = nodes.size
    ranks = 1 + max((edges.rank for edges in found), default=0)
    check_count(ranks, size)
    steps, used = np.zeros(ranks, np.int64), 0
    # Memory that isn't written to is not taken.
    keys = np.empty(sum(edges.bits.size for edges in found), np.uint64)
    nodes = np.ascontiguousarray(nodes)
    bounds = np.array([up_to, over], np.float32).view(np.uint32)
    for edges in found:
        steps[edges.rank] = edges.step
        used = _note(keys, used, nodes.ravel(), bounds, *edges)
    # Strength is in the upper half, and edges come in the order of the lower one, or nearly so.
    return EdgesInOrder(sort_from(keys[:used], _BITS // 2), nodes, steps)


def check_count(ranks: int, voxels: int) -> None:
    """Refuse more edges than keys can tell apart.

    Raises
    ------
    ValueError
    """
    if ranks * voxels > _MOST_EDGES:
        raise ValueError(
            f"A mutex watershed of one array takes {_MOST_EDGES} edges at most, got "
            f"{ranks * voxels}, {ranks} a voxel: label it by smaller blocks, of which "
            "relabel(watershed(volume, ...)) makes the very objects of one array."
        )


@compiled
def _note(
    keys: Any,
    used: Any,
    nodes: Any,
    bounds: Any,
    rows: Any,
    step: Any,
    rank: Any,
    bits: Any,
    attracts: Any,
    taken: Any,
) -> Any:
    """Add keys of the edges of one offset to so many others; return how many there are then."""
    edge, width, first = 0, bits.size // rows.size, rank * nodes.size
    begin, end = descending(bounds[0]), descending(bounds[1])
    for row in rows:
        for here in range(row, row + width):
            number = descending(bits[edge])
            one, other = nodes[here], nodes[here + step]
            if begin <= number < end and one != other and one >= 0 and other >= 0 and taken[edge]:
                keys[used] = key_of_edge(number, first + here, attracts[edge])
                used += 1
            edge += 1
    return used


@compiled
def _ends(keys: Any, nodes: Any, steps: Any) -> Any:
    one, other = np.empty(keys.size, np.int32), np.empty(keys.size, np.int32)
    for edge in range(keys.size):
        one[edge], other[edge] = pair_of(keys[edge], nodes, steps)
    return one, other


@compiled
def _between(keys: Any, nodes: Any, steps: Any) -> Any:
    """Without those of the pair that was the last of its kind to come."""
    last, found, held = np.zeros(_KINDS, np.uint64), np.empty_like(keys), 0
    for edge in keys:
        one, other = pair_of(edge, nodes, steps)
        if one != other and one >= 0 and other >= 0:
            key = key_of(one, other)
            kind = mixed(key) & np.uint64(_KINDS - 1)
            if last[kind] != key:
                last[kind], found[held] = key, edge
                held += 1
    return found[:held].copy()


@compiled
def _marked(keys: Any, nodes: Any, steps: Any, node: Any, edge: Any) -> Any:
    """The pair of each edge, and after it the edge's number, in so many bits each."""
    marks = np.empty_like(keys)
    for number, key in enumerate(keys):
        one, other = pair_of(key, nodes, steps)
        pair = np.uint64(min(one, other)) << node | np.uint64(max(one, other))
        marks[number] = pair << edge | np.uint64(number)
    return marks


@compiled
def _firsts(every: Any, nodes: Any, steps: Any) -> Any:
    """Keys of the first edge of each pair."""
    keys, found, held = table(0), np.empty_like(every), 0
    for edge in every:
        one, other = pair_of(edge, nodes, steps)
        key = key_of(one, other)
        place = slot(keys, key)
        if keys[place] == NO_KEY:
            keys[place], found[held] = key, edge
            held += 1
            if 4 * held > 3 * keys.size:
                keys = doubled(keys)
    return found[:held]
