"""What affinities and probabilities may be: float in [0, 1], or uint8, which stands for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["as_unit", "check_between", "check_scale", "check_unit", "clipped"]

# By so much sums of floats leave [0, 1]; what is on another scale leaves it further.
_ROUNDING = 1e-3


def check_scale(dtype: DTypeLike, stands_for: tuple[float, float] | None = None) -> None:
    """Refuse values whose scale isn't known, or is another.

    Parameters
    ----------
    dtype : dtype
    stands_for : (float, float), optional
        What 0 and 255 of uint8 stand for, where that is known.

    Raises
    ------
    TypeError
        If they are neither float nor uint8.
    ValueError
        If bytes stand for something else than [0, 1].
    """
    if stands_for not in (None, (0, 1)):
        raise ValueError(
            f"Affinities and probabilities are in [0, 1], but these bytes stand for "
            f"{list(stands_for)}: predict with activation='sigmoid', or map them to floats in "
            "[0, 1]."
        )
    dtype = np.dtype(dtype)
    if dtype.kind != "f" and dtype != np.uint8:
        raise TypeError(
            f"Affinities and probabilities must be float in [0, 1] or uint8 in 0..255, got "
            f"{dtype}: scale them to one of these first, or make a mask of labels, labels != 0."
        )


def check_unit(values: NDArray[Any]) -> None:
    """Refuse floats that aren't in [0, 1], up to rounding.

    Raises
    ------
    ValueError
        If there are others, or NaN.

    Examples
    --------
    >>> check_unit(np.array([0, 1.0001]))
    >>> check_unit(np.array([0, 7, np.nan]))
    Traceback (most recent call last):
    ValueError: Affinities and probabilities must be in [0, 1], got values from 0 to 7 and 1 NaN...
    """
    if values.dtype.kind != "f" or not values.size:
        return
    # NaN compares as out of range.
    if not (values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING):
        raise ValueError(
            f"Affinities and probabilities must be in [0, 1], got {_range_of(values)}. Divide "
            "what is on a scale of 0..255 by 255 (or give it as uint8), take logits through "
            'predict(..., activation="sigmoid"), or say clip=True: NaN then counts as 0, and what '
            "is beyond 0 or 1 as that."
        )


def clipped(values: NDArray[Any]) -> NDArray[Any]:
    """Values in [0, 1]: NaN is 0, and what lies beyond is the nearer end.

    Examples
    --------
    >>> clipped(np.array([-np.inf, 0.25, 7, np.nan]))
    array([0.  , 0.25, 1.  , 0.  ])
    """
    if values.dtype.kind != "f":
        return values
    held: NDArray[Any] = np.nan_to_num(values, nan=0, posinf=1, neginf=0)
    return held.clip(0, 1, out=held)


def as_unit(values: NDArray[Any], clip: bool = False) -> NDArray[np.float32]:
    """Values as float32; uint8 stands for [0, 1] in steps of 1/255.

    Parameters
    ----------
    values : ndarray
    clip : bool
        Whether floats are brought into [0, 1], of which it isn't known that they are.

    Examples
    --------
    >>> as_unit(np.array([0, 255], np.uint8))
    array([0., 1.], dtype=float32)
    """
    if values.dtype == np.uint8:
        scaled: NDArray[np.float32] = np.multiply(values, np.float32(1 / 255), dtype=np.float32)
        return scaled
    held = clipped(values) if clip else values
    return held.astype(np.float32, copy=False)


def check_between(name: str, limits: float | Sequence[float]) -> None:
    """Refuse a bias or threshold of which affinities are never on both sides.

    Raises
    ------
    ValueError
        If it isn't a number, or some, in [0, 1].
    """
    held = np.asarray(limits)
    if held.dtype.kind not in "buif" or not ((held >= 0) & (held <= 1)).all():
        raise ValueError(
            f"{name} must be in [0, 1], as affinities are (uint8 stands for it: 128 is 0.5), got "
            f"{limits!r}."
        )


def _range_of(values: NDArray[Any]) -> str:
    """From where to where values go, for people."""
    nan = np.isnan(values)
    known = values[~nan].astype(float)
    span = f"values from {known.min():g} to {known.max():g}" if known.size else "no numbers"
    return f"{span} and {nan.sum()} NaN" if nan.any() else span
