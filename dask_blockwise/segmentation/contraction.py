"""Contraction: the merges of a mutex watershed that no edge from outside could undo."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["contracted", "strongest"]

# In each process anew, in some 3 s: of numba's cache on disk two processes that fill it at once may
# get each other's code, and crash (numba's issues 4807 and 10128).
_compiled: Any = numba.njit(nogil=True)

_NONE = np.uint64(0)
_FIRST_KEYS = 1 << 12


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
    Wolf et al., "The Mutex Watershed and its Objective", 2019. That a merge of the two that are
    each other's strongest may be made at any time is what Bruynooghe calls reducible,
    "Classification ascendante hiérarchique", 1977.

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
    repelling = attracts.size - int(np.count_nonzero(attracts))
    clusters = _Clusters.alone(nodes, 2 * repelling, number)
    _contract(clusters, one.astype(number), other.astype(number), attracts)
    return clusters.parent


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


class _Clusters(NamedTuple):
    """What is known of each cluster, at its root."""

    # Of each node, towards the root of its cluster.
    parent: NDArray[np.integer]
    # Whether it may be larger than is known.
    opened: NDArray[np.bool_]
    # Whether something that keeps it apart leaves it, or ends in an open cluster.
    threatened: NDArray[np.bool_]
    # Where the list of what it is kept apart from begins and ends, -1 for none, and how long it is.
    first: NDArray[np.integer]
    last: NDArray[np.integer]
    length: NDArray[np.integer]
    # The lists: a node of a cluster that one is kept apart from, and where the list goes on.
    rival: NDArray[np.integer]
    following: NDArray[np.integer]

    @classmethod
    def alone(cls, nodes: int, rivals: int, number: type[np.signedinteger]) -> _Clusters:
        """Every node by itself, with room for so many rivals."""
        return cls(
            parent=np.arange(nodes, dtype=number),
            opened=np.zeros(nodes, bool),
            threatened=np.zeros(nodes, bool),
            first=np.full(nodes, -1, number),
            last=np.full(nodes, -1, number),
            length=np.zeros(nodes, number),
            rival=np.empty(rivals, number),
            following=np.full(rivals, -1, number),
        )


@_compiled
def _root(parent: Any, node: Any) -> Any:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@_compiled
def _key(one: Any, other: Any) -> Any:
    """A pair of nodes as a number that isn't 0."""
    low, high = min(one, other), max(one, other)
    return (np.uint64(low + 1) << np.uint64(32)) | np.uint64(high + 1)


@_compiled
def _slot(keys: Any, key: Any) -> Any:
    """Where a key is in a table, whose size is a power of two, or belongs."""
    last = np.uint64(keys.size - 1)
    at = ((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & last
    while keys[at] != _NONE and keys[at] != key:
        at = (at + np.uint64(1)) & last
    return at


@_compiled
def _with_key(keys: Any, held: Any, key: Any) -> Any:
    """A table that has the key too, and how many it holds."""
    at = _slot(keys, key)
    if keys[at] != _NONE:
        return keys, held
    keys[at] = key
    if 2 * held < keys.size:
        return keys, held + 1
    larger = np.zeros(2 * keys.size, np.uint64)
    for old in keys:
        if old != _NONE:
            larger[_slot(larger, old)] = old
    return larger, held + 1


@_compiled
def _open(clusters: Any, cluster: Any) -> None:
    """Note that a cluster may be larger, and threaten all that it is kept apart from."""
    clusters.opened[cluster] = True
    _threaten_rivals(clusters, cluster)


@_compiled
def _threaten_rivals(clusters: Any, cluster: Any) -> None:
    at = clusters.first[cluster]
    while at >= 0:
        clusters.threatened[_root(clusters.parent, clusters.rival[at])] = True
        at = clusters.following[at]


@_compiled
def _add_rival(clusters: Any, cluster: Any, rival: Any, at: Any) -> None:
    clusters.rival[at] = rival
    if clusters.first[cluster] < 0:
        clusters.first[cluster] = at
    else:
        clusters.following[clusters.last[cluster]] = at
    clusters.last[cluster] = at
    clusters.length[cluster] += 1
    if clusters.opened[rival]:
        clusters.threatened[cluster] = True


@_compiled
def _surely_merge(clusters: Any, one: Any, other: Any) -> Any:
    """Whether two that nothing keeps apart are merged, whatever lies outside; or both open now."""
    if clusters.opened[one] == clusters.opened[other]:
        return not clusters.opened[one]
    closed = other if clusters.opened[one] else one
    if clusters.threatened[closed]:
        _open(clusters, closed)
        return False
    _threaten_rivals(clusters, closed)
    return True


@_compiled
def _merge(clusters: Any, into: Any, other: Any, keys: Any, held: Any) -> Any:
    """Make two clusters one; the shorter list of rivals should be the other's."""
    at = clusters.first[other]
    while at >= 0:
        rival = _root(clusters.parent, clusters.rival[at])
        keys, held = _with_key(keys, held, _key(into, rival))
        at = clusters.following[at]
    clusters.parent[other] = into
    clusters.opened[into] |= clusters.opened[other]
    clusters.threatened[into] |= clusters.threatened[other]
    if clusters.first[other] >= 0:
        if clusters.first[into] < 0:
            clusters.first[into] = clusters.first[other]
        else:
            clusters.following[clusters.last[into]] = clusters.first[other]
        clusters.last[into] = clusters.last[other]
        clusters.length[into] += clusters.length[other]
    return keys, held


@_compiled
def _leave(clusters: Any, cluster: Any, attracts: Any) -> None:
    """Take an edge from a cluster to what isn't known."""
    if not attracts:
        clusters.threatened[cluster] = True
    elif not clusters.opened[cluster]:
        _open(clusters, cluster)


@_compiled
def _contract(clusters: Any, ones: Any, others: Any, attracts: Any) -> None:
    keys, held, rivals = np.zeros(_FIRST_KEYS, np.uint64), 0, 0
    for edge in range(ones.size):
        one = _root(clusters.parent, ones[edge])
        if others[edge] < 0:
            _leave(clusters, one, attracts[edge])
            continue
        other = _root(clusters.parent, others[edge])
        if one == other or keys[_slot(keys, _key(one, other))] != _NONE:
            continue
        if not attracts[edge]:
            keys, held = _with_key(keys, held, _key(one, other))
            _add_rival(clusters, one, other, rivals)
            _add_rival(clusters, other, one, rivals + 1)
            rivals += 2
        elif _surely_merge(clusters, one, other):
            if clusters.length[one] < clusters.length[other]:
                one, other = other, one
            keys, held = _merge(clusters, one, other, keys, held)
    for node in range(clusters.parent.size):
        clusters.parent[node] = _root(clusters.parent, node)


@_compiled
def _strongest(one: Any, other: Any, strength: Any) -> Any:
    best, found = np.empty(one.size, np.int64), 0
    keys, held = np.zeros(_FIRST_KEYS, np.uint64), 0
    # Which of the best a key is of, at its place in the table.
    which = np.empty(_FIRST_KEYS, np.int64)
    for edge in range(one.size):
        key = _key(np.int64(one[edge]), np.int64(other[edge]))
        keys, held = _with_key(keys, held, key)
        if which.size < keys.size:
            which = np.empty(keys.size, np.int64)
            for n in range(found):
                which[_slot(keys, _key(np.int64(one[best[n]]), np.int64(other[best[n]])))] = n
        at = _slot(keys, key)
        if held > found:
            which[at], best[found] = found, edge
            found += 1
        elif strength[edge] > strength[best[which[at]]]:
            best[which[at]] = edge
    return best[:found]
