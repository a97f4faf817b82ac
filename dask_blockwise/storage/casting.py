"""Values in the dtype of the array that holds them, which must hold them all."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_dtype", "held_by", "unmasked"]


def as_dtype(values: NDArray[Any], dtype: np.dtype[Any], path: str) -> NDArray[Any]:
    """The values in another dtype, if it can hold them; floats in others as precisely as it can.

    Raises
    ------
    ValueError
        If it can't.

    Examples
    --------
    >>> as_dtype(np.array([7, 255]), np.dtype("uint8"), "a.zarr")
    array([  7, 255], dtype=uint8)
    """
    cast = held_by(dtype, values)
    if cast is None:
        raise ValueError(
            f"{path} holds {dtype}, which can't hold all of these {values.dtype} values, "
            f"{_said(values)}: store it with a wider dtype, or round and clip them first."
        )
    return cast


def held_by(dtype: np.dtype[Any], values: NDArray[Any]) -> NDArray[Any] | None:
    """The values in another dtype, as `as_dtype` gives them; None if it can't hold them all.

    Examples
    --------
    >>> held_by(np.dtype("uint8"), np.array([0.5])) is None
    True
    """
    with np.errstate(invalid="ignore", over="ignore"):
        cast = values.astype(dtype, copy=False)
    whole_in_floats = values.dtype.kind in "iu" and dtype.kind == "f"
    if np.can_cast(values.dtype, dtype) and not whole_in_floats:
        return cast
    if whole_in_floats:
        fits = _are_whole(cast, values)
    elif dtype.kind in "biu":
        fits = np.array_equal(cast, values)
    else:
        fits = not np.isinf(cast[np.isfinite(values)]).any()
    return cast if fits else None


def unmasked(values: Any, what: str) -> NDArray[Any]:
    """Values as a plain array, in the processor's order of bytes.

    Raises
    ------
    ValueError
        If some are masked, so that what lies there isn't what is meant.

    Examples
    --------
    >>> unmasked(np.ma.masked_less([1, 5], 3), "An array")
    Traceback (most recent call last):
    ValueError: An array has masked values: say what they are, array.filled(0).
    """
    if np.ma.is_masked(values):
        raise ValueError(f"{what} has masked values: say what they are, array.filled(0).")
    plain = np.asarray(values)
    return plain.astype(plain.dtype.newbyteorder("="), copy=False)


def _are_whole(floats: NDArray[Any], values: NDArray[Any]) -> bool:
    """Whether floats are just these integers, which may be ids."""
    end = 2.0 ** (8 * values.dtype.itemsize - (values.dtype.kind == "i"))
    within = bool((floats.astype(np.float64) < end).all())
    return within and np.array_equal(floats.astype(values.dtype), values)


def _said(values: NDArray[Any]) -> str:
    """From where to where they go, for people."""
    numbers = values[~np.isnan(values)]
    ends = (f"from {numbers.min()} to {numbers.max()}",) if numbers.size else ()
    return " and ".join((*ends, *("NaN",) * (numbers.size < values.size)))
