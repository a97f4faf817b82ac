"""Compressed Morton codes, by which sharded precomputed data number their chunks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .boxes import Index

__all__ = ["axes_of_bits", "bits_along", "codes_of", "places_of"]


def axes_of_bits(grid: Sequence[int]) -> Index:
    """From which axis each bit of a code comes, the lowest first.

    Parameters
    ----------
    grid : sequence of int
        Chunks along x, y and z.

    References
    ----------
    Neuroglancer's precomputed volume format, "compressed Morton code".

    Examples
    --------
    >>> axes_of_bits((5, 2, 1))
    (0, 1, 0, 0)
    """
    most = max(n - 1 for n in grid).bit_length()
    return tuple(axis for bit in range(most) for axis, n in enumerate(grid) if 2**bit < n)


def bits_along(grid: Sequence[int], lowest: int) -> Index:
    """How many of the lowest bits of a code come from each axis.

    Examples
    --------
    >>> bits_along((5, 2, 1), 3)
    (2, 1, 0)
    """
    axes = axes_of_bits(grid)[:lowest]
    return tuple(axes.count(axis) for axis in range(len(grid)))


def codes_of(places: NDArray[np.int64], grid: Sequence[int]) -> NDArray[np.uint64]:
    """Codes of chunks.

    Parameters
    ----------
    places : ndarray of int, of shape (n, 3)
        Their numbers along x, y and z.
    grid : sequence of int

    Examples
    --------
    >>> codes_of(np.array([[4, 1, 0]]), (5, 2, 1)).tolist()
    [10]
    """
    codes = np.zeros(len(places), np.uint64)
    for bit, (axis, of_axis) in enumerate(_bits(grid)):
        codes |= ((places[:, axis].astype(np.uint64) >> of_axis) & np.uint64(1)) << np.uint64(bit)
    return codes


def places_of(codes: NDArray[np.uint64], grid: Sequence[int]) -> NDArray[np.int64]:
    """The numbers along x, y and z of the chunks with these codes.

    Examples
    --------
    >>> places_of(np.array([10], np.uint64), (5, 2, 1)).tolist()
    [[4, 1, 0]]
    """
    places = np.zeros((len(codes), len(grid)), np.uint64)
    for bit, (axis, of_axis) in enumerate(_bits(grid)):
        places[:, axis] |= ((codes >> np.uint64(bit)) & np.uint64(1)) << of_axis
    return places.astype(np.int64)


def _bits(grid: Sequence[int]) -> list[tuple[int, np.uint64]]:
    """The axis that each bit of a code comes from, and which of that axis's bits it is."""
    axes = axes_of_bits(grid)
    return [(axis, np.uint64(axes[:n].count(axis))) for n, axis in enumerate(axes)]
