"""The region graph of fragments: who meets whom, and how strongly.

Affinities are summed as integers, so that the sums are the same however the volume is cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..segmentation.affinities import check_unit, clipped
from .pairs import distinct, ends, firsts, gathered, pack

__all__ = ["STEPS", "RegionGraph", "count_contacts", "means", "sum_contacts"]

Offsets = Sequence[Sequence[int]]

# What an affinity of 1 is; 2 ** 31 voxels of one contact stay within 64 bits.
STEPS = 1 << 32
_ROWS_AT_ONCE = 1 << 22
_SAMPLE = 1 << 10


@dataclass(frozen=True)
class RegionGraph:
    """Fragments that meet, each pair once, in sorted order.

    Parameters
    ----------
    pairs
        Shape ``(k,)``, uint64: both fragments, from `pairs.pack`.
    near, far
        Shape ``(k,)``, int64: the sum of affinities over the threshold, in steps of 2 ** -32, of
        offsets to direct neighbours and of longer ones.
    near_count, far_count
        Shape ``(k,)``, uint32: of so many pairs of voxels.
    """

    pairs: NDArray[np.uint64]
    near: NDArray[np.int64]
    near_count: NDArray[np.uint32]
    far: NDArray[np.int64]
    far_count: NDArray[np.uint32]

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """All of it."""
        return self.pairs, self.near, self.near_count, self.far, self.far_count

    def part(self, of: slice) -> RegionGraph:
        """Some of the pairs."""
        return RegionGraph(*(column[of] for column in self.columns))


_NO_SUMS, _NO_COUNTS = np.empty(0, np.int64), np.empty(0, np.uint32)
_NO_PAIRS = RegionGraph(np.empty(0, np.uint64), *(_NO_SUMS, _NO_COUNTS) * 2)


def count_contacts(
    labels: NDArray[np.uint64],
    affinities: NDArray[np.generic],
    offsets: Offsets,
    thresholds: Sequence[float],
    core: tuple[slice, ...],
    clip: bool = False,
) -> NDArray[np.uint64]:
    """Add up the affinities between all pairs of labels, for the voxels of a core.

    Each pair of voxels is counted where its affinity stands, so blocks whose cores tile a volume
    count every one once.

    Parameters
    ----------
    labels : ndarray of uint64
        0 is background. Reaches around the core as far as the offsets, or to the volume's border.
    affinities : ndarray, shape (c, ...)
        Of the core's voxels; float in [0, 1], or uint8, which stands for it.
    offsets : sequence of c offsets, one step an axis in voxels
    thresholds : sequence of c numbers
        Subtracted from the affinities.
    core : tuple of slice
    clip : bool
        Whether affinities beyond [0, 1] count as 0 or 1, and NaN as 0; else they are refused.

    Returns
    -------
    ndarray of uint64, shape (k, 6)
        Rows of both labels, and sum and number of near and of far affinities, in two's complement.

    Raises
    ------
    ValueError
        If affinities aren't in [0, 1].

    Examples
    --------
    >>> labels = np.array([[1, 1, 2, 2]], np.uint64)
    >>> affinities = np.array([[[0, 1, 0.75, 1]], [[0, 0, 0.25, 0]]])
    >>> whole = (slice(0, 1), slice(0, 4))
    >>> rows = count_contacts(labels, affinities, [(0, -1), (0, -2)], [0.5, 0.5], whole)
    >>> (rows.astype(np.int64) / [1, 1, 2**32, 1, 2**32, 1]).tolist()
    [[1.0, 2.0, 0.25, 1.0, -0.75, 2.0]]
    """
    if not clip:
        check_unit(affinities)
    rows = [
        _contacts(labels, channel, offset, threshold, core, clip)
        for channel, offset, threshold in zip(affinities, offsets, thresholds, strict=True)
    ]
    return _combined(np.concatenate(rows))


def sum_contacts(rows: Iterable[NDArray[np.uint64]]) -> RegionGraph:
    """Add up what `count_contacts` found in all blocks.

    Parameters
    ----------
    rows : iterable of ndarray of uint64, shape (k, 6)
        Of labels below 2 ** 32. Taken in as they come, and then added up by some fragments after
        the other, with some 70 bytes a pair.
    """
    batches = [_added_up(_graph(batch)) for batch in gathered(rows, _ROWS_AT_ONCE)]
    most, size = sum(batch.pairs.size for batch in batches), 0
    # Memory that isn't written to is not taken.
    whole = RegionGraph(*(np.empty(most, column.dtype) for column in _NO_PAIRS.columns))
    for parts in _by_first_label(batches):
        part = _added_up(_together(parts))
        there = slice(size, size := size + part.pairs.size)
        for column, values in zip(whole.columns, part.columns, strict=True):
            column[there] = values
    return whole.part(slice(size))


def means(sums: NDArray[np.int64], counts: NDArray[np.generic]) -> NDArray[np.float64]:
    """Affinities over the threshold, from sums in steps of 2 ** -32; 0 where nothing was summed.

    Examples
    --------
    >>> means(np.array([2**32, 0]), np.array([2, 0]))
    array([0.5, 0. ])
    """
    found: NDArray[np.float64] = np.divide(sums, np.maximum(counts, 1), dtype=np.float64)
    found /= STEPS
    return found


def _contacts(
    labels: NDArray[np.uint64],
    affinity: NDArray[np.generic],
    offset: Sequence[int],
    threshold: float,
    core: tuple[slice, ...],
    clip: bool,
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
    met = clipped(affinity[own][meet]) if clip else affinity[own][meet]
    one, other, values = one[meet], other[meet], _steps(met, threshold)
    rows = np.zeros((one.size, 6), np.uint64)
    rows[:, 0], rows[:, 1] = np.minimum(one, other), np.maximum(one, other)
    first = 2 if max(map(abs, offset)) == 1 else 4
    rows[:, first], rows[:, first + 1] = values.view(np.uint64), 1
    return rows


def _steps(affinity: NDArray[np.generic], threshold: float) -> NDArray[np.int64]:
    """Affinities over the threshold, in steps of 2 ** -32."""
    scale = STEPS / 255 if affinity.dtype == np.uint8 else STEPS
    values = np.rint(affinity.astype(np.float64) * scale).astype(np.int64)
    return values - round(threshold * STEPS)


def _combined(rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One row a pair of labels, sorted."""
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    new = np.any(rows[1:, :2] != rows[:-1, :2], axis=1)
    starts = np.flatnonzero(np.concatenate([[len(rows) > 0], new]))
    if not starts.size:
        return rows
    # Two's complement adds up without knowing of signs.
    return np.concatenate([rows[starts, :2], np.add.reduceat(rows[:, 2:], starts)], axis=1)


