"""The region graph of fragments: who meets whom, how strongly, and which of them are one object.

Affinities are summed as integers, so that the sums are the same however the volume is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from bioimage_cpp.graph import UndirectedGraph, agglomeration, multicut, mutex_watershed
from numpy.typing import NDArray

__all__ = ["Method", "RegionGraph", "count_contacts", "partition", "sum_contacts"]

Method = Literal["mean", "mutex", "multicut"]
Offsets = Sequence[Sequence[int]]

# What an affinity of 1 is; 2 ** 31 voxels of one contact stay within 64 bits.
_ONE = 1 << 32
_ROWS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class RegionGraph:
    """Fragments that meet, each pair once, in sorted order.

    Parameters
    ----------
    pairs
        Shape ``(k, 2)``, uint64, the smaller first.
    near, far
        Shape ``(k, 2)``, int64: the sum of affinities over the threshold, in steps of 2 ** -32, and
        the number of voxel pairs, of offsets to direct neighbours and of longer ones.
    """

    pairs: NDArray[np.uint64]
    near: NDArray[np.int64]
    far: NDArray[np.int64]

    @property
    def touching(self) -> NDArray[np.bool_]:
        """Which pairs are direct neighbours."""
        return self.near[:, 1] > 0


def count_contacts(
    labels: NDArray[np.uint64],
    affinities: NDArray[np.generic],
    offsets: Offsets,
    thresholds: Sequence[float],
    core: tuple[slice, ...],
) -> NDArray[np.uint64]:
    """Add up the affinities between all pairs of labels, for the voxels of a core.

    Each pair of voxels is counted where its affinity stands, so blocks whose cores tile a volume
    count every one once.

    Parameters
    ----------
    labels : ndarray of uint64
        0 is background. Reaches around the core as far as the offsets, or to the volume's border.
    affinities : ndarray, shape (c, ...)
        Of the core's voxels; float in [0, 1], or uint8, which stands for it. NaN counts as 0.
    offsets : sequence of c offsets, one step an axis in voxels
    thresholds : sequence of c numbers
        Subtracted from the affinities.
    core : tuple of slice

    Returns
    -------
    ndarray of uint64, shape (k, 6)
        Rows of both labels, and sum and number of near and of far affinities, in two's complement.

    Examples
    --------
    >>> labels = np.array([[1, 1, 2, 2]], np.uint64)
    >>> affinities = np.array([[[0, 1, 0.75, 1]], [[0, 0, 0.25, 0]]])
    >>> whole = (slice(0, 1), slice(0, 4))
    >>> rows = count_contacts(labels, affinities, [(0, -1), (0, -2)], [0.5, 0.5], whole)
    >>> (rows.astype(np.int64) / [1, 1, 2**32, 1, 2**32, 1]).tolist()
    [[1.0, 2.0, 0.25, 1.0, -0.75, 2.0]]
    """
    rows = [
        _contacts(labels, channel, offset, threshold, core)
        for channel, offset, threshold in zip(affinities, offsets, thresholds, strict=True)
    ]
    return _combined(np.concatenate(rows))


def sum_contacts(rows: Iterable[NDArray[np.uint64]]) -> RegionGraph:
    """Add up what `count_contacts` found in all blocks.

    Parameters
    ----------
    rows : iterable of ndarray of uint64, shape (k, 6)
        Added up as they come, so that they need not be in memory together.
    """
    total = np.empty((0, 6), np.uint64)
    for batch in _batches(rows):
        total = _combined(np.concatenate([total, batch]))
    sums = total[:, 2:].view(np.int64)
    return RegionGraph(total[:, :2], sums[:, :2], sums[:, 2:])


def partition(nodes: int, graph: RegionGraph, method: Method) -> NDArray[np.uint64]:
    """Which fragments are one object.

    Parameters
    ----------
    nodes : int
        Fragments are 0..nodes-1.
    graph : RegionGraph
    method : "mean", "mutex" or "multicut"
        ``"mean"``: the pair of neighbours with the highest mean affinity is merged, again and
        again, while that is above the threshold. ``"mutex"``: pairs are taken from the strongest
        mean to the weakest; above the threshold they attract, below they exclude each other.
        ``"multicut"``: the partition with the largest sum of affinities over the threshold within
        objects, approximately.

    Returns
    -------
    ndarray of uint64, shape (nodes,)

    References
    ----------
    Bailoni et al., "GASP, a generalized framework for agglomerative clustering of signed graphs",
    2022; Wolf et al., "The Mutex Watershed and its Objective", 2019; Keuper et al., "Efficient
    decomposition of image and mesh graphs by lifted multicuts", 2015. Computed by bioimage-cpp.

    Examples
    --------
    >>> pairs = np.array([[0, 1], [1, 2]], np.uint64)
    >>> graph = RegionGraph(pairs, np.array([[5, 1], [-5, 1]]), np.zeros((2, 2), np.int64))
    >>> partition(3, graph, "mean")
    array([0, 0, 1], dtype=uint64)
    """
    labels: NDArray[np.uint64] = _SOLVERS[method](nodes, graph)
    return labels


def _contacts(
    labels: NDArray[np.uint64],
    affinity: NDArray[np.generic],
    offset: Sequence[int],
    threshold: float,
    core: tuple[slice, ...],
) -> NDArray[np.uint64]:
    """Rows of one offset; a pair of labels may have several."""
    axes = list(zip(core, offset, labels.shape, strict=True))
    here = tuple(slice(max(c.start, -o), min(c.stop, n - o)) for c, o, n in axes)
    there = tuple(slice(h.start + o, h.stop + o) for h, o in zip(here, offset, strict=True))
    own = tuple(slice(h.start - c.start, h.stop - c.start) for h, c in zip(here, core, strict=True))
    if any(h.stop <= h.start for h in here):
        return np.empty((0, 6), np.uint64)
    one, other = labels[here], labels[there]
    meet = (one != other) & (one > 0) & (other > 0)
    one, other, values = one[meet], other[meet], _steps(affinity[own][meet], threshold)
    rows = np.zeros((one.size, 6), np.uint64)
    rows[:, 0], rows[:, 1] = np.minimum(one, other), np.maximum(one, other)
    first = 2 if max(map(abs, offset)) == 1 else 4
    rows[:, first], rows[:, first + 1] = values.view(np.uint64), 1
    return rows


def _steps(affinity: NDArray[np.generic], threshold: float) -> NDArray[np.int64]:
    """Affinities over the threshold, in steps of 2 ** -32."""
    scale = _ONE / 255 if affinity.dtype == np.uint8 else _ONE
    values = np.rint(np.nan_to_num(affinity.astype(np.float64)) * scale).astype(np.int64)
    return values - round(threshold * _ONE)


def _combined(rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One row a pair of labels, sorted."""
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    new = np.any(rows[1:, :2] != rows[:-1, :2], axis=1)
    starts = np.flatnonzero(np.concatenate([[len(rows) > 0], new]))
    if not starts.size:
        return rows
    # Two's complement adds up without knowing of signs.
    return np.concatenate([rows[starts, :2], np.add.reduceat(rows[:, 2:], starts)], axis=1)


