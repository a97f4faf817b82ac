"""Which fragments of a region graph are one object, solved in parts that stay small.

A solver takes some 100 bytes for each pair of fragments, and more than twice that for a multicut.
So it is given the strongest pairs first,
with all others between the fragments that these hang together; what it finds takes the place of
the fragments, and the next strongest pairs follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from bioimage_cpp.graph import UndirectedGraph, multicut, mutex_watershed
from numpy.typing import NDArray

from ..labels.ids import by_first_appearance, merge
from .contacts import STEPS, RegionGraph, means
from .pairs import distinct, ends, firsts, pack

__all__ = ["Method", "partition"]

Method = Literal["mean", "mutex", "multicut"]
_Take = Callable[[], RegionGraph]

_PAIRS_AT_ONCE = 1 << 24
_PIECE = 1 << 20


def partition(nodes: int, graph: RegionGraph, method: Method) -> NDArray[np.int64]:
    """Which fragments are one object.

    Parameters
    ----------
    nodes : int
        Fragments are 0..nodes-1, at most 2 ** 32.
    graph : RegionGraph
    method : "mean", "mutex" or "multicut"
        ``"mean"``: the pair of neighbours with the highest mean affinity is merged, again and
        again, while that is above the threshold. ``"mutex"``: pairs are taken from the strongest
        mean to the weakest; above the threshold they attract, below they exclude each other.
        ``"multicut"``: the partition with the largest sum of affinities over the threshold within
        objects, approximately.

    Returns
    -------
    ndarray of int64, shape (nodes,)
        Objects, numbered in order of first appearance.

    Notes
    -----
    ``"mean"`` and ``"mutex"`` are solved by some 2 ** 24 pairs at once, and are the same as if by
    all: a mean over several pairs is never above the highest of them, so what is merged above any
    affinity hangs together by pairs above it; and what excludes each other once does so for good.
    ``"multicut"`` is solved for one or several at once of the parts of the graph that attracting
    pairs hold together, of which the largest must fit in memory with some 300 bytes a pair.

    References
    ----------
    Bailoni et al., "GASP, a generalized framework for agglomerative clustering of signed graphs",
    2022; Wolf et al., "The Mutex Watershed and its Objective", 2019; Keuper et al., "Efficient
    decomposition of image and mesh graphs by lifted multicuts", 2015; in parts as by Bruynooghe,
    "Classification ascendante hiérarchique", 1977 (what he calls reducible), and Alush and
    Goldberger, "Ensemble segmentation using efficient integer linear programming", 2012. ``"mean"``
    is computed by `mean_linkage`, the others by bioimage-cpp.

    Examples
    --------
    >>> one, each = np.array([0, 1], np.uint64), np.ones(2, np.uint32)
    >>> none = np.zeros(2, np.int64)
    >>> graph = RegionGraph(pack(one, one + 1), np.array([5, -5]), each, none, 0 * each)
    >>> partition(3, graph, "mean")
    array([0, 0, 1])
    """
    given = [graph]
    # Where nobody else holds it, its memory is free as soon as a solver has taken what it needs.
    del graph
    return by_first_appearance(_SOLVERS[method](nodes, given.pop))


@dataclass(frozen=True)
class _Part:
    """Clusters of fragments, each named by its first, and which of them hang together."""

    clusters: NDArray[np.uint32]
    component: NDArray[np.int64]

    @classmethod
    def along(cls, pairs: NDArray[np.uint64]) -> _Part:
        """What pairs hold together."""
        part = cls(distinct(np.concatenate(ends(pairs))), np.empty(0, np.int64))
        return replace(part, component=merge(part.clusters.size, [part.positions(pairs)]))

    def only(self, chosen: NDArray[np.bool_]) -> _Part:
        """Some of the components."""
        kept = chosen[self.component]
        return _Part(self.clusters[kept], self.component[kept])

    def holds(self, nodes: int, pairs: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Which pairs lie within one component."""
        component = np.zeros(nodes, np.uint32)
        component[self.clusters] = self.component + 1
        inside = np.empty(pairs.size, bool)
        for piece in _pieces(pairs.size):
            one, other = (component[end] for end in ends(pairs[piece]))
            inside[piece] = (one == other) & (one > 0)
        return np.flatnonzero(inside)

    def positions(self, pairs: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Where the ends of pairs stand among the clusters, shape (k, 2)."""
        found = np.stack([np.searchsorted(self.clusters, end) for end in ends(pairs)], 1)
        return found.astype(np.uint64)

    def graph(self, pairs: NDArray[np.uint64]) -> UndirectedGraph:
        """The clusters, and pairs of them."""
        return UndirectedGraph.from_unique_edges(self.clusters.size, self.positions(pairs))

    def rename(self, names: NDArray[np.uint32], labels: NDArray[np.integer]) -> None:
        """Give clusters of one label the name of the first of them."""
        _, first, label = np.unique(labels, return_index=True, return_inverse=True)
        names[self.clusters] = self.clusters[first][label]


def _mean(nodes: int, take: _Take) -> NDArray[np.uint32]:
    graph = take()
    cluster, touching = _alone(nodes), graph.near_count > 0
    pairs, total = graph.pairs[touching], graph.near[touching]
    total += graph.far[touching]
    count = graph.near_count[touching].astype(np.int64)
    count += graph.far_count[touching]
    del graph, touching
    while (found := _merged(nodes, pairs, total, count)) is not None:
        part, labels = found
        part.rename(names := _alone(nodes), labels)
        cluster = names[cluster]
        pairs, total, count = _contracted(names, pairs, total, count)
    return cluster


def _merged(
    nodes: int, pairs: NDArray[np.uint64], total: NDArray[np.int64], count: NDArray[np.int64]
) -> tuple[_Part, NDArray[np.integer]] | None:
    """What the strongest pairs span, and what becomes one there; nothing if no pair attracts."""
    mean = means(total, count)
    most = pairs.size if pairs.size <= _PAIRS_AT_ONCE else _tried()
    while (strong := _strongest(mean, most)).size:
        part = _Part.along(pairs[strong])
        inside = part.holds(nodes, pairs)
        if inside.size <= _PAIRS_AT_ONCE or most == 1:
            break
        most //= 2
    else:
        return None
    # What is weaker than all of these may have to wait for pairs outside of the part.
    least = np.nextafter(mean[strong].min(), 0) if strong.size == most else 0
    # Here, as numba takes long to import.
    from .mean_linkage import mean_linkage

    ends, sums, counts = part.positions(pairs[inside]), total[inside], count[inside]
    return part, mean_linkage(part.clusters.size, ends, sums, counts, least * STEPS)


def _mutex(nodes: int, take: _Take) -> NDArray[np.uint32]:
    cluster, apart = _alone(nodes), np.empty(0, np.uint64)
    for pairs, weight in _by_strength(take()):
        pairs, first = np.unique(_renamed(cluster, pairs), return_index=True)
        weight = weight[first]
        attract = (weight > 0) & _differ(pairs)
        part = _Part.along(pairs[attract])
        against = np.concatenate([apart, pairs[weight < 0]])
        # What was apart before comes before all others.
        strength = np.concatenate([np.full(apart.size, 1 + abs(weight).max()), -weight[weight < 0]])
        inside = part.holds(nodes, against)
        labels = mutex_watershed.mutex_watershed_clustering(
            *(part.graph(pairs[attract]), weight[attract]),
            *(part.positions(against[inside]), strength[inside]),
        )
        part.rename(names := _alone(nodes), labels)
        cluster = names[cluster]
        apart = distinct(_renamed(names, against))
        apart = apart[_differ(apart)]
    return cluster


def _multicut(nodes: int, take: _Take) -> NDArray[np.uint32]:
    graph = take()
    cluster, touching = _alone(nodes), graph.near_count > 0
    total = graph.near + graph.far
    whole = _Part.along(graph.pairs[touching & (total > 0)])
    # What isn't adjacent may hold apart, but not together.
    counted = whole.holds(nodes, graph.pairs)
    counted = counted[touching[counted] | (total[counted] < 0)]
    pairs, cost = graph.pairs[counted], means(total[counted], np.ones(1))
    component = whole.component[whole.positions(pairs)[:, 0]]
    # Small components go together.
    batch = (np.cumsum(np.bincount(component)) - 1) // _PAIRS_AT_ONCE
    for number in distinct(batch):
        part, inside = whole.only(batch == number), (batch == number)[component]
        objective = multicut.MulticutObjective(part.graph(pairs[inside]), cost[inside])
        solver = multicut.ChainedMulticutSolvers(
            [multicut.GreedyAdditiveMulticut(), multicut.KernighanLinMulticut()]
        )
        part.rename(cluster, solver.optimize(objective))
    return cluster


_SOLVERS = {"mean": _mean, "mutex": _mutex, "multicut": _multicut}


def _alone(nodes: int) -> NDArray[np.uint32]:
    """Every fragment as a cluster of its own."""
    return np.arange(nodes, dtype=np.uint32)


def _tried() -> int:
    """How many of the strongest pairs are tried: with them come others of what they span."""
    return max(1, _PAIRS_AT_ONCE // 4)


def _strongest(mean: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Which pairs attract, of more than so many the strongest; of equal ones the first."""
    attract = np.flatnonzero(mean > 0)
    if attract.size <= most:
        return attract
    least = np.partition(mean[attract], -most)[-most]
    above, equal = np.flatnonzero(mean > least), np.flatnonzero(mean == least)
    return np.concatenate([above, equal[: most - above.size]])


def _by_strength(
    graph: RegionGraph,
) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.float64]]]:
    """Pairs with the affinities over the threshold that attract or exclude, the strongest first."""
    far = np.minimum(means(graph.far, graph.far_count), 0)
    weight = np.concatenate([means(graph.near, graph.near_count), far])
    counted = np.flatnonzero(weight)
    order = counted[np.argsort(-abs(weight[counted]), kind="stable")]
    for begin in range(0, order.size, _tried()):
        at = order[begin : begin + _tried()]
        yield graph.pairs[at % far.size], weight[at]


