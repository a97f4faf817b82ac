"""The array that each tool writes, and where it lies; this file needs numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["OFFSET", "SHAPE", "UNIT", "VOXEL_SIZE", "coarse", "labels", "padded", "values"]

SHAPE = (20, 24, 28)
VOXEL_SIZE = (40.0, 8.0, 4.5)
OFFSET = (80.0, -16.0, 9.0)
UNIT = "nanometer"


def values() -> NDArray[np.uint16]:
    """All different, along z, y and x."""
    return np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE)


def coarse() -> NDArray[np.uint16]:
    """Every other value along y and x."""
    return values()[:, ::2, ::2]


def labels() -> NDArray[np.uint64]:
    """Boxes with background between them, and one large id."""
    grid = np.indices(SHAPE) // 5
    ids = (grid[0] * 36 + grid[1] * 6 + grid[2] + 1).astype(np.uint64)
    ids[(np.indices(SHAPE) % 5 == 0).any(0)] = 0
    ids[ids == 50] = 2**40
    return ids


def padded() -> NDArray[np.uint64]:
    """Labels, with background after them up to a power of 2."""
    found = np.zeros((32, 32, 32), np.uint64)
    found[tuple(map(slice, SHAPE))] = labels()
    return found
