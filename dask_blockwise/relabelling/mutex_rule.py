"""The rule by which fragments of a mutex watershed become the objects of the whole volume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, bounded_growth, within
from ..labels.ids import BACKGROUND, by_first_appearance
from ..segmentation.mutex import MutexEdges
from .grid import LabelGrid
from .pairs import distinct, ends, firsts, pack
from .rule import LABEL_BITS, BlockLabels, Values, labels_around, positions

__all__ = ["MutexRule"]

_MOST_FRAGMENTS = (1 << 32) - 2
_BITS = 64
# 62 to 70 were measured, of affinities of a network, sharp and blurred.
_BYTES_A_VOXEL = 72
_ATTRACTS = np.uint64(1)


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
        box = [
            min(size, block + 2 * n)
            for size, block, n in zip(grid.shape, grid.block_shape, self.reach(grid), strict=True)
        ]
        # As `_Found.row` has them: a box meets no more blocks than it has voxels.
        return 3 + 2 * prod(box) + (4 * len(self.between.offsets) + 2) * prod(grid.block_shape)

    def memory(self, grid: LabelGrid) -> int:
        """See `Weighed.memory`: as measured where all voxels are foreground, and a little more."""
        return _BYTES_A_VOXEL * prod(grid.shape)

    def edges(
        self, grid: LabelGrid, one: int, labels: BlockLabels, values: Values | None
    ) -> NDArray[np.uint64]:
        """The strongest edge of each pair of fragments, in their order; see `_Found.row`."""
        if values is None:
            raise TypeError("A mutex watershed needs affinities.")
        core, rule = grid.core(one), self._along(grid)
        box = bounded_growth(core, rule.reach, grid.shape)
        numbers, keys = labels_around(grid, box, labels)
        weights, begin = rule.weights(values(core)), tuple(s.start for s in box)
        every = rule.edges(weights, within(core, box), numbers.shape, begin)
        # Here, as numba takes long to import.
        from ..segmentation.edge_order import in_order

        # Background is of no node.
        found = in_order(every, numbers.view(np.int32) - np.int32(1)).firsts()
        own = numbers[within(core, box)] if self.drop_weak else np.zeros(0, np.uint32)
        return _Found(
            keys[1:],
            pack(*found.ends()),
            _places(box, grid.shape)[found.voxels] << _ATTRACTS | found.attracts,
            *_runs(found.order),
            *_sums(own, weights),
        ).row()

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
        from ..segmentation.contraction import contracted

        over_bias = np.zeros(fragments, np.int64)
        pairs, places, runs = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)], []
        for row in rows:
            found = _Found.of(row)
            table = positions(found.keys, starts).astype(np.uint32)
            over_bias[table[found.own]] = found.sums
            pairs.append(pack(*(table[end] for end in ends(found.pairs))))
            places.append(found.places)
            runs.append((found.order, found.counts))
        second = np.concatenate(places)
        places.clear()
        at = _in_order(runs, second)
        attracts = (second[at] & _ATTRACTS).astype(bool)
        del second
        one, other = ends(np.concatenate(pairs)[at])
        pairs.clear()
        objects = by_first_appearance(contracted(fragments, one, other, attracts))
        strong = np.bincount(objects, weights=over_bias, minlength=1) >= 0
        return np.where(strong[objects], objects, BACKGROUND)

    def _along(self, grid: LabelGrid) -> MutexEdges:
        """The edges along all axes of the grid, of which the first may be time."""
        timed = len(grid.shape) > len(self.between.offsets[0])
        return self.between.at_each_time() if timed else self.between


class _Found(NamedTuple):
    """What a block finds, in its row; the fragments that it sees have numbers from 0 on."""

    # ``block << 32 | piece`` of each number.
    keys: NDArray[np.uint64]
    # Numbers of two fragments with an edge between them, of which the strongest come first.
    pairs: NDArray[np.uint64]
    # Where it begins in the volume, and in the last bit whether it attracts.
    places: NDArray[np.uint64]
    # Its strength and the rank of its offset, once for all that have the same; how many these are.
    order: NDArray[np.uint64]
    counts: NDArray[np.intp]
    # Numbers of the block's own fragments, and the sums of their affinities over the bias.
    own: NDArray[np.intp]
    sums: NDArray[np.int64]

    def row(self) -> NDArray[np.uint64]:
        """All in one, of which `of` makes the same again."""
        blocks, counts = _runs(self.keys >> LABEL_BITS)
        head = np.array([blocks.size, self.pairs.size, self.order.size])
        parts = head, blocks, counts, *self[1:]
        return np.concatenate([part.view(np.uint64) for part in parts])

    @classmethod
    def of(cls, row: NDArray[np.uint64]) -> Self:
        """What such a row says."""
        blocks, edges, runs = row[:3].tolist()
        own = (row.size - 3 - 2 * (blocks + edges + runs)) // 2
        sizes = [3, blocks, blocks, edges, edges, runs, runs, own]
        _, numbers, seen, pairs, places, *rest = np.split(row, np.cumsum(sizes))
        keys = [
            np.arange(1, count + 1, dtype=np.uint64) | number << LABEL_BITS
            for number, count in zip(numbers, seen.tolist())
        ]
        order, counts, fragments, sums = rest
        return cls(
            np.concatenate([np.empty(0, np.uint64), *keys]),
            *(pairs, places, order, counts.view(np.intp)),
            *(fragments.view(np.intp), sums.view(np.int64)),
        )


def _places(box: Box, volume: Index) -> NDArray[np.uint64]:
    """Where the voxels of a box are in the volume, in raster order."""
    places = np.zeros(1, np.uint64)
    for side, size in zip(box, volume, strict=True):
        along = np.arange(side.start, side.stop, dtype=np.uint64)
        places = np.add.outer(places * np.uint64(size), along).ravel()
    return places


def _runs(values: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Each of sorted values once, and how often it comes."""
    begins = np.flatnonzero(firsts(values))
    return values[begins], np.diff(begins, append=values.size)


def _in_order(
    runs: Sequence[tuple[NDArray[np.uint64], NDArray[np.intp]]], second: NDArray[np.uint64]
) -> NDArray[np.intp]:
    """How to sort by two numbers, the first of which is given as what `_runs` makes of parts.

    Examples
    --------
    >>> some = _runs(np.array([7, 7, 1 << 63], np.uint64)), _runs(np.array([7], np.uint64))
    >>> _in_order(some, np.array([2, 4, 0, 3], np.uint64))
    array([0, 3, 1, 2])
    """
    levels = distinct(np.concatenate([np.empty(0, np.uint64), *(values for values, _ in runs)]))
    level = np.empty(second.size, np.uint64)
    begin = 0
    for values, counts in runs:
        end = begin + int(counts.sum())
        level[begin:end] = np.repeat(np.searchsorted(levels, values), counts)
        begin = end
    bits = int(second.max(initial=0)).bit_length()
    if bits + levels.size.bit_length() > _BITS:
        return np.lexsort([second, level])
    level <<= np.uint64(bits)
    level |= second
    return np.argsort(level)


def _sums(
    numbers: NDArray[np.uint32], weights: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Fragments, from 0, and the sums of their weights over all offsets."""
    if not numbers.size:
        return np.empty(0, np.intp), np.empty(0, np.int64)
    sums = np.bincount(numbers.ravel(), MutexEdges.over_bias(weights).ravel())
    own = np.flatnonzero(np.bincount(numbers.ravel())[1:])
    return own, sums[1:][own].astype(np.int64)
