"""How containers write what lies along an axis of the world."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Written", "plain"]


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
