"""A mask whose touching objects a distance-seeded watershed splits, told from a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..volumes.few_values import few_values
from ..volumes.map_overlap import map_overlap
from ..volumes.volume import Volume

__all__ = ["as_map", "mask_in"]


def mask_in(volume: Volume) -> Volume | None:
    """The map of a mask, of truth values, 0 and 1 or 0 and 255; None where it holds other values.

    Raises
    ------
    ValueError
        If it holds classes, of which it isn't said which are to be split.
    """
    values = few_values(volume)
    whole = volume.dtype.kind in "bui"
    if values is None and volume.frame.names and volume.dtype == np.uint8:
        values = 0.0, 1.0
    if values is None or not (whole or values == (0, 1)):
        return None
    if len(values) == 2 and values[0] == 0:
        return map_overlap(as_map, volume, dtype=np.float32, inside=values[1])
    if set(np.diff(values)) == {1} and values[0] <= 1:
        raise ValueError(
            f"{volume!r} holds {values[0]:g} to {values[-1]:g}, as classes do, and "
            "seeds='distance' splits a mask: say which are to be split, volume == 1, or "
            "threshold(volume, 0) for all. If these are probabilities in 0..255, say so, "
            "open_volume(path, stands_for=(0, 1))."
        )
    return None


def as_map(array: NDArray[np.generic], inside: float) -> NDArray[np.float32]:
    """1 within a mask, 0 outside.

    Raises
    ------
    ValueError
        If there is another value than 0 and that of the inside.

    Examples
    --------
    >>> as_map(np.array([0, 255], np.uint8), 255)
    array([0., 1.], dtype=float32)
    """
    within = array == inside
    if not (within | (array == 0)).all():
        raise ValueError(
            f"seeds='distance' splits a mask of 0 and {inside:g}, and here are also "
            f"{array[~within & (array != 0)].flat[0]:g}: say what is to be split, such as "
            "volume != 0. If these are probabilities in 0..255, say so, open_volume(path, "
            "stands_for=(0, 1))."
        )
    found: NDArray[np.float32] = within.astype(np.float32)
    return found
