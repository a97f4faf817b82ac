"""Sums over boxes of a grid of 64-bit numbers, modulo 2**64, for many boxes at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["few_box_sums", "many_box_sums"]

Numbers = NDArray[np.uint64]
# For each axis, where every box begins, or ends.
Corners = Sequence[NDArray[np.integer[Any]]]


def many_box_sums(values: Numbers, begin: Corners, end: Corners) -> Numbers:
    """Sums over boxes, each in the same time however large, after one pass over the grid.

    Parameters
    ----------
    values : ndarray of uint64
    begin, end : sequence of ndarray of int
        An array for each axis, with a number for each box.

    Returns
    -------
    ndarray of uint64

    References
    ----------
    Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984.

    Examples
    --------
    >>> grid = np.arange(12, dtype=np.uint64).reshape(3, 4)
    >>> many_box_sums(grid, [np.array([0, 1])] * 2, [np.array([3, 2]), np.array([4, 3])])
    array([66, 11], dtype=uint64)
    """
    table = np.zeros([n + 1 for n in values.shape], np.uint64)
    table[(slice(1, None),) * values.ndim] = values
    for axis in range(values.ndim):
        np.cumsum(table, axis, out=table)
    sums = np.zeros(len(begin[0]), np.uint64)
    for corner in product((0, 1), repeat=values.ndim):
        at = tuple(e if far else b for far, b, e in zip(corner, begin, end, strict=True))
        if (values.ndim - sum(corner)) % 2:
            sums -= table[at]
        else:
            sums += table[at]
    return sums


def few_box_sums(values: Numbers, begin: Corners, end: Corners) -> Numbers:
    """The same for a few small boxes of a grid that changes: only what they hold is looked at.

    Examples
    --------
    >>> grid = np.arange(12, dtype=np.uint64).reshape(3, 4)
    >>> few_box_sums(grid, [np.array([0, 1])] * 2, [np.array([3, 2]), np.array([4, 3])])
    array([66, 11], dtype=uint64)
    """
    values, begin, end = _without_whole_axes(values, list(begin), list(end))
    widths = [int((e - b).max(initial=0)) for b, e in zip(begin, end, strict=True)]
    sums = np.zeros(len(begin[0]), np.uint64)
    for shift in product(*map(range, widths)):
        at = [b + s for b, s in zip(begin, shift, strict=True)]
        held = np.logical_and.reduce([a < e for a, e in zip(at, end, strict=True)])
        sums[held] += values[tuple(a[held] for a in at)]
    return sums


def _without_whole_axes(
    values: Numbers, begin: list[NDArray[Any]], end: list[NDArray[Any]]
) -> tuple[Numbers, list[NDArray[Any]], list[NDArray[Any]]]:
    """Axes along which all boxes hold everything are summed first."""
    for axis, size in enumerate(values.shape):
        if size > 1 and not begin[axis].any() and (end[axis] == size).all():
            values = values.sum(axis, keepdims=True, dtype=np.uint64)
            end[axis] = np.ones_like(end[axis])
    return values, begin, end
