"""The order of blocks that conflict, as each reads what the other writes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..geometry.blocks import BlockGrid
from ..geometry.boxes import Index

__all__ = ["Conflicts", "Integers", "along", "conflict_levels"]

Integers = npt.NDArray[np.integer[Any]]


def conflict_levels(grid: BlockGrid) -> Integers:
    """Level of every block: conflicting blocks differ in level and run in its order.

    Two blocks conflict when the read ROI of one meets the write ROI of the other.

    Returns
    -------
    ndarray of the grid's shape
        At most 2 ** d levels where the context is at most a block.

    Examples
    --------
    >>> from dask_blockwise.geometry.blocks import Roi
    >>> conflict_levels(BlockGrid(Roi((0,), (42,)), Roi((0,), (14,)), Roi((2,), (10,)), "shrink"))
    array([0, 1, 0, 1], dtype=uint8)
    """
    return Conflicts.of(grid).levels


@dataclass(frozen=True)
class Conflicts:
    """Which blocks of a grid conflict, and in which order they run.

    Parameters
    ----------
    shape
        Blocks along each axis.
    before, after
        How many blocks a block reads before and after itself, along each axis.
    """

    shape: Index
    before: Index
    after: Index

    @classmethod
    def of(cls, grid: BlockGrid) -> Conflicts:
        """Those of a grid."""
        before, after = (
            tuple(-(-around // step) for around, step in zip(side, grid.write_roi.shape))
            for side in grid.context
        )
        return cls(grid.shape, before, after)

    @property
    def reach(self) -> Index:
        """Along each axis, how many blocks away a block may still conflict."""
        return tuple(map(max, self.before, self.after))

    @cached_property
    def levels(self) -> Integers:
        """Of each block its position modulo the period: digits of a mixed-radix number."""
        level = np.zeros(self.shape, np.min_scalar_type(max(1, prod(self._periods))))
        for axis, (size, period) in enumerate(zip(self.shape, self._periods)):
            level *= level.dtype.type(period)
            level += along((np.arange(size) % period).astype(level.dtype), axis, len(self.shape))
        return level

    @cached_property
    def near(self) -> npt.NDArray[np.bool_] | None:
        """Which blocks within reach of a block conflict with it; None where all do.

        Where more is read on one side, a block off to both sides is neither read nor reads.
        """
        if self.before == self.after:
            return None
        axes = [range(-reach, reach + 1) for reach in self.reach]
        near = np.zeros([len(axis) for axis in axes], bool)
        for first, last in self._boxes:
            near[tuple(slice(r - f, r + e + 1) for f, e, r in zip(first, last, self.reach))] = True
        return near

    @property
    def most(self) -> int:
        """How many blocks a block conflicts with at most."""
        axes = zip(self.shape, self.before, self.after, strict=True)
        box = prod(min(b, n) + min(a, n) + 1 for n, b, a in axes)
        return box if self.before == self.after else 2 * box

    def earlier(self) -> Integers:
        """For every block, how many blocks that conflict with it are of a lower level."""
        if self.before == self.after:
            return self._count_lower(self.before, self.after)
        both = tuple(map(min, self.before, self.after))
        counts = [self._count_lower(*box) for box in self._boxes]
        return counts[0] + counts[1] - self._count_lower(both, both)

    @property
    def _boxes(self) -> tuple[tuple[Index, Index], tuple[Index, Index]]:
        """Around a block: the blocks that it reads, and those that read it."""
        return (self.before, self.after), (self.after, self.before)

    @property
    def _periods(self) -> Index:
        """Along each axis, how many blocks on the digits of the level repeat."""
        return tuple(min(r + 1, n) for r, n in zip(self.reach, self.shape))

    def _count_lower(self, before: Index, after: Index) -> Integers:
        """For every block, how many so many blocks before and after are of a lower level.

        Levels compare digit by digit, so the blocks that are lower by axis ``a`` have equal digits
        before it (only the block's own position has), a lower one there, and any after it.
        """
        number = np.min_scalar_type(self.most)
        earlier = np.zeros(self.shape, number)
        rest = np.ones((1,) * len(self.shape), number)
        for axis in reversed(range(len(self.shape))):
            size, period = self.shape[axis], self._periods[axis]
            lower, near = _neighbours(size, before[axis], after[axis], period)
            earlier += along(lower.astype(number), axis, len(self.shape)) * rest
            rest = along(near.astype(number), axis, len(self.shape)) * rest
        return earlier


def _neighbours(size: int, before: int, after: int, period: int) -> tuple[Integers, Integers]:
    """Along one axis: positions so near that have a lower digit, and all of them."""
    position = np.arange(size)
    lower, near = np.zeros((2, size), np.int64)
    for step in range(-min(before, size), min(after, size) + 1):
        inside = (position + step >= 0) & (position + step < size)
        near += inside
        lower += inside & ((position + step) % period < position % period)
    return lower, near


def along(values: Integers, axis: int, dims: int) -> Integers:
    """Values of one axis, in a shape that spreads over the others."""
    return values.reshape([-1 if a == axis else 1 for a in range(dims)])
