"""The rule by which fragments of a mutex watershed become the objects of the whole volume."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, common, grown, within
from ..labels.ids import BACKGROUND, by_first_appearance
from ..segmentation.contraction import contracted, strongest
from ..segmentation.mutex import MutexEdges
from .grid import LabelGrid
from .rule import BlockLabels, Values, labels_around, positions

__all__ = ["MutexRule"]

_MOST_FRAGMENTS = (1 << 32) - 2
# Of a sum of affinities over the bias, which is then the same in any order.
_STEPS = 1 << 24
_SIGN, _HIGH, _ATTRACTS = np.uint32(1 << 31), np.uint64(32), np.uint64(1)


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
        """Rows of two fragments and of what orders their strongest edge, flattened.

        A row of twice the same fragment has the sum of its affinities over the bias instead.
        """
        if values is None:
            raise TypeError("A mutex watershed needs affinities.")
        core, rule = grid.core(one), self._along(grid)
        box = common(grown(core, rule.reach), tuple(slice(0, n) for n in grid.shape))
        numbers, keys = labels_around(grid, box, labels)
        weights = rule.weights(values(core))
        rows = _strongest_between(rule, weights, numbers, core, box, grid.shape)
        if self.drop_weak:
            rows = np.concatenate([rows, _sums(numbers[within(core, box)], weights)])
        rows[:, :2] = keys[rows[:, :2]]
        return rows.ravel()

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
        pairs, orders = [np.empty((0, 2), np.uint32)], [np.empty((0, 2), np.uint64)]
        for row in rows:
            table = row.reshape(-1, 4)
            pair = positions(table[:, :2], starts)
            alone = pair[:, 0] == pair[:, 1]
            over_bias[pair[alone, 0]] = table[alone, 2].view(np.int64)
            pairs.append(pair[~alone].astype(np.uint32))
            orders.append(table[~alone, 2:])
        pair, order = np.concatenate(pairs), np.concatenate(orders)
        at = np.lexsort(order.T[::-1])
        attracts = (order[at, 1] & _ATTRACTS).astype(bool)
        objects = by_first_appearance(contracted(fragments, pair[at, 0], pair[at, 1], attracts))
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
    """Rows of two numbers and of the order of their strongest edge that begins in the core."""
    first = tuple(s.start for s in box)
    parts = [(*np.empty((2, 0), np.uint32), np.empty(0, np.float32), *np.empty((2, 0), np.uint64))]
    every = rule.edges(weights, within(core, box), numbers.shape, first)
    for rank, edges in enumerate(every):
        one, other = numbers[edges.here], numbers[edges.there]
        met = np.nonzero((one != other) & (one > 0) & (other > 0) & edges.taken)
        at = [n + s.start + low for n, s, low in zip(met, edges.here, first, strict=True)]
        place = np.ravel_multi_index(at, volume).astype(np.uint64) << _ATTRACTS
        ranks = np.full(place.size, rank, np.uint64)
        parts.append(
            (one[met], other[met], edges.strength[met], ranks, place | edges.attracts[met])
        )
    ones, others, strengths, ranks, places = map(np.concatenate, zip(*parts))
    best = strongest(ones, others, strengths)
    order = _descending(strengths[best]).astype(np.uint64) << _HIGH | ranks[best]
    return np.stack([ones[best].astype(np.uint64), others[best], order, places[best]], 1)


def _descending(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Numbers that sort as floats do, from the largest to the smallest.

    Examples
    --------
    >>> np.argsort(_descending(np.array([-0.5, 0.25, 1.0, -1.0], np.float32)))
    array([2, 1, 0, 3])
    """
    # From 0, so that there is no -0.
    bits = (np.float32(0) - values).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _sums(numbers: NDArray[np.uint32], weights: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Rows of twice a number and the sum of its weights over all offsets, in two's complement."""
    steps = sum(np.rint(weight.astype(np.float64) * _STEPS) for weight in weights)
    sums = np.bincount(numbers.ravel(), np.ravel(steps)).astype(np.int64)
    there = np.bincount(numbers.ravel()) > 0
    there[:1] = False
    own = np.flatnonzero(there)
    return np.stack([own, own, sums[own], np.zeros_like(own)], 1).view(np.uint64)
