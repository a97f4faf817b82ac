"""Scale bars: a round length that suits a picture, and how it is called."""

from __future__ import annotations

from fractions import Fraction
from math import floor, log10

from ..geometry.units import length_of

__all__ = ["bar_of"]

# A bar is at most so much of a picture's width.
_SHARE = Fraction(1, 3)
_SYMBOLS = {"meter": "m", "millimeter": "mm", "micrometer": "µm", "nanometer": "nm"}
_SYMBOLS |= {"kilometer": "km", "picometer": "pm", "angstrom": "Å"}
_LADDER = ("kilometer", "meter", "millimeter", "micrometer", "nanometer", "picometer")


def bar_of(width: Fraction, unit: str) -> tuple[Fraction, str]:
    """Length of a bar, and its caption.

    Parameters
    ----------
    width : Fraction
        Of what is shown, in the unit.
    unit : str
        Such as ``"nanometer"``; empty, or one that isn't known, is kept as it is.

    Returns
    -------
    (Fraction, str)
        The length in the unit: 1, 2 or 5 times a power of ten of what it is called in.

    Examples
    --------
    >>> bar_of(Fraction(8000), "nanometer")
    (Fraction(2000, 1), '2 µm')
    >>> bar_of(Fraction(50), "")
    (Fraction(10, 1), '10')
    """
    length = length_of(unit)
    if length is None:
        rounded = _rounded(width * _SHARE)
        return rounded, f"{_number(rounded)} {unit}".rstrip()
    in_meters = width * _SHARE * length
    called = next((u for u in _LADDER if in_meters >= (length_of(u) or 0)), _LADDER[-1])
    of_called = length_of(called) or Fraction(1)
    rounded = _rounded(in_meters / of_called)
    return rounded * of_called / length, f"{_number(rounded)} {_SYMBOLS[called]}"


def _rounded(number: Fraction) -> Fraction:
    """The largest of 1, 2 and 5 times a power of ten that is no larger."""
    power = Fraction(10) ** floor(log10(number))
    return next(n * power for n in (5, 2, 1, Fraction(1, 2)) if n * power <= number)


def _number(number: Fraction) -> str:
    return f"{float(number):g}"