def _graph(rows: NDArray[np.uint64]) -> RegionGraph:
    """Rows as columns, in the same order."""
    columns = zip((2, 3, 4, 5), _NO_PAIRS.columns[1:], strict=True)
    # Sums are in two's complement.
    values = (rows[:, number].astype(column.dtype) for number, column in columns)
    return RegionGraph(pack(rows[:, 0], rows[:, 1]), *values)


def _together(parts: Sequence[RegionGraph]) -> RegionGraph:
    """All pairs of some graphs, of which several may have the same."""
    every: list[tuple[NDArray[Any], ...]] = [part.columns for part in (_NO_PAIRS, *parts)]
    return RegionGraph(*(np.concatenate(columns) for columns in zip(*every, strict=True)))


def _added_up(graph: RegionGraph) -> RegionGraph:
    """Each pair once, in order."""
    # It only merges what is in order already, as much of it is.
    order = np.argsort(graph.pairs, kind="stable")
    pairs, *others = (column[order] for column in graph.columns)
    starts = np.flatnonzero(firsts(pairs))
    if not starts.size:
        return graph
    summed = (np.add.reduceat(values, starts, dtype=values.dtype) for values in others)
    return RegionGraph(pairs[starts], *summed)


def _by_first_label(batches: Sequence[RegionGraph]) -> Iterator[list[RegionGraph]]:
    """All pairs of some first labels after the other, from batches that are sorted."""
    step = min(_SAMPLE, _ROWS_AT_ONCE)
    sample = [_NO_COUNTS, *(ends(batch.pairs[::step])[0] for batch in batches)]
    first = distinct(np.sort(np.concatenate(sample))[:: _ROWS_AT_ONCE // step])
    bounds = pack(first, np.zeros_like(first))
    cuts = [[0, *np.searchsorted(batch.pairs, bounds), batch.pairs.size] for batch in batches]
    for place in range(len(bounds) + 1):
        here = (slice(*cut[place : place + 2]) for cut in cuts)
        yield [batch.part(of) for batch, of in zip(batches, here, strict=True)]
