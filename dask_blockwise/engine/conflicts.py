"""The order of blocks that conflict, as each reads what the other writes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..geometry.blocks import BlockGrid
from ..geometry.boxes import Index

Integers = npt.NDArray[np.integer[Any]]

__all__ = [
    "Integers",
    "along",
    "conflict_levels",
    "count_earlier",
    "levels_of",
    "reach_of",
]


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
    return levels_of(grid.shape, reach_of(grid))


def reach_of(grid: BlockGrid) -> Index:
    """Along each axis, how many blocks away a block may still conflict."""
    steps = grid.write_roi.shape
    return tuple(
        max(-(-before // step), -(-after // step))
        for before, after, step in zip(*grid.context, steps)
    )


def _periods(shape: Index, reach: Index) -> Index:
    """Along each axis, how many blocks on the digits of the level repeat."""
    return tuple(min(r + 1, n) for r, n in zip(reach, shape))


def levels_of(shape: Index, reach: Index) -> Integers:
    """Number every block by its position modulo the period: digits of a mixed-radix number."""
    periods = _periods(shape, reach)
    level = np.zeros(shape, np.min_scalar_type(max(1, prod(periods))))
    for axis, (size, period) in enumerate(zip(shape, periods)):
        level *= level.dtype.type(period)
        level += along((np.arange(size) % period).astype(level.dtype), axis, len(shape))
    return level


def count_earlier(shape: Index, reach: Index) -> Integers:
    """For every block, how many blocks within reach are of a lower level.

    Levels compare digit by digit, so the blocks that are lower by axis ``a`` have equal digits
    before it (only the block's own position has), a lower one there, and any after it.
    """
    earlier = np.zeros(shape, np.int64)
    rest = np.ones((1,) * len(shape), np.int64)
    for axis in reversed(range(len(shape))):
        period = _periods(shape, reach)[axis]
        lower, near = _neighbours(shape[axis], reach[axis], period)
        earlier += along(lower, axis, len(shape)) * rest
        rest = along(near, axis, len(shape)) * rest
    return earlier


def _neighbours(size: int, reach: int, period: int) -> tuple[Integers, Integers]:
    """Along one axis: positions within reach that have a lower digit, and all of them."""
    position = np.arange(size)
    lower, near = np.zeros((2, size), np.int64)
    for step in range(-min(reach, size), min(reach, size) + 1):
        inside = (position + step >= 0) & (position + step < size)
        near += inside
        lower += inside & ((position + step) % period < position % period)
    return lower, near


def along(values: Integers, axis: int, dims: int) -> Integers:
    """Values of one axis, in a shape that spreads over the others."""
    return values.reshape([-1 if a == axis else 1 for a in range(dims)])
