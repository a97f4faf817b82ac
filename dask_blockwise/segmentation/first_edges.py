"""What a mutex watershed merges whatever the order of most edges: voxels along their first ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .edge_keys import Flat, descending, key_of_edge, pair_of
from .pair_table import compiled, inlined

__all__ = ["merged_along_firsts", "root_of"]

_NO_EDGE = np.uint64((1 << 64) - 1)
_LAST = np.uint64(1)


def merged_along_firsts(
    every: Sequence[Flat], nodes: NDArray[np.int32], inside: int
) -> tuple[NDArray[np.int32], int]:
    """Merge each node with the one at the other end of its first edge, where that attracts.

    Nothing has happened to a node before its first edge comes, so that nothing keeps these two
    apart, and they are merged in every order of the other edges. So most voxels are known to be
    one before any edge is put in order, and edges within a cluster need no place in it.

    Parameters
    ----------
    every : sequence of Flat
        All edges of the nodes inside.
    nodes : ndarray of int32, shape (voxels,)
        A number of its own for each voxel, from ``inside`` on for those whose edges aren't all
        known; under 0 where it is of none.
    inside : int
        How many nodes have all their edges here.

    Returns
    -------
    ndarray of int32, shape (voxels,)
        Numbers of clusters, from 0 on; then those of what lies outside.
    int
        How many clusters there are.

    References
    ----------
    The step of Boruvka's minimum spanning trees, 1926, for a mutex watershed.
    """
    firsts = np.full(inside, _NO_EDGE, np.uint64)
    for edges in every:
        _note_firsts(firsts, nodes, inside, *edges)
    steps = np.zeros(1 + max((edges.rank for edges in every), default=0), np.int64)
    steps[[edges.rank for edges in every]] = [edges.step for edges in every]
    parent = np.arange(inside, dtype=np.int32)
    _merge(parent, firsts, nodes, steps)
    numbers, used = _numbered(parent, nodes)
    return numbers, used


@inlined
def root_of(parent: Any, node: Any) -> Any:
    """The root of a node's tree; halves the way to it."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@compiled
def _note_firsts(
    firsts: Any,
    nodes: Any,
    inside: Any,
    rows: Any,
    step: Any,
    rank: Any,
    bits: Any,
    attracts: Any,
    taken: Any,
) -> None:
    edge, width, first = 0, bits.size // rows.size, rank * nodes.size
    for row in rows:
        for here in range(row, row + width):
            one, other = nodes[here], nodes[here + step]
            if one >= 0 and other >= 0 and taken[edge]:
                key = key_of_edge(descending(bits[edge]), first + here, attracts[edge])
                if one < inside:
                    firsts[one] = min(firsts[one], key)
                if other < inside:
                    firsts[other] = min(firsts[other], key)
            edge += 1


@compiled
def _merge(parent: Any, firsts: Any, nodes: Any, steps: Any) -> None:
    for key in firsts:
        if key != _NO_EDGE and key & _LAST:
            one, other = pair_of(key, nodes, steps)
            if max(one, other) < parent.size:
                one, other = root_of(parent, one), root_of(parent, other)
                parent[max(one, other)] = min(one, other)


@compiled
def _numbered(parent: Any, nodes: Any) -> Any:
    """Nodes by numbers of their clusters, which count from 0 as they first appear."""
    numbers, used = np.full(parent.size, -1, parent.dtype), 0
    for node in nodes:
        if 0 <= node < parent.size:
            root = root_of(parent, node)
            if numbers[root] < 0:
                numbers[root] = used
                used += 1
    found = np.empty_like(nodes)
    for voxel, node in enumerate(nodes):
        if node < 0:
            found[voxel] = node
        elif node < parent.size:
            found[voxel] = numbers[root_of(parent, node)]
        else:
            found[voxel] = node - parent.size + used
    return found, used
