"""Threshold: a mask of the voxels above a value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..volumes.frame import check_real
from ..volumes.map_overlap import map_overlap
from ..volumes.volume import Volume

__all__ = ["above", "threshold"]


def above(array: NDArray[Any], threshold: float) -> NDArray[np.uint8]:
    """1 where the value is above the threshold, 0 elsewhere (and where it is NaN).

    Parameters
    ----------
    array : ndarray
    threshold : float
        In the units of the values: 0 to 255 for uint8.

    Returns
    -------
    ndarray of uint8, of the same shape

    Examples
    --------
    >>> above(np.array([0.2, 0.5, 0.7, np.nan]), 0.5)
    array([0, 0, 1, 0], dtype=uint8)
    """
    return np.asarray(array > threshold).view(np.uint8)


def threshold(volume: Volume, threshold: float) -> Volume:
    """A mask of the voxels above a value, lazily.

    Parameters
    ----------
    volume : Volume
    threshold : float
        In the units of the values. On uint8, which stands for [0, 1] as a prediction stores it, a
        fraction between 0 and 1 is one of 255: 0.5 is 127.5.

    Returns
    -------
    Volume of uint8

    Raises
    ------
    ValueError
        If it is a fraction between 0 and 1 and the values are wider integers.
    TypeError
        If the values are complex.

    Examples
    --------
    >>> threshold(Volume.from_array(np.array([[0.2, 0.7]])), 0.5)[:]
    array([[0, 1]], dtype=uint8)
    >>> threshold(Volume.from_array(np.array([[51, 178]], np.uint8)), 0.5)[:]
    array([[0, 1]], dtype=uint8)
    """
    check_real(volume.frame, "threshold")
    level = _in_units(threshold, volume.dtype)
    return map_overlap(above, volume, dtype=np.uint8, threshold=level)


def _in_units(threshold: float, dtype: np.dtype[Any]) -> float:
    if dtype.kind not in "iu" or not 0 < threshold < 1:
        return threshold
    if dtype == np.uint8:
        return threshold * 255
    raise ValueError(
        f"threshold={threshold} lies between 0 and 1, but the volume's values are {dtype}: for all "
        f"that isn't 0 give threshold=0; for a part of the range give the value itself, such as "
        f"{threshold * np.iinfo(dtype).max:.0f}."
    )
