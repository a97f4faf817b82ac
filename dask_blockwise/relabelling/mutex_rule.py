"""The rule by which fragments of a mutex watershed become the objects of the whole volume."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..geometry.boxes import Box, Index, bounded_growth, within
from ..labels.ids import BACKGROUND, by_first_appearance
from ..segmentation.contraction import contracted, strongest
from ..segmentation.mutex import Edges, MutexEdges, descending
from .grid import LabelGrid
from .pairs import distinct
from .rule import BlockLabels, Values, labels_around, positions

__all__ = ["MutexRule"]

_MOST_FRAGMENTS = (1 << 32) - 2
_BITS = 64
_HIGH, _ATTRACTS = np.uint64(32), np.uint64(1)


@dataclass(frozen=True)
class MutexRule:
    """The mutex watershed of the whole volume, of what blocks could not decide by themselves.

    Of each pair of fragments the strongest edge alone counts: once it has joined them or kept them
    apart, all others come too late. So the objects are those of the volume in one piece.

    Parameters
    ----------
    between
        How affinities are edges.
    min_size
        Objects of fewer voxels become background.
    drop_weak
        Whether objects become background whose mean affinity over all offsets is under the bias.
    """

    between: MutexEdges
    min_size: int = 0
    drop_weak: bool = True

    def reach(self, grid: LabelGrid) -> Index:
        """See `Rule.reach`."""
        return self._along(grid).reach

    def most(self, grid: LabelGrid) -> int:
        """See `Rule.most`."""
        return 4 * (len(self.between.offsets) + 1) * prod(grid.block_shape)

    def edges(
        self, grid: LabelGrid, one: int, labels: BlockLabels, values: Values | None
    ) -> NDArray[np.uint64]:
        """Columns of two fragments and of what orders their strongest edge, one after the other.

        Twice the same fragment comes with the sum of its affinities over the bias instead.
        """
        if values is None:
            raise TypeError("A mutex watershed needs affinities.")
        core, rule = grid.core(one), self._along(grid)
        box = bounded_growth(core, rule.reach, grid.shape)
        numbers, keys = labels_around(grid, box, labels)
        weights = rule.weights(values(core))
        columns = _strongest_between(rule, weights, numbers, core, box, grid.shape)
        if self.drop_weak:
            columns = np.concatenate([columns, _sums(numbers[within(core, box)], weights)], 1)
        columns[:2] = keys[columns[:2]]
        # Column by column they take least on disk.
        return columns.ravel()

    def components(
        self, starts: NDArray[np.int64], rows: Iterable[NDArray[np.uint64]]
    ) -> NDArray[np.int64]:
        """See `Rule.components`."""
        fragments = int(starts[-1])
        if fragments > _MOST_FRAGMENTS:
            raise ValueError(
                f"At most 2^32 fragments are solved at once, got {fragments}: relabel with "
                'match="fraction", which takes any number.'
            )
        over_bias = np.zeros(fragments, np.int64)
        pairs, orders = [np.empty((2, 0), np.uint32)], [np.empty((2, 0), np.uint64)]
        for row in rows:
            columns = row.reshape(4, -1)
            pair = positions(columns[:2], starts)
            alone = pair[0] == pair[1]
            over_bias[pair[0, alone]] = columns[2, alone].view(np.int64)
            pairs.append(pair[:, ~alone].astype(np.uint32))
            orders.append(columns[2:, ~alone])
        order = np.concatenate(orders, 1)
        orders.clear()
        at = _in_order(*order)
        attracts = (order[1, at] & _ATTRACTS).astype(bool)
        del order
        one, other = np.concatenate(pairs, 1)[:, at]
        objects = by_first_appearance(contracted(fragments, one, other, attracts))
        strong = np.bincount(objects, weights=over_bias, minlength=1) >= 0
        return np.where(strong[objects], objects, BACKGROUND)

    def _along(self, grid: LabelGrid) -> MutexEdges:
        """The edges along all axes of the grid, of which the first may be time."""
        timed = len(grid.shape) > len(self.between.offsets[0])
        return self.between.at_each_time() if timed else self.between


def _strongest_between(
    rule: MutexEdges,
    weights: NDArray[np.float32],
    numbers: NDArray[np.uint32],
    core: Box,
    box: Box,
    volume: Index,
) -> NDArray[np.uint64]:
    """Columns of two numbers and of the order of their strongest edge that begins in the core."""
    first = tuple(s.start for s in box)
    every = list(rule.edges(weights, within(core, box), numbers.shape, first))
    met = [_where_they_meet(numbers, edges) for edges in every]
    ones, others = (
        _concatenated([numbers[ends][m] for ends, m in zip(sides, met)], np.uint32)
        for sides in ([e.here for e in every], [e.there for e in every])
    )
    strengths = _concatenated([e.strength[m] for e, m in zip(every, met)], np.float32)
    best = strongest(ones, others, strengths)
    starts = np.cumsum([0, *map(np.count_nonzero, met)])
    which = np.searchsorted(starts, best, "right") - 1
    places = np.empty(best.size, np.uint64)
    for number, (edges, meet) in enumerate(zip(every, met)):
        chosen = np.flatnonzero(which == number)
        local = np.flatnonzero(meet)[best[chosen] - starts[number]]
        begin = [s.start + low for s, low in zip(edges.here, first, strict=True)]
        at = [n + b for n, b in zip(np.unravel_index(local, meet.shape), begin, strict=True)]
        attracts = edges.attracts.ravel()[local].astype(np.uint64)
        places[chosen] = np.ravel_multi_index(at, volume).astype(np.uint64) << _ATTRACTS | attracts
    ranks = np.array([edges.rank for edges in every], np.uint64)[which]
    order = descending(strengths[best]).astype(np.uint64) << _HIGH | ranks
    return np.stack([ones[best].astype(np.uint64), others[best], order, places])


def _where_they_meet(numbers: NDArray[np.uint32], edges: Edges) -> NDArray[np.bool_]:
    one, other = numbers[edges.here], numbers[edges.there]
    meet: NDArray[np.bool_] = (one != other) & (one > 0) & (other > 0) & edges.taken
    return meet


def _concatenated(parts: list[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts])


def _in_order(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.intp]:
    """How to sort by two numbers; by one, which is faster, where they fit in it.

    Examples
    --------
    >>> _in_order(np.array([1 << 63, 7, 7], np.uint64), np.array([0, 1, 0], np.uint64))
    array([2, 1, 0])
    """
    levels = distinct(first.copy())
    bits = int(second.max(initial=0)).bit_length()
    if bits + len(levels).bit_length() > _BITS:
        return np.lexsort([second, first])
    level = np.searchsorted(levels, first).astype(np.uint64)
    return np.argsort(level << np.uint64(bits) | second)


def _sums(numbers: NDArray[np.uint32], weights: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Columns of twice a number and the sum of its weights over all offsets."""
    over_bias = MutexEdges.over_bias(weights)
    sums = np.bincount(numbers.ravel(), over_bias.ravel()).astype(np.int64)
    there = np.bincount(numbers.ravel()) > 0
    there[:1] = False
    own = np.flatnonzero(there)
    return np.stack([own, own, sums[own], np.zeros_like(own)]).view(np.uint64)
