"""Threshold: a mask of the voxels above a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pipelines.stages import stage
from ..volumes.few_values import few_values, seen_values
from ..volumes.frame import check_real
from ..volumes.map_overlap import map_overlap
from ..volumes.volume import Volume

__all__ = ["above", "above_in_mask", "threshold"]


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


def above_in_mask(array: NDArray[Any], threshold: float) -> NDArray[np.uint8]:
    """The same of values that must be 0 and 1, between which the threshold lies; or 0 and 255.

    Raises
    ------
    ValueError
        If there is another value, of which it isn't known what it stands for.

    Examples
    --------
    >>> above_in_mask(np.array([0, 1], np.uint8), 0.5)
    array([0, 1], dtype=uint8)
    """
    if array.max(initial=0) > 1 and not ((array == 0) | (array == 255)).all():
        raise ValueError(
            f"value={threshold} lies between 0 and 1, and among these values of {array.dtype} "
            f"is {array.max()}, of which it isn't known what it stands for. If they are "
            "probabilities from 0 to 255, say so, open_volume(path, stands_for=(0, 1)), or give "
            f"value={threshold * 255:g}; for all that isn't 0 give value=0."
        )
    return above(array, threshold)


@stage("mask", renamed={"threshold": "value"})
def threshold(volume: Volume, value: float) -> Volume:
    """A mask of the voxels above a value, lazily.

    Parameters
    ----------
    volume : Volume
    value : float
        What is above it is 1. In the units of the values; where uint8 stands for a range, as a
        prediction stores it, a number within that range is one of it: 0.5 of [0, 1] is 127.5.
        Other uint8 must be a mask of 0 and 1, or of 0 and 255, for a value between 0 and 1.

    Returns
    -------
    Volume of uint8

    Raises
    ------
    ValueError
        If it is NaN; if it is a fraction between 0 and 1 and the values are wider integers, or of
        uint8 and neither a mask nor known to stand for a range: of what is computed, when it is.
    TypeError
        If the values are complex, or what they are compared with is no number.

    Examples
    --------
    >>> threshold(Volume.from_array(np.array([[0.2, 0.7]])), 0.5)[:]
    array([[0, 1]], dtype=uint8)
    >>> probability = Volume.from_array(np.array([[51, 178]], np.uint8), stands_for=(0, 1))
    >>> threshold(probability, 0.5)[:]
    array([[0, 1]], dtype=uint8)
    >>> threshold(Volume.from_array(np.array([[0, 1]], np.uint8)), 0.5)[:]
    array([[0, 1]], dtype=uint8)
    """
    check_real(volume.frame, "threshold")
    span, dtype = volume.frame.stands_for, volume.dtype
    if np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":
        raise TypeError(f"threshold takes one number as value, such as 0.5, got {value!r}.")
    if np.isnan(value):
        raise ValueError("threshold got NaN as value, and nothing is above that: give a number.")
    # 140 and 140.0 are the same computation.
    value = int(value) if float(value).is_integer() else float(value)
    if span is not None and span[0] < value < span[1]:
        level = 255 * (value - span[0]) / (span[1] - span[0])
        return _mask(above, volume, level)
    if dtype.kind not in "iu" or not 0 < value < 1:
        return _mask(above, volume, value)
    if dtype != np.uint8:
        raise ValueError(
            f"value={value} lies between 0 and 1, but the volume's values are {dtype}: for all "
            f"that isn't 0 give value=0; for a part of the range give the value itself, such as "
            f"{value * np.iinfo(dtype).max:.0f}."
        )
    for seen in (seen_values(volume), few_values(volume)):
        if seen is not None:
            above_in_mask(np.asarray(seen, dtype), value)
    return _mask(above_in_mask, volume, value)


def _mask(function: Callable[..., Any], volume: Volume, level: float) -> Volume:
    made = map_overlap(function, volume, dtype=np.uint8, threshold=level)
    return replace(made, frame=replace(made.frame, names=True))
