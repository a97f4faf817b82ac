"""Threshold: a mask of the voxels above a value."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["above"]


def above(array: NDArray[Any], threshold: float) -> NDArray[np.uint8]:
    """1 where the value is above the threshold, 0 elsewhere (and where it is NaN).

    Parameters
    ----------
    array : ndarray
    threshold : float
        In the units of the values: 0 to 255 for a prediction stored as uint8.

    Returns
    -------
    ndarray of uint8, of the same shape

    Examples
    --------
    >>> above(np.array([0.2, 0.5, 0.7, np.nan]), 0.5)
    array([0, 0, 1, 0], dtype=uint8)
    """
    return np.asarray(array > threshold).view(np.uint8)
