"""Which voxels of one volume meet those of another, whatever the sizes and units of both."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

from .meant import meant_between
from .placement import Placement
from .units import axis_kind, length_of

__all__ = ["Meeting", "meetings", "times_as_large"]

# By so much of themselves may numbers be off that others computed as floats, such as 8 * 0.1234.
_ROUNDED = Fraction(1, 2**50)


@dataclass(frozen=True)
class Meeting:
    """Voxels along an axis, in terms of another volume's: exact, by whole numbers.

    Examples
    --------
    >>> Meeting(step=3, away=-2, wide=4).of(np.array([0, 1, 2]))
    (array([-1,  0]), array([1, 1]))
    """

    # Where voxel n begins is ``(n * step + away) / wide`` voxels from the other's first.
    step: int
    away: int
    wide: int

    def of(self, edges: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first of the other's voxels that each of some voxels meets, and where they end.

        Parameters
        ----------
        edges : ndarray of int
            The numbers of the voxels, and one more.
        """
        # Of Python's integers, since 64 bits don't hold those of sizes in many digits.
        at = edges.astype(object) * self.step + self.away
        first, stop = at[:-1] // self.wide, -(-at[1:] // self.wide)
        return first.astype(np.int64), stop.astype(np.int64)


def meetings(one: Placement, other: Placement) -> tuple[Meeting, ...]:
    """How voxels of one volume lie in those of another, along each axis but channels.

    Sizes of which one is meant to be so many times the other, but for how floats are rounded, are
    so: else voxels would meet a neighbour by the last digit.

    Parameters
    ----------
    one, other : Placement
        Of the same axes.

    Raises
    ------
    ValueError
        If their units can't be compared, since one of them isn't known.

    Examples
    --------
    >>> fine = Placement(("y",), (4,), (8,), "nanometer")
    >>> meetings(fine, Placement(("y",), (1,), (0,), "micrometer"))
    (Meeting(step=1, away=2, wide=250),)
    """
    found = []
    for n, axis in enumerate(one.block_axes):
        ratio = _ratio(_unit(other, axis), _unit(one, axis), axis_kind(axis))
        wide = other.voxel_size[n] * ratio
        begins = Fraction(one.offset[n]), other.offset[n] * ratio
        step = Fraction(one.voxel_size[n]) / wide
        away, off = (begins[0] - begins[1]) / wide, max(map(abs, begins)) / wide
        found.append(_in_parts(_meant(step, step), _meant(away, off)))
    return tuple(found)


def times_as_large(coarse: Placement, fine: Placement) -> tuple[Fraction, ...]:
    """How many voxels of one volume are as long as one of another, along each axis but channels.

    By their sizes: of an axis of few voxels their numbers don't tell.

    Raises
    ------
    ValueError
        If their units can't be compared, since one of them isn't known.

    Examples
    --------
    >>> nano = Placement(("y",), (4,), (8,), "nanometer")
    >>> times_as_large(Placement(("y",), (1,), (0,), "micrometer"), nano)
    (Fraction(250, 1),)
    """
    return tuple(Fraction(along.wide, along.step) for along in meetings(fine, coarse))


def _meant(number: Fraction, of: Fraction) -> Fraction:
    """The simplest number that it may be, made of one so large."""
    slack = of * _ROUNDED
    return Fraction(0) if abs(number) <= slack else meant_between(number - slack, number + slack)


def _in_parts(step: Fraction, away: Fraction) -> Meeting:
    """In the largest part of a voxel in which both are whole."""
    wide = lcm(step.denominator, away.denominator)
    return Meeting(int(step * wide), int(away * wide), wide)


def _unit(placement: Placement, axis: str) -> str:
    return placement.time_unit if axis_kind(axis) == "time" else placement.unit


def _ratio(unit: str, to: str, kind: str) -> Fraction:
    """How many of one unit another is."""
    if unit == to:
        return Fraction(1)
    lengths = [length_of(name, kind) for name in (unit, to)]
    if lengths[0] is None or lengths[1] is None:
        raise ValueError(
            f"lengths in {unit or 'no known unit'} can't be compared with {to or 'no known unit'}"
        )
    return lengths[0] / lengths[1]