def _renamed(names: NDArray[np.uint32], pairs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Pairs of the clusters that the ends of pairs are now in."""
    renamed = np.empty_like(pairs)
    for piece in _pieces(pairs.size):
        one, other = (names[end] for end in ends(pairs[piece]))
        renamed[piece] = pack(np.minimum(one, other), np.maximum(one, other))
    return renamed


def _pieces(size: int) -> Iterator[slice]:
    """Small parts of an array, so that what is computed on the way takes little memory."""
    return (slice(begin, begin + _PIECE) for begin in range(0, size, _PIECE))


def _differ(pairs: NDArray[np.uint64]) -> NDArray[np.bool_]:
    one, other = ends(pairs)
    return np.not_equal(one, other)


def _contracted(
    names: NDArray[np.uint32],
    pairs: NDArray[np.uint64],
    total: NDArray[np.int64],
    count: NDArray[np.int64],
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Pairs by new names, each once, with what they sum up to."""
    pairs = _renamed(names, pairs)
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    first = firsts(pairs)
    pairs = pairs[first]
    between = _differ(pairs)
    total, count = (_summed(values, order, first) for values in (total, count))
    return pairs[between], total[between], count[between]


def _summed(
    values: NDArray[np.int64], order: NDArray[np.intp], first: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Sums of values in an order, from each first one to before the next."""
    sums, done = np.empty(np.count_nonzero(first), np.int64), 0
    for piece in _pieces(order.size):
        starts = np.flatnonzero(first[piece])
        here = values[order[piece]]
        # What comes before the first of these adds to the sum of the piece before.
        lead = int(starts[0]) if starts.size else here.size
        if lead:
            sums[done - 1] += here[:lead].sum()
        if starts.size:
            sums[done : done + starts.size] = np.add.reduceat(here, starts)
            done += starts.size
    return sums
