"""A mask whose touching objects a distance-seeded watershed splits, told from a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..volumes.few_values import few_values
from ..volumes.map_overlap import map_overlap
from ..volumes.volume import Volume

__all__ = ["as_map", "mask_in"]


def mask_in(volume: Volume, fill: bool | None = None) -> Volume | None:
    """The map of a mask, of truth values, 0 and 1 or 0 and 255; None where it holds other values.

    Parameters
    ----------
    volume : Volume
    fill : bool, optional
        Whether all is filled. If that is said, a mask of floats is taken for the map that it is.

    Raises
    ------
    ValueError
        If it holds classes, of which it isn't said which are to be split; or bytes that are all the
        same wherever they were looked at, which may be a mask's or a map's.
    """
    values = _values_in(volume)
    if values is None or (
        volume.dtype.kind not in "bui" and (values != (0, 1) or fill is not None)
    ):
        return None
    if len(values) == 1:
        raise ValueError(
            f"{volume!r} is {values[0]:g} wherever it was looked at, and a mask and "
            "probabilities in 0..255 are split in other ways: of a mask say volume != 0, of "
            "probabilities open_volume(path, stands_for=(0, 1))."
        )
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


def _values_in(volume: Volume) -> tuple[float, ...] | None:
    """Few values of a mask or classes; one of bytes alone, unless these are known to be names."""
    values, is_bytes = few_values(volume), volume.dtype == np.uint8
    if volume.frame.names and is_bytes and (values is None or len(values) == 1):
        return 0.0, (values or (0.0,))[0] or 1.0
    if values == (1,) and is_bytes:
        return 0.0, 1.0
    return None if values is not None and len(values) == 1 and not is_bytes else values


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
        probabilities = (
            "If these are probabilities, say fill=True, as is usual for them, or fill=False."
            if array.dtype.kind == "f"
            else "If these are probabilities in 0..255, say so, open_volume(path, "
            "stands_for=(0, 1))."
        )
        raise ValueError(
            f"seeds='distance' splits a mask of 0 and {inside:g}, and here are also "
            f"{array[~within & (array != 0)].flat[0]:g}: say what is to be split, such as "
            f"volume != 0. {probabilities}"
        )
    found: NDArray[np.float32] = within.astype(np.float32)
    return found
