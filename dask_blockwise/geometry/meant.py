"""The numbers that were meant by those that were written."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import ceil, ulp
from typing import Any

import numpy as np

__all__ = ["exact", "meant", "meant_between", "measured"]

# A quotient, or what was float32, hardly ever has as few digits as this.
_FEW_DIGITS = 10
# All decimals of so many digits are different numbers in float32, so that such a one was meant.
_SURE_DIGITS_OF_FLOAT32 = 6
# Of what was measured, and computed from that; more say nothing.
_DIGITS_OF_A_SIZE = 6
# How much rarer than one in its place by chance a fraction must be, to be meant.
_RARER = 100


def exact(value: Any) -> Fraction:
    """The number as it is written: 5.24 rather than the nearest float.

    Raises
    ------
    ValueError
        If it is no finite number.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return Fraction(int(value))
    try:
        # A text such as "1e999999999" would be a number that fills the memory.
        return Fraction("" if isinstance(value, str) else str(value))
    except ValueError:
        raise ValueError(f"Voxel sizes and offsets are finite numbers, got {value!r}.") from None


def meant(value: Any) -> Fraction:
    """The simplest fraction or decimal that a float stands for, also one that once was float32.

    It is as near to the float as that is precise. What isn't a float is itself.

    Raises
    ------
    ValueError
        If it is no finite number.

    Examples
    --------
    >>> meant(5.24), meant(0.10833333333333334), meant(0.10000000149011612)
    (Fraction(131, 25), Fraction(13, 120), Fraction(1, 10))
    """
    if not isinstance(value, float | np.floating):
        return exact(value)
    number = float(value)
    written = exact(number)
    if _digits(written) <= _FEW_DIGITS:
        return written
    narrow, slack = _as_float32(number), Fraction(ulp(number))
    if narrow is not None:
        written, slack = exact(narrow), Fraction(float(np.spacing(abs(narrow)))) / 2
        if _digits(written) <= _SURE_DIGITS_OF_FLOAT32:
            return written
    size = abs(Fraction(number))
    near = _simplest(size - slack, size + slack)
    # Of fractions up to a denominator there are about its square, of decimals as many as theirs.
    if near.denominator**2 * _RARER > min(1 / (2 * slack), Fraction(written.denominator)):
        return written
    return near if number > 0 else -near


def meant_between(low: Fraction, high: Fraction) -> Fraction:
    """The simplest fraction or decimal from one number to another, if it hardly is so by chance.

    Else the middle, as it is.

    Examples
    --------
    >>> meant_between(Fraction("5.2399999"), Fraction("5.2400001"))
    Fraction(131, 25)
    """
    if low >= high or low <= 0 <= high:
        return (low + high) / 2
    if high < 0:
        return -meant_between(-high, -low)
    near, scale = _simplest(low, high), 1
    while ceil(low * scale) > high * scale:
        scale *= 10
    decimal = Fraction(ceil(low * scale), scale)
    rarity, found = min((near.denominator**2, near), (scale, decimal))
    return found if rarity * (high - low) * _RARER <= 1 else (low + high) / 2


def measured(size: float) -> float:
    """A size that a microscope was found to have, in the digits that are worth something.

    Examples
    --------
    >>> measured(0.12756971653115998), measured(0.235)
    (0.12757, 0.235)
    """
    return float(f"{size:.{_DIGITS_OF_A_SIZE}g}")


def _as_float32(number: float) -> np.float32 | None:
    """The same number, if it may once have been one."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.float32(number)
    return narrow if float(narrow) == number else None


def _digits(number: Fraction) -> int:
    """Of a number that has an end in decimals."""
    digits = Decimal(str(float(number))).normalize().as_tuple().digits
    return len(digits)


def _simplest(low: Fraction, high: Fraction) -> Fraction:
    """Of all fractions from low to high, both positive, that of the smallest denominator."""
    whole = Fraction(ceil(low))
    if whole <= high:
        return whole
    below = whole - 1
    return below + 1 / _simplest(1 / (high - below), 1 / (low - below))
