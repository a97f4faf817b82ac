"""How containers write what lies along an axis of the world."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

__all__ = ["Written", "plain", "spelled"]


@dataclass(frozen=True)
class Written:
    """The unit and numbers in which sizes and positions along one axis are written.

    Examples
    --------
    >>> micrometers = Written("micrometer", Fraction(1, 1000))
    >>> float(micrometers.size(500)), float(micrometers.position(-250))
    (0.5, -0.25)
    """

    # Such as "micrometer"; "" where none is known.
    unit: str
    # What one unit of the world is written as.
    scale: Fraction
    # What the world's origin is written as.
    shift: Fraction = Fraction(0)

    def size(self, world: int) -> Fraction:
        """What a length of the world is written as."""
        return world * self.scale

    def position(self, world: int) -> Fraction:
        """What a position in the world is written as."""
        return world * self.scale + self.shift


def plain(number: Fraction) -> int | float:
    """The number without a fraction: whole, or the nearest float.

    Examples
    --------
    >>> plain(Fraction(4)), plain(Fraction(1, 2))
    (4, 0.5)
    """
    return int(number) if number.denominator == 1 else float(number)


def spelled(number: Any) -> str:
    """A number as people write it: as a decimal, or as a fraction where that isn't exact.

    Examples
    --------
    >>> spelled(Fraction(8)), spelled(Fraction("5.24")), spelled(Fraction(1, 3)), spelled(0.5)
    ('8', '5.24', '1/3', '0.5')
    """
    if not isinstance(number, Fraction):
        return str(number)
    decimal = str(plain(number))
    return decimal if Fraction(decimal) == number else str(number)
