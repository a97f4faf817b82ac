"""Blocks that label what they see: where each one's voxels lie in the volume and in its labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from ..geometry.boxes import Box, Direction, Index

__all__ = ["LabelGrid"]


_MOST_BLOCKS, _MOST_LABELS = 1 << 31, 1 << 32


@dataclass(frozen=True)
class LabelGrid:
    """Blocks of a volume and what they see beyond themselves, in voxels.

    Parameters
    ----------
    shape
        Of the volume, without channels.
    block_shape
        Of a block's core; the last blocks are cut at the volume's border.
    halo
        Voxels seen before and after the core, along each axis.
    stitched
        Along which axes labels of neighbours belong together; not along time.

    Examples
    --------
    >>> grid = LabelGrid((10, 6), (4, 6), ((1, 1), (1, 1)), (True, True))
    >>> grid.blocks
    3
    >>> grid.core(2)
    (slice(8, 10, None), slice(0, 6, None))
    >>> grid.frame(2)
    (slice(7, 13, None), slice(-1, 7, None))
    >>> grid.seen(2)
    (slice(7, 10, None), slice(0, 6, None))
    """

    shape: Index
    block_shape: Index
    halo: tuple[tuple[int, int], ...]
    stitched: tuple[bool, ...]

    def __post_init__(self) -> None:
        if self.blocks > _MOST_BLOCKS:
            raise ValueError(
                f"Labels are told apart over at most 2^31 blocks, got {self.blocks} blocks of "
                f"{self.block_shape} voxels: choose larger blocks."
            )
        if (seen := prod(self.frame_shape)) >= _MOST_LABELS:
            raise ValueError(
                f"A block of {self.block_shape} voxels with its halo sees {seen} voxels, and its "
                "labels are counted up to 2^32: choose smaller blocks."
            )

    @property
    def counts(self) -> Index:
        """Blocks along each axis."""
        return tuple(-(-n // b) for n, b in zip(self.shape, self.block_shape, strict=True))

    @property
    def blocks(self) -> int:
        """Blocks in all."""
        return prod(self.counts)

    @property
    def frame_shape(self) -> Index:
        """Voxels that a block of full size sees, along each axis."""
        sizes = zip(self.block_shape, self.halo, strict=True)
        return tuple(size + before + after for size, (before, after) in sizes)

    def core(self, number: int) -> Box:
        """The block's own voxels."""
        axes = zip(self._index(number), self.block_shape, self.shape, strict=True)
        return tuple(slice(i * b, min(n, (i + 1) * b)) for i, b, n in axes)

    def frame(self, number: int) -> Box:
        """All voxels that the block would see if the volume had no border."""
        begin = (
            core.start - before
            for core, (before, _) in zip(self.core(number), self.halo, strict=True)
        )
        return tuple(slice(b, b + size) for b, size in zip(begin, self.frame_shape, strict=True))

    def seen(self, number: int) -> Box:
        """The voxels of the volume that the block sees."""
        axes = zip(self.core(number), self.halo, self.shape, strict=True)
        return tuple(
            slice(max(0, core.start - before), min(n, core.stop + after))
            for core, (before, after), n in axes
        )

    def later(self, number: int, connectivity: int) -> Iterator[tuple[Direction, int]]:
        """Neighbours that come later in raster order, each with the direction to it."""
        index = self._index(number)
        for direction in later_neighbours(self.stitched, connectivity):
            there = [i + step for i, step in zip(index, direction, strict=True)]
            if all(0 <= i < n for i, n in zip(there, self.counts, strict=True)):
                yield direction, int(np.ravel_multi_index(there, self.counts))

    def meeting(self, box: Box) -> Iterator[int]:
        """Numbers of the blocks whose core meets a box of the volume."""
        axes = zip(box, self.block_shape, self.counts, strict=True)
        spans = [range(max(0, b.start // n), min(c, -(-b.stop // n))) for b, n, c in axes]
        for index in product(*spans):
            yield int(np.ravel_multi_index(index, self.counts))

    def _index(self, number: int) -> list[int]:
        return [int(i) for i in np.unravel_index(number, self.counts)]


def later_neighbours(axes: tuple[bool, ...], connectivity: int) -> list[Direction]:
    """Directions to those neighbours of a block that come later in raster order.

    Parameters
    ----------
    axes : tuple of bool
        Which axes of the grid are stitched (a time axis isn't).
    connectivity : int
        1: neighbours across faces; 2: across edges too; 3: across corners too.

    Examples
    --------
    >>> later_neighbours((True, True), 2)
    [(0, 1), (1, -1), (1, 0), (1, 1)]
    >>> len(later_neighbours((True, True, True), 3)), len(later_neighbours((False, True, True), 2))
    (13, 4)
    """
    steps = product(*[(-1, 0, 1) if stitched else (0,) for stitched in axes])
    zero = (0,) * len(axes)
    return [d for d in steps if d > zero and np.count_nonzero(d) <= connectivity]
