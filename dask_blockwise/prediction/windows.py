"""Windows of a volume that say most about its values, at the price of reading a few small ones."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from ..volumes.frame import Frame
from ..volumes.source import Voxels

__all__ = ["most_varied"]

# Voxels along an axis that are read at each of a few places.
_SAMPLE = 32


def most_varied(volume: Voxels) -> tuple[Index, NDArray[Any]]:
    """The middle of the most varied of a few places, and what is there.

    Parameters
    ----------
    volume : Volume

    Returns
    -------
    place : tuple of int
        In voxels along the axes of space.
    values : ndarray, shape (c, ...)
        At the first time point.

    Examples
    --------
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.eye(100, dtype=np.uint8), chunks=(50, 50))
    >>> place, values = most_varied(volume)
    >>> place, values.shape
    ((50, 50), (1, 32, 32))
    """
    frame = volume.frame
    found = [(place, _around(volume, place)) for place in _places(frame)]
    return max(found, key=lambda one: float(np.nan_to_num(np.std(one[1], dtype=np.float64))))


def _places(frame: Frame) -> list[Index]:
    """The middle, and halfway from it to four corners."""
    corners = list(product((1, 3), repeat=len(frame.space)))
    parts = [(2,) * len(frame.space), *corners[:: max(1, len(corners) // 4)]]
    return [tuple(n * part // 4 for n, part in zip(frame.space, one)) for one in parts]


def _around(volume: Voxels, place: Index) -> NDArray[Any]:
    space = volume.frame.space
    begin = tuple(max(0, min(at - _SAMPLE // 2, n - _SAMPLE)) for at, n in zip(place, space))
    end = tuple(min(b + _SAMPLE, n) for b, n in zip(begin, space))
    if "t" not in volume.frame.axes:
        values = volume.source.read(begin, end)
    else:
        values = volume.source.read((0, *begin), (1, *end))[0]
    return np.asarray(values if "c" in volume.frame.axes else values[None])
