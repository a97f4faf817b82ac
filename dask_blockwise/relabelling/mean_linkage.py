"""Agglomeration by mean affinity: the pair with the highest mean is merged, again and again."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..segmentation.first_edges import root_of
from ..segmentation.pair_table import NO_KEY, compiled, inlined, key_of, mixed

__all__ = ["mean_linkage"]

_NOT_WAITING = -np.inf
_LEAST_ROOM = 1 << 12


def mean_linkage(
    nodes: int,
    pairs: NDArray[np.integer],
    total: NDArray[np.int64],
    count: NDArray[np.int64],
    least: float,
) -> NDArray[np.integer]:
    """Merge the pair of clusters with the highest mean until none is above the least.

    The mean of what two clusters have in common with a third is never above the higher of the two.
    So what a pair was worth when it was last looked at bounds what it is worth now, and pairs wait
    in a heap by that bound: one that comes first and is worth less by now is put back.

    Parameters
    ----------
    nodes : int
    pairs : ndarray of int, shape (k, 2)
        Each once, of different nodes.
    total, count : ndarray of int64, shape (k,)
        What each pair's affinities sum up to, and how many these are.
    least : float
        What ``total / count`` must be above.

    Returns
    -------
    ndarray of int, shape (nodes,)
        A node of the cluster that each node is in, the same for all of a cluster.

    References
    ----------
    Bailoni et al., "GASP, a generalized framework for agglomerative clustering of signed graphs",
    2022.

    Examples
    --------
    >>> pairs = np.array([[0, 1], [1, 2], [0, 2]])
    >>> mean_linkage(3, pairs, np.array([9, 8, -9]), np.ones(3, np.int64), 0)
    array([0, 0, 2], dtype=int32)
    """
    number = np.int32 if max(nodes, 2 * len(pairs)) < 1 << 31 else np.int64
    edges = np.empty(len(pairs), _edge(number))
    edges["one"], edges["other"] = pairs.T
    edges["total"], edges["count"] = total, count
    edges["bound"] = total / count
    waiting = np.flatnonzero(edges["bound"] > least)
    waiting = waiting[np.argsort(-edges["bound"][waiting], kind="stable")].astype(number)
    edges["bound"][edges["bound"] <= least] = _NOT_WAITING
    parent: NDArray[np.integer] = np.arange(nodes, dtype=number)
    slots = np.zeros(_LEAST_ROOM, [("pair", np.uint64), ("edge", np.int64)])
    _agglomerate(parent, edges, waiting, slots, float(least))
    return parent


def _edge(number: Any) -> np.dtype[np.void]:
    """What is known of an edge, in one place, since what it takes is to fetch it."""
    return np.dtype(
        [
            ("total", np.int64),
            # 0 once it is merged with another, or within a cluster.
            ("count", np.int64),
            # What it waits by in the heap.
            ("bound", np.float64),
            # Nodes of the clusters at both ends, and in the list of each the edge after it.
            ("one", number),
            ("other", number),
            ("after_one", number),
            ("after_other", number),
        ],
        align=True,
    )


@compiled
def _agglomerate(parent: Any, edges: Any, waiting: Any, slots: Any, least: Any) -> None:
    first, degree = _lists(parent, edges)
    slots, held = _filled(slots, parent, edges, 0)
    # Few are put back, so that these alone are a heap.
    at, back = 0, [(np.inf, np.int64(-1))]
    while at < waiting.size or len(back) > 1:
        if at < waiting.size and edges[waiting[at]].bound >= -back[0][0]:
            edge = np.int64(waiting[at])
            at += 1
        else:
            edge = heappop(back)[1]
        if edges[edge].count == 0:
            continue
        worth = edges[edge].total / edges[edge].count
        if worth < edges[edge].bound:
            edges[edge].bound = worth
            if worth > least:
                heappush(back, (-worth, edge))
            continue
        into, other = root_of(parent, edges[edge].one), root_of(parent, edges[edge].other)
        if degree[into] < degree[other]:
            into, other = other, into
        edges[edge].count = 0
        # Before they are one: until then each pair has one edge.
        if 4 * (held + degree[other]) > 3 * slots.size:
            slots, held = _filled(slots, parent, edges, degree[other])
        parent[other] = into
        half = first[other]
        while half >= 0:
            half, more = _move(parent, edges, slots, first, into, half)
            degree[into] += more
            held += more
    for node in range(parent.size):
        parent[node] = root_of(parent, node)


@inlined
def _move(parent: Any, edges: Any, slots: Any, first: Any, into: Any, half: Any) -> Any:
    """Give a cluster an edge of what was merged into it; return the next, and 1 if it is new."""
    edge, side = half >> 1, half & 1
    after = edges[edge].after_other if side else edges[edge].after_one
    if edges[edge].count == 0:
        return after, 0
    rival = root_of(parent, edges[edge].one if side else edges[edge].other)
    pair = key_of(into, rival)
    place = _slot(slots, pair)
    new = slots[place].pair == NO_KEY
    if not new:
        kept = slots[place].edge
        stays = edges[edge].bound <= edges[kept].bound
        if not stays:
            edge, kept = kept, edge
        edges[kept].total += edges[edge].total
        edges[kept].count += edges[edge].count
        edges[edge].count = 0
        if stays:
            return after, 0
        edge = kept
    slots[place].pair, slots[place].edge = pair, edge
    if side:
        edges[edge].after_other = first[into]
    else:
        edges[edge].after_one = first[into]
    first[into] = half
    return after, 1 if new else 0


@compiled
def _lists(parent: Any, edges: Any) -> Any:
    """The edges of each node as a list of halves ``2 * edge + side``: its begin and length."""
    first, degree = np.full(parent.size, -1, parent.dtype), np.zeros(parent.size, parent.dtype)
    for number in range(edges.size):
        one, other = edges[number].one, edges[number].other
        edges[number].after_one, first[one] = first[one], 2 * number
        edges[number].after_other, first[other] = first[other], 2 * number + 1
        degree[one] += 1
        degree[other] += 1
    return first, degree


@inlined
def _slot(slots: Any, pair: Any) -> Any:
    """Where a pair of clusters is in a table, whose size is a power of two, or belongs."""
    last = np.uint64(slots.size - 1)
    at = mixed(pair) & last
    while slots[at].pair != NO_KEY and slots[at].pair != pair:
        at = (at + np.uint64(1)) & last
    return at


@compiled
def _filled(slots: Any, parent: Any, edges: Any, more: Any) -> Any:
    """A table of all edges that are left, by their clusters, with room for more; their number."""
    held, room = 0, slots.size
    for edge in edges:
        held += edge.count > 0
    while room < 2 * (held + more):
        room *= 2
    slots = np.zeros(room, slots.dtype)
    for number in range(edges.size):
        if edges[number].count:
            one, other = edges[number].one, edges[number].other
            pair = key_of(root_of(parent, one), root_of(parent, other))
            place = _slot(slots, pair)
            slots[place].pair, slots[place].edge = pair, number
    return slots, held