def _batches(rows: Iterable[NDArray[np.uint64]]) -> Iterator[NDArray[np.uint64]]:
    """Gather rows until there are as many as came before, so that each is sorted few times."""
    batch: list[NDArray[np.uint64]] = []
    held, wanted = 0, _ROWS_AT_ONCE
    for row in rows:
        batch.append(row)
        held += len(row)
        if held >= wanted:
            yield np.concatenate(batch)
            batch, held, wanted = [], 0, 2 * wanted
    if batch:
        yield np.concatenate(batch)


def _mean(nodes: int, graph: RegionGraph) -> NDArray[np.uint64]:
    touching = graph.touching
    total = (graph.near + graph.far)[touching]
    solver = agglomeration.GaspClusterPolicy(linkage="mean")
    sizes = total[:, 1].astype(np.float64)
    pairs = _graph(nodes, graph.pairs[touching])
    return np.asarray(solver.optimize(pairs, _mean_of(total), edge_sizes=sizes))


def _mutex(nodes: int, graph: RegionGraph) -> NDArray[np.uint64]:
    near, far = _mean_of(graph.near), _mean_of(graph.far)
    attract, exclude, beyond = near > 0, near < 0, far < 0
    return np.asarray(
        mutex_watershed.mutex_watershed_clustering(
            _graph(nodes, graph.pairs[attract]),
            near[attract],
            np.concatenate([graph.pairs[exclude], graph.pairs[beyond]]),
            np.concatenate([-near[exclude], -far[beyond]]),
        )
    )


def _multicut(nodes: int, graph: RegionGraph) -> NDArray[np.uint64]:
    total = (graph.near + graph.far)[:, 0] / _ONE
    # What isn't adjacent may hold apart, but not together.
    counted = graph.touching | (total < 0)
    objective = multicut.MulticutObjective(
        _graph(nodes, graph.pairs[counted]), total[counted].astype(np.float64)
    )
    solver = multicut.ChainedMulticutSolvers(
        [multicut.GreedyAdditiveMulticut(), multicut.KernighanLinMulticut()]
    )
    return np.asarray(solver.optimize(objective))


def _graph(nodes: int, pairs: NDArray[np.uint64]) -> UndirectedGraph:
    return UndirectedGraph.from_unique_edges(nodes, np.ascontiguousarray(pairs))


def _mean_of(sums: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(sums[:, 0] / np.maximum(sums[:, 1], 1) / _ONE, np.float64)


_SOLVERS = {"mean": _mean, "mutex": _mutex, "multicut": _multicut}
