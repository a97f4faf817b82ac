"""Contraction: the merges of a mutex watershed that no edge from outside could undo."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["contracted", "strongest"]

# In each process anew, in some 3 s: of numba's cache on disk two processes that fill it at once may
# get each other's code, and crash (numba's issues 4807 and 10128).
_compiled: Any = numba.njit(nogil=True)
_inlined: Any = numba.njit(nogil=True, inline="always")

_NONE = np.uint64(0)
_LEAST_KEYS = 1 << 12


def contracted(
    nodes: int, one: NDArray[np.integer], other: NDArray[np.integer], attracts: NDArray[np.bool_]
) -> NDArray[np.integer]:
    """Merge what a mutex watershed merges, whatever lies at the other end of edges that leave.

    Edges are taken from the strongest to the weakest. One that attracts merges its two clusters
    unless an earlier one keeps them apart; else it keeps them apart. A cluster is *open* once an
    edge that attracts has left it, or tied it to an open cluster in vain: then it may be larger
    than is known, and hang together with any other open cluster. So two open clusters are not
    merged, and an open and a closed one only if nothing that keeps the closed one apart leaves it
    or ends in an open cluster; the closed one is open from then on. All that is merged is merged
    in every larger graph of which this is a part, and without edges that leave this is the mutex
    watershed itself.

    Parameters
    ----------
    nodes : int
        At most 2 ** 32 - 2.
    one, other : ndarray of int, shape (k,)
        Ends of the edges, the strongest first; ``other`` is -1 where an edge leaves.
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

    >>> contracted(3, np.array([0, 2, 1, 1]), np.array([-1, -1, 0, 2]), np.ones(4, bool))
    array([1, 1, 2], dtype=int32)
    """
    number = np.int32 if max(nodes, 4 * one.size) < 2**31 else np.int64
    parent: NDArray[np.integer] = np.arange(nodes, dtype=number)
    most = 2 * int(np.count_nonzero(np.invert(attracts)))
    clusters, rivals = _records(nodes, most, number)
    _contract(parent, clusters, rivals, one.astype(number), other.astype(number), attracts)
    return parent


def strongest(
    one: NDArray[np.uint32], other: NDArray[np.uint32], strength: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Which edge is the strongest of each pair of nodes; of equally strong ones the first.

    Parameters
    ----------
    one, other : ndarray of uint32, shape (k,)
        Either way round.
    strength : ndarray of float32, shape (k,)

    Returns
    -------
    ndarray of int64
        Positions, in the order in which pairs first appear.

    Examples
    --------
    >>> one, other = np.array([1, 2, 2, 1], np.uint32), np.array([2, 3, 1, 2], np.uint32)
    >>> strongest(one, other, np.array([0.5, 0.2, 0.7, 0.7], np.float32))
    array([2, 1])
    """
    best: NDArray[np.int64] = _strongest(one, other, strength)
    return best


