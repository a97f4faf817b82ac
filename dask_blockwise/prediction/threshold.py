"""Threshold: a mask of the voxels above a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..pipelines.stages import stage
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
    """The same of values that must be 0 and 1, between which the threshold lies.

    Raises
    ------
    ValueError
        If there is another value, of which it isn't known what it stands for.

    Examples
    --------
    >>> above_in_mask(np.array([0, 1], np.uint8), 0.5)
    array([0, 1], dtype=uint8)
    """
    if array.max(initial=0) > 1:
        raise ValueError(
            f"threshold={threshold} lies between 0 and 1, and among these values of {array.dtype} "
            f"is {array.max()}, of which it isn't known what it stands for. If they are "
            "probabilities from 0 to 255, say so, open_volume(path, stands_for=(0, 1)), or give "
            f"threshold={threshold * 255:g}; for all that isn't 0 give threshold=0."
        )
    return above(array, threshold)


@stage("mask")
def threshold(volume: Volume, threshold: float) -> Volume:
    """A mask of the voxels above a value, lazily.

    Parameters
    ----------
    volume : Volume
    threshold : float
        In the units of the values. Where uint8 stands for a range, as a prediction stores it, a
        number within that range is one of it: 0.5 of [0, 1] is 127.5. Other uint8 must be a mask
        of 0 and 1 for a threshold between these.

    Returns
    -------
    Volume of uint8

    Raises
    ------
    ValueError
        If it is NaN; if it is a fraction between 0 and 1 and the values are wider integers; and,
        when they are computed, if such values of uint8 are neither a mask nor known to stand for a
        range.
    TypeError
        If the values are complex, or the threshold is no number.

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
    if np.ndim(threshold) or np.asarray(threshold).dtype.kind not in "biuf":
        raise TypeError(f"threshold must be one number, such as 0.5, got {threshold!r}.")
    if np.isnan(threshold):
        raise ValueError("threshold is NaN, and nothing is above that: give a number.")
    # 140 and 140.0 are the same computation.
    threshold = int(threshold) if float(threshold).is_integer() else float(threshold)
    if span is not None and span[0] < threshold < span[1]:
        level = 255 * (threshold - span[0]) / (span[1] - span[0])
        return _mask(above, volume, level)
    if dtype.kind not in "iu" or not 0 < threshold < 1:
        return _mask(above, volume, threshold)
    if dtype != np.uint8:
        raise ValueError(
            f"threshold={threshold} lies between 0 and 1, but the volume's values are {dtype}: for "
            f"all that isn't 0 give threshold=0; for a part of the range give the value itself, "
            f"such as {threshold * np.iinfo(dtype).max:.0f}."
        )
    return _mask(above_in_mask, volume, threshold)


def _mask(function: Callable[..., Any], volume: Volume, level: float) -> Volume:
    made = map_overlap(function, volume, dtype=np.uint8, threshold=level)
    return replace(made, frame=replace(made.frame, names=True))
