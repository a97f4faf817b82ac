"""What a mapped function returned: one array, of the shape and dtype that it has to have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..storage.casting import held_by, unmasked
from .frame import Frame

__all__ = ["check_shape", "cut_to", "held", "one_array"]


def one_array(result: Any, name: str) -> NDArray[Any]:
    """The one array that a function returned."""
    if hasattr(result, "__array__"):
        return unmasked(result, f"What {name} returned")
    what = type(result).__name__
    if isinstance(result, tuple | list):
        what += f" of {len(result)}: {', '.join(map(_kind, result[:4]))}"
    raise TypeError(
        f"{name} returned a {what}, but one array is needed: let it return the one that is wanted, "
        "or np.stack([...]) of several as channels, with channels= their number."
    )


def check_shape(name: str, values: NDArray[Any], array: NDArray[Any], frame: Frame) -> None:
    """Refuse another shape in space than that of what was given, halo included."""
    channels = () if frame.channels is None else (frame.channels,)
    needed = (*channels, *array.shape[array.ndim - len(frame.space) :])
    if values.shape != needed:
        raise ValueError(
            f"{name} was given an array of shape {array.shape} and returned "
            f"{values.shape}, but {needed} is needed: it must keep the shape in "
            "space, halo included, and the number of channels that it was declared with."
        )


def held(values: NDArray[Any], dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """Values in the type that a trial has found, which says little of what others return."""
    _check_real(values, dtype, name)
    exact = held_by(dtype, values)
    if exact is None:
        raise ValueError(
            f"{name} returned {values.dtype} values of a block, which {dtype}, as it returned of a "
            f"trial array of ones, can't hold: give map_overlap(..., dtype={str(values.dtype)!r})."
        )
    return exact


def cut_to(values: NDArray[Any], dtype: np.dtype[Any], name: str) -> NDArray[Any]:
    """Values in a type; fractions are cut off, but nothing wraps round, nor is halved."""
    _check_real(values, dtype, name)
    if dtype.kind in "iu" and values.size and not np.can_cast(values.dtype, dtype):
        limits, least, greatest = np.iinfo(dtype), values.min(), values.max()
        if not (limits.min <= least and greatest <= limits.max):
            raise ValueError(
                f"{name} returned values from {least} to {greatest}, which {dtype} can't hold: "
                "give a wider dtype=, or clip them in the function."
            )
    return values.astype(dtype, copy=False)


def _check_real(values: NDArray[Any], dtype: np.dtype[Any], name: str) -> None:
    if values.dtype.kind == "c" != dtype.kind:
        raise ValueError(
            f"{name} returned complex values, which {dtype} can't hold: return np.abs of them, or "
            "give a complex dtype=."
        )


def _kind(value: Any) -> str:
    return f"{type(value).__name__} {np.shape(value)}" if hasattr(value, "shape") else repr(value)
