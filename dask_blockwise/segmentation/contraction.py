"""Contraction: the merges of a mutex watershed that no edge from outside could undo."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .first_edges import root_of
from .pair_table import NO_KEY, compiled, doubled, inlined, key_of, slot, table

__all__ = ["Contraction"]

_MOST_OF_FEW = 1 << 31


class Contraction:
    """Merges what a mutex watershed merges, whatever lies at the other end of edges that leave.

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
    every : int
        With those outside, where not all edges are known: they have numbers from ``nodes`` on.

    References
    ----------
    Wolf et al., "The Mutex Watershed and its Objective", 2019.

    Examples
    --------
    >>> contraction = Contraction(3, 3)
    >>> contraction.take(np.array([0, 1]), np.array([1, 2]), np.array([True, False]))
    >>> contraction.take(np.array([0]), np.array([2]), np.array([True]))
    >>> contraction.clusters()
    array([0, 0, 2], dtype=int32)

    What leaves the first and the last may hold them together, so that they aren't merged:

    >>> contraction = Contraction(3, 4)
    >>> contraction.take(np.array([0, 2, 1, 1]), np.array([3, 3, 0, 2]), np.ones(4, bool))
    >>> contraction.clusters()[:3]
    array([1, 1, 2], dtype=int32)
    """

    def __init__(self, nodes: int, every: int):
        self._nodes = nodes
        number = _number(every)
        self._parent: NDArray[np.integer] = np.arange(every, dtype=number)
        self._clusters = np.zeros(every, _cluster(number))
        self._clusters["first"] = -1
        self._clusters["opened"][nodes:] = True
        self._rivals, self._used = np.empty(0, _rival(number)), 0
        self._keys, self._held = table(0), 0

    def take(
        self, one: NDArray[np.integer], other: NDArray[np.integer], attracts: NDArray[np.bool_]
    ) -> None:
        """Take edges that come after all that were taken, the strongest first.

        Parameters
        ----------
        one, other : ndarray of int, shape (k,)
            Ends of the edges; instead of a node, any that was merged with it.
        attracts : ndarray of bool, shape (k,)
            Whether an edge holds its ends together; else it keeps them apart.
        """
        self._make_room(2 * (attracts.size - int(np.count_nonzero(attracts))))
        number = self._parent.dtype
        ends = [
            e.view(number) if e.itemsize == number.itemsize else e.astype(number)
            for e in (one, other)
        ]
        self._keys, self._held, self._used = _contract(
            self._parent,
            self._clusters,
            self._rivals,
            self._keys,
            self._held,
            self._used,
            *ends,
            attracts,
            self._nodes,
        )

    def clusters(self) -> NDArray[np.integer]:
        """A node of the cluster of each node, outside too, the same for all of a cluster."""
        _flatten(self._parent)
        return self._parent

    def _make_room(self, more: int) -> None:
        """For so many more rivals."""
        number = _number(max(self._parent.size, self._used + more))
        if number != self._parent.dtype:
            self._parent = self._parent.astype(number)
            self._clusters = self._clusters.astype(_cluster(number))
        if self._rivals.dtype != _rival(number) or self._rivals.size < self._used + more:
            # Memory that isn't written to is not taken.
            rivals = np.empty(max(self._used + more, 2 * self._used), _rival(number))
            rivals[: self._used] = self._rivals[: self._used]
            self._rivals = rivals


def _number(most: int) -> np.dtype[np.signedinteger[Any]]:
    """For numbers of nodes and rivals, of which there are so many."""
    return np.dtype(np.int32 if most < _MOST_OF_FEW else np.int64)


def _cluster(number: Any) -> np.dtype[np.void]:
    """What is known of a cluster, at its root."""
    known = [
        # Where the list of its rivals begins, from which it is kept apart; its length.
        ("first", number),
        ("length", number),
        # Whether it may be larger than is known.
        ("opened", bool),
    ]
    return np.dtype(known, align=True)


def _rival(number: Any) -> np.dtype[np.void]:
    """A node of the rival, and where the list goes on."""
    return np.dtype([("node", number), ("following", number)])


@inlined
def _add_rival(clusters: Any, rivals: Any, cluster: Any, rival: Any, at: Any) -> None:
    """Add a rival, in this place, to the list of a cluster."""
    rivals[at].node, rivals[at].following = rival, clusters[cluster].first
    clusters[cluster].first = at
    clusters[cluster].length += 1


@inlined
def _surely_merge(parent: Any, clusters: Any, rivals: Any, keys: Any, one: Any, other: Any) -> Any:
    """Whether two, not both open, of which it isn't known, are merged whatever lies outside."""
    if clusters[one].opened == clusters[other].opened:
        return True
    closed, opened = (other, one) if clusters[one].opened else (one, other)
    at = clusters[closed].first
    while at >= 0:
        rival = root_of(parent, rivals[at].node)
        if clusters[rival].opened and keys[slot(keys, key_of(opened, rival))] == NO_KEY:
            return False
        at = rivals[at].following
    return True


@inlined
def _join(
    parent: Any, clusters: Any, rivals: Any, keys: Any, held: Any, into: Any, other: Any
) -> Any:
    """Merge the second of two into the first, with its rivals that are not yet the first's."""
    parent[other] = into
    clusters[into].opened |= clusters[other].opened
    at = clusters[other].first
    while at >= 0:
        following = rivals[at].following
        rival = root_of(parent, rivals[at].node)
        key = key_of(into, rival)
        place = slot(keys, key)
        if keys[place] == NO_KEY:
            keys[place] = key
            held += 1
            if 4 * held > 3 * keys.size:
                keys = doubled(keys)
            _add_rival(clusters, rivals, into, rival, at)
        at = following
    return keys, held


@compiled
def _contract(
    parent: Any,
    clusters: Any,
    rivals: Any,
    keys: Any,
    held: Any,
    used: Any,
    ones: Any,
    others: Any,
    attracts: Any,
    nodes: Any,
) -> Any:
    for edge in range(ones.size):
        one, other = root_of(parent, ones[edge]), root_of(parent, others[edge])
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
            keys, held = _join(parent, clusters, rivals, keys, held, one, other)
        else:
            clusters[one].opened = clusters[other].opened = True
    return keys, held, used


@compiled
def _flatten(parent: Any) -> None:
    for node in range(parent.size):
        parent[node] = root_of(parent, node)