def _records(nodes: int, most: int, number: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """What is known of each cluster, at its root, and room for so many of their rivals."""
    known = [
        # Where the list of its rivals begins and ends, from which it is kept apart; its length.
        ("first", number),
        ("last", number),
        ("length", number),
        # Whether it may be larger than is known.
        ("opened", bool),
        # Whether something that keeps it apart leaves it, or ends in an open cluster.
        ("threatened", bool),
    ]
    clusters = np.zeros(nodes, known)
    clusters["first"] = -1
    # A node of the rival, and where the list goes on.
    return clusters, np.zeros(most, [("node", number), ("following", number)])


@_inlined
def _root(parent: Any, node: Any) -> Any:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@_inlined
def _key(one: Any, other: Any) -> Any:
    """A pair of nodes as a number that isn't 0."""
    low, high = min(one, other), max(one, other)
    return (np.uint64(low + 1) << np.uint64(32)) | np.uint64(high + 1)


@_inlined
def _slot(keys: Any, key: Any) -> Any:
    """Where a key is in a table, whose size is a power of two, or belongs."""
    last = np.uint64(keys.size - 1)
    mixed = key * np.uint64(0x9E3779B97F4A7C15)
    at = (mixed ^ (mixed >> np.uint64(32))) & last
    while keys[at] != _NONE and keys[at] != key:
        at = (at + np.uint64(1)) & last
    return at


@_compiled
def _table(size: Any) -> Any:
    room = _LEAST_KEYS
    while room < size:
        room *= 2
    return np.zeros(room, np.uint64)


@_compiled
def _doubled(keys: Any) -> Any:
    """A table of the same keys with twice the room."""
    larger = np.zeros(2 * keys.size, np.uint64)
    for key in keys:
        if key != _NONE:
            larger[_slot(larger, key)] = key
    return larger


@_inlined
def _threaten_rivals(parent: Any, clusters: Any, rivals: Any, cluster: Any) -> None:
    at = clusters[cluster].first
    while at >= 0:
        clusters[_root(parent, rivals[at].node)].threatened = True
        at = rivals[at].following


@_inlined
def _open(parent: Any, clusters: Any, rivals: Any, cluster: Any) -> None:
    """Note that a cluster may be larger, and threaten all that it is kept apart from."""
    clusters[cluster].opened = True
    _threaten_rivals(parent, clusters, rivals, cluster)


@_inlined
def _append(clusters: Any, rivals: Any, cluster: Any, first: Any, last: Any, length: Any) -> None:
    """Add a list of rivals to that of a cluster."""
    if clusters[cluster].first < 0:
        clusters[cluster].first = first
    else:
        rivals[clusters[cluster].last].following = first
    clusters[cluster].last = last
    clusters[cluster].length += length


@_inlined
def _add_rival(clusters: Any, rivals: Any, cluster: Any, rival: Any, at: Any) -> None:
    rivals[at].node, rivals[at].following = rival, -1
    _append(clusters, rivals, cluster, at, at, 1)
    if clusters[rival].opened:
        clusters[cluster].threatened = True


@_inlined
def _leave(parent: Any, clusters: Any, rivals: Any, cluster: Any, attracts: Any) -> None:
    """Take an edge from a cluster to what isn't known."""
    if not attracts:
        clusters[cluster].threatened = True
    elif not clusters[cluster].opened:
        _open(parent, clusters, rivals, cluster)


@_inlined
def _surely_merge(parent: Any, clusters: Any, rivals: Any, one: Any, other: Any) -> Any:
    """Whether two, not both open, are merged whatever lies outside; else both are open now."""
    if clusters[one].opened == clusters[other].opened:
        return True
    closed = other if clusters[one].opened else one
    if clusters[closed].threatened:
        _open(parent, clusters, rivals, closed)
        return False
    _threaten_rivals(parent, clusters, rivals, closed)
    return True


@_inlined
def _add_keys(parent: Any, clusters: Any, rivals: Any, keys: Any, held: Any, ends: Any) -> Any:
    """Note that the first of two is kept apart from all rivals of the second."""
    into, other = ends
    at = clusters[other].first
    while at >= 0:
        key = _key(into, _root(parent, rivals[at].node))
        place = _slot(keys, key)
        if keys[place] == _NONE:
            keys[place] = key
            held += 1
            if 2 * held > keys.size:
                keys = _doubled(keys)
        at = rivals[at].following
    return keys, held


@_inlined
def _join(parent: Any, clusters: Any, rivals: Any, into: Any, other: Any) -> None:
    parent[other] = into
    clusters[into].opened |= clusters[other].opened
    clusters[into].threatened |= clusters[other].threatened
    if clusters[other].first >= 0:
        first, last = clusters[other].first, clusters[other].last
        _append(clusters, rivals, into, first, last, clusters[other].length)


@_compiled
def _contract(
    parent: Any, clusters: Any, rivals: Any, ones: Any, others: Any, attracts: Any
) -> None:
    keys, held, used = _table(ones.size // 4), 0, 0
    for edge in range(ones.size):
        one = _root(parent, ones[edge])
        if others[edge] < 0:
            _leave(parent, clusters, rivals, one, attracts[edge])
            continue
        other = _root(parent, others[edge])
        # Two that are open are never merged here, so that nothing need keep them apart.
        if one == other or (clusters[one].opened and clusters[other].opened):
            continue
        key = _key(one, other)
        place = _slot(keys, key)
        if keys[place] != _NONE:
            continue
        if not attracts[edge]:
            keys[place] = key
            held += 1
            if 2 * held > keys.size:
                keys = _doubled(keys)
            _add_rival(clusters, rivals, one, other, used)
            _add_rival(clusters, rivals, other, one, used + 1)
            used += 2
        elif _surely_merge(parent, clusters, rivals, one, other):
            if clusters[one].length < clusters[other].length:
                one, other = other, one
            keys, held = _add_keys(parent, clusters, rivals, keys, held, (one, other))
            _join(parent, clusters, rivals, one, other)
    for node in range(parent.size):
        parent[node] = _root(parent, node)


@_compiled
def _strongest(one: Any, other: Any, strength: Any) -> Any:
    best, found = np.empty(one.size, np.int64), 0
    keys = _table(one.size)
    # Which of the best a key is of, at its place in the table.
    which = np.empty(keys.size, np.uint32)
    for edge in range(one.size):
        key = _key(np.int64(one[edge]), np.int64(other[edge]))
        place = _slot(keys, key)
        if keys[place] != _NONE:
            if strength[edge] > strength[best[which[place]]]:
                best[which[place]] = edge
            continue
        keys[place], which[place], best[found] = key, found, edge
        found += 1
        if 2 * found > keys.size:
            keys = _doubled(keys)
            which = np.empty(keys.size, np.uint32)
            for n in range(found):
                first = best[n]
                which[_slot(keys, _key(np.int64(one[first]), np.int64(other[first])))] = n
    return best[:found]
