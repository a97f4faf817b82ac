"""Contraction: the merges of a mutex watershed that no edge from outside could undo."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pair_table import NO_KEY, compiled, doubled, inlined, key_of, slot, table

__all__ = ["contracted"]


def contracted(
    nodes: int, one: NDArray[np.integer], other: NDArray[np.integer], attracts: NDArray[np.bool_]
) -> NDArray[np.integer]:
    """Merge what a mutex watershed merges, whatever lies at the other end of edges that leave.

    Edges are taken from the strongest to the weakest. One that attracts merges its two clusters
    unless an earlier one keeps them apart; else it keeps them apart. A cluster is *open* once an
    edge that attracts has tied it to an open one in vain, and what lies outside is open from the
    start: then it may be larger than is known, and be one with any other open cluster that isn't
    surely kept apart from it. So two open clusters are not merged, nor does an edge keep them apart
    for sure. An open and a closed one are merged if all open ones that the closed one is kept apart
    from are kept apart from the open one too; else the closed one is open from then on. All that
    is merged is merged in every larger graph of which this is a part, and without edges that leave
    this is the mutex watershed itself.

    Parameters
    ----------
    nodes : int
        At most 2 ** 32 - 2.
    one, other : ndarray of int, shape (k,)
        Ends of the edges, the strongest first. From ``nodes`` on they lie outside, where not all
        edges are known.
    attracts : ndarray of bool, shape (k,)
        Whether an edge holds its ends together; else it keeps them apart.

    Returns
    -------
    ndarray of int, shape (nodes,)
        A node of the cluster that each node is in, the same for all of a cluster.

    References
    ----------
    Wolf et al., "The Mutex Watershed and its Objective", 2019.

    Examples
    --------
    >>> one, other = np.array([0, 1, 0]), np.array([1, 2, 2])
    >>> contracted(3, one, other, np.array([True, False, True]))
    array([0, 0, 2], dtype=int32)

    What leaves the first and the last may hold them together, so that they aren't merged:

    >>> contracted(3, np.array([0, 2, 1, 1]), np.array([3, 3, 0, 2]), np.ones(4, bool))
    array([1, 1, 2], dtype=int32)
    """
    every = max(nodes, *(1 + int(end.max(initial=0)) for end in (one, other)))
    number = np.dtype(np.int32 if max(every, 4 * one.size) < 2**31 else np.int64)
    ends = [
        e.view(number) if e.itemsize == number.itemsize else e.astype(number) for e in (one, other)
    ]
    parent: NDArray[np.integer] = np.arange(every, dtype=number)
    clusters, rivals = _records(every, attracts.size - int(np.count_nonzero(attracts)), number)
    clusters["opened"][nodes:] = True
    _contract(parent, clusters, rivals, *ends, attracts, nodes)
    return parent[:nodes]


def _records(nodes: int, apart: int, number: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """What is known of each cluster, at its root, and room for so many pairs of rivals."""
    known = [
        # Where the list of its rivals begins and ends, from which it is kept apart; its length.
        ("first", number),
        ("last", number),
        ("length", number),
        # Whether it may be larger than is known.
        ("opened", bool),
    ]
    clusters = np.zeros(nodes, known)
    clusters["first"] = -1
    # A node of the rival, and where the list goes on.
    return clusters, np.zeros(2 * apart, [("node", number), ("following", number)])


@inlined
def _root(parent: Any, node: Any) -> Any:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@inlined
def _append(clusters: Any, rivals: Any, cluster: Any, first: Any, last: Any, length: Any) -> None:
    """Add a list of rivals to that of a cluster."""
    if clusters[cluster].first < 0:
        clusters[cluster].first = first
    else:
        rivals[clusters[cluster].last].following = first
    clusters[cluster].last = last
    clusters[cluster].length += length


@inlined
def _add_rival(clusters: Any, rivals: Any, cluster: Any, rival: Any, at: Any) -> None:
    rivals[at].node, rivals[at].following = rival, -1
    _append(clusters, rivals, cluster, at, at, 1)


@inlined
def _surely_merge(parent: Any, clusters: Any, rivals: Any, keys: Any, one: Any, other: Any) -> Any:
    """Whether two, not both open, of which it isn't known, are merged whatever lies outside."""
    if clusters[one].opened == clusters[other].opened:
        return True
    closed, opened = (other, one) if clusters[one].opened else (one, other)
    at = clusters[closed].first
    while at >= 0:
        rival = _root(parent, rivals[at].node)
        if clusters[rival].opened and keys[slot(keys, key_of(opened, rival))] == NO_KEY:
            return False
        at = rivals[at].following
    return True


@inlined
def _add_keys(parent: Any, clusters: Any, rivals: Any, keys: Any, held: Any, ends: Any) -> Any:
    """Note that the first of two is kept apart from all rivals of the second."""
    into, other = ends
    at = clusters[other].first
    while at >= 0:
        key = key_of(into, _root(parent, rivals[at].node))
        place = slot(keys, key)
        if keys[place] == NO_KEY:
            keys[place] = key
            held += 1
            if 4 * held > 3 * keys.size:
                keys = doubled(keys)
        at = rivals[at].following
    return keys, held


@inlined
def _join(parent: Any, clusters: Any, rivals: Any, into: Any, other: Any) -> None:
    parent[other] = into
    clusters[into].opened |= clusters[other].opened
    if clusters[other].first >= 0:
        first, last = clusters[other].first, clusters[other].last
        _append(clusters, rivals, into, first, last, clusters[other].length)


@compiled
def _contract(
    parent: Any, clusters: Any, rivals: Any, ones: Any, others: Any, attracts: Any, nodes: Any
) -> None:
    keys, held, used = table(ones.size // 4), 0, 0
    for edge in range(ones.size):
        one, other = _root(parent, ones[edge]), _root(parent, others[edge])
        if one == other or (clusters[one].opened and clusters[other].opened):
            continue
        key = key_of(one, other)
        place = slot(keys, key)
        if keys[place] != NO_KEY:
            continue
        if not attracts[edge]:
            keys[place] = key
            held += 1
            if 4 * held > 3 * keys.size:
                keys = doubled(keys)
            _add_rival(clusters, rivals, one, other, used)
            _add_rival(clusters, rivals, other, one, used + 1)
            used += 2
        elif max(one, other) < nodes and _surely_merge(parent, clusters, rivals, keys, one, other):
            if clusters[one].length < clusters[other].length:
                one, other = other, one
            keys, held = _add_keys(parent, clusters, rivals, keys, held, (one, other))
            _join(parent, clusters, rivals, one, other)
        else:
            clusters[one].opened = clusters[other].opened = True
    for node in range(parent.size):
        parent[node] = _root(parent, node)
