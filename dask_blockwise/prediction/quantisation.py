"""What a prediction is stored as: bytes that stand for a range of numbers, or whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Range", "check_within", "checked_range", "in_bytes", "range_of", "whole"]

Range = tuple[float, float]

_OF_ACTIVATION = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0)}
_MEND = (
    "give activation='sigmoid', 'softmax' or 'tanh' if these are its logits, "
    "output_range=(low, high) that uint8 is to stand for, or output_dtype='float32'"
)


def checked_range(given: Any) -> Range | None:
    """What ``output_range=`` gives.

    Raises
    ------
    ValueError
        If it isn't two finite numbers, the lower one first.

    Examples
    --------
    >>> checked_range((0, 2))
    (0.0, 2.0)
    """
    if given is None:
        return None
    try:
        low, high = map(float, given)
    except (TypeError, ValueError):
        low = high = 0.0
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(
            "output_range must be the numbers that the bytes 0 and 255 stand for, (low, high), got "
            f"{given!r}."
        )
    return low, high


def range_of(activation: str | None, given: Range | None, least: float) -> Range:
    """What the bytes 0 to 255 stand for.

    Parameters
    ----------
    activation : str or None
    given : (low, high), optional
    least : float
        The least value that the network gave for any input, however large.

    Examples
    --------
    >>> range_of("sigmoid", None, -50), range_of(None, None, -50), range_of(None, None, 0)
    ((0.0, 1.0), (-1.0, 1.0), (0.0, 1.0))
    """
    if given is not None:
        return given
    return _OF_ACTIVATION.get(activation or "", (0.0 if least >= 0 else -1.0, 1.0))


def check_within(least: float, greatest: float, stands_for: Range) -> None:
    """Refuse values that bytes can't stand for, beyond rounding: half a step of them.

    Raises
    ------
    ValueError
    """
    low, high = stands_for
    near = (high - low) / 510
    if low - near <= least and greatest <= high + near:
        return
    if np.isnan(least):
        raise ValueError(
            "The network gave NaN, which uint8 can't hold: if the volume has NaN, fill it first, "
            "map_overlap(np.nan_to_num, volume) for example, or give output_dtype='float32'."
        )
    raise ValueError(
        f"The network gave values from {least:.4g} to {greatest:.4g}, but uint8 stands for "
        f"[{low:g}, {high:g}], so they would be cut off: {_MEND}."
    )


def in_bytes(values: Any, stands_for: Range, xp: Any) -> Any:
    """Bytes that stand for numbers.

    Parameters
    ----------
    values : array
    stands_for : (low, high)
        What the bytes 0 to 255 stand for.
    xp
        The module whose array it is: numpy or torch.

    Raises
    ------
    ValueError
        If bytes can't stand for them.

    Examples
    --------
    >>> in_bytes(np.array([0, 0.5, 1], np.float32), (0, 1), np)
    array([  0, 128, 255], dtype=uint8)
    """
    if 0 not in values.shape:
        check_within(float(values.min()), float(values.max()), stands_for)
    low, high = stands_for
    unit = (values - low) / (high - low)
    return xp.asarray(xp.round(xp.clip(unit, 0, 1) * 255), dtype=xp.uint8)


def whole(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Whole numbers, or truth values, in another type that holds them all.

    Raises
    ------
    ValueError
        If it doesn't.

    Examples
    --------
    >>> whole(np.array([0, 2]), np.dtype("u1"))
    array([0, 2], dtype=uint8)
    """
    if values.dtype != dtype and values.size:
        kept = np.array_equal(values, values.astype(dtype))
        if not kept:
            raise ValueError(
                f"The network gave whole numbers from {values.min()} to {values.max()}, which "
                f"{dtype} can't hold: leave output_dtype out."
            )
    return values.astype(dtype, copy=False)
