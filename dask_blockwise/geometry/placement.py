"""Where an array's voxels lie: axes, voxel size, offset and unit, as containers record them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from .axes import default_axes, known_axes
from .meant import exact, meant
from .units import UNITS, axis_kind, units_of_axes, whole_units
from .written import Written, plain, spelled

__all__ = ["Placement", "default_axes", "placement_of", "written_as"]


@dataclass(frozen=True)
class Placement:
    """Axes of an array, and where its voxels lie in the world.

    Numbers of the world are whole, so that regions are exact; those that containers have may be
    others, in another unit.

    Examples
    --------
    >>> Placement(("c", "z", "y", "x"), (40, 4, 4), (0, 0, 0), "nanometer").block_axes
    ('z', 'y', 'x')
    """

    # Of the whole array, such as ("c", "z", "y", "x").
    axes: tuple[str, ...]
    # World units a voxel, for all axes but "c".
    voxel_size: tuple[int, ...]
    # World position of the first voxel, for all axes but "c".
    offset: tuple[int, ...]
    # Of voxel size and offset along space, such as "nanometer"; "" where none is known.
    unit: str
    # The same along "t", such as "millisecond".
    time_unit: str = ""
    # How containers write it, for all axes but "c"; none where they write the world's own numbers.
    written: tuple[Written, ...] = ()

    @property
    def block_axes(self) -> tuple[str, ...]:
        """All axes but the channels'."""
        return tuple(axis for axis in self.axes if axis != "c")

    @property
    def as_written(self) -> tuple[Written, ...]:
        """How containers write it, for all axes but "c"."""
        units = {"space": self.unit, "time": self.time_unit}
        own = tuple(Written(units[axis_kind(axis)], Fraction(1)) for axis in self.block_axes)
        return self.written or own

    @property
    def written_size(self) -> tuple[int | float, ...]:
        """The voxel size as containers write it."""
        pairs = zip(self.as_written, self.voxel_size, strict=True)
        return tuple(plain(axis.size(n)) for axis, n in pairs)

    @property
    def written_offset(self) -> tuple[int | float, ...]:
        """The offset as containers write it."""
        pairs = zip(self.as_written, self.offset, strict=True)
        return tuple(plain(axis.position(n)) for axis, n in pairs)

    def measures_as(self, other: Placement) -> bool:
        """Whether numbers of both are of the same units, as far as both have some.

        Examples
        --------
        >>> one, other = (Placement(("x",), (4,), (0,), unit) for unit in ("nanometer", "meter"))
        >>> one.measures_as(other), one.measures_as(Placement(("x",), (4,), (0,), ""))
        (False, True)
        """
        pairs = ((self.unit, other.unit), (self.time_unit, other.time_unit))
        return all(one == another or "" in (one, another) for one, another in pairs)

    def along(self, axes: Sequence[str]) -> Placement:
        """The same along some of the axes, in another order; channels may be new.

        Examples
        --------
        >>> Placement(("z", "y", "x"), (40, 4, 4), (0, 8, 0), "nanometer").along("cyz").offset
        (8, 0)
        """
        order = [self.block_axes.index(axis) for axis in axes if axis != "c"]
        return replace(
            self,
            axes=tuple(axes),
            voxel_size=tuple(self.voxel_size[n] for n in order),
            offset=tuple(self.offset[n] for n in order),
            written=self.written and tuple(self.written[n] for n in order),
        )


def placement_of(
    axes: Sequence[str],
    voxel_size: Sequence[Any] | None = None,
    offset: Sequence[Any] | None = None,
    unit: str | Sequence[str] = "",
) -> Placement:
    """Hold sizes that may be fractions exactly, by choosing a finer unit where they have one.

    A float stands for the simplest fraction within its precision. Where no unit makes all numbers
    whole, the world's is a part of one, such as "1/3 nanometer"; without a unit, the world is
    scaled. Containers get the numbers and units as they were given.

    Parameters
    ----------
    axes : sequence of str
        Each once, out of t, c, z, y and x, as ``known_axes`` understands them.
    voxel_size, offset : sequence of number, optional
        For all axes but "c"; 1 and 0 unless given.
    unit : str or sequence of str
        Of space, or one for each axis but "c".

    Returns
    -------
    Placement

    Raises
    ------
    ValueError
        If an axis isn't known, the lengths disagree, a size isn't positive, a number isn't finite,
        or axes have units of which one isn't known.

    Examples
    --------
    >>> placement = placement_of(("z", "y", "x"), (40, 5.24, 5.24), unit="nm")
    >>> placement.voxel_size, placement.unit
    ((40000, 5240, 5240), 'picometer')
    >>> [float(axis.size(5240)) for axis in placement.written[1:]], placement.written[0].unit
    ([5.24, 5.24], 'nanometer')
    """
    axes = known_axes(axes)
    block_axes = [axis for axis in axes if axis != "c"]
    given = [
        _listed("voxel_size", voxel_size, 1, block_axes),
        _listed("offset", offset, 0, block_axes),
    ]
    sizes, begins = ([meant(number) for number in numbers] for numbers in given)
    if min(sizes, default=Fraction(1)) <= 0:
        raise ValueError(f"voxel_size must be positive, got {_told(given[0])}.")
    units = units_of_axes(unit, block_axes)
    factors, chosen = _world(block_axes, units, list(zip(sizes, begins, strict=True)))
    whole_sizes, whole_begins = (
        tuple(int(n * f) for n, f in zip(numbers, factors, strict=True))
        for numbers in (sizes, begins)
    )
    place = Placement(axes, whole_sizes, whole_begins, chosen["space"], chosen["time"])
    return written_as(place, units, *given)


def written_as(
    place: Placement, units: Sequence[str], sizes: Sequence[Any], begins: Sequence[Any]
) -> Placement:
    """The same place, which containers write in these units and numbers.

    Examples
    --------
    >>> place = Placement(("x",), (500,), (1000,), "nanometer")
    >>> written_as(place, ["micrometer"], [0.5], [1.0]).written[0].scale
    Fraction(1, 1000)
    """
    written = []
    each = zip(units, sizes, begins, place.voxel_size, place.offset, strict=True)
    for unit, size, begin, whole_size, whole_begin in each:
        scale = exact(size) / whole_size
        written.append(Written(unit, scale, exact(begin) - whole_begin * scale))
    own = replace(place, written=()).as_written
    return replace(place, written=() if tuple(written) == own else tuple(written))


def _world(
    block_axes: Sequence[str], units: Sequence[str], numbers: Sequence[tuple[Fraction, Fraction]]
) -> tuple[list[Fraction], dict[str, str]]:
    """What makes the numbers of each axis whole, and the units of space and time then."""
    factors, chosen = [Fraction(1)] * len(block_axes), {}
    for kind in UNITS:
        of_kind = [i for i, axis in enumerate(block_axes) if axis_kind(axis) == kind]
        chosen[kind], scales = whole_units(
            kind, [units[i] for i in of_kind], [numbers[i] for i in of_kind]
        )
        for i, scale in zip(of_kind, scales, strict=True):
            factors[i] = scale
    return factors, chosen


def _listed(
    name: str, values: Sequence[Any] | None, default: int, block_axes: Sequence[str]
) -> list[Any]:
    if values is None:
        return [default] * len(block_axes)
    numbers = list(values) if np.iterable(values) and not isinstance(values, str) else []
    if len(numbers) != len(block_axes):
        raise ValueError(
            f"{name} needs one number for each of the axes {tuple(block_axes)} "
            f"(channels have none), got {_told(numbers) or repr(values)}."
        )
    return numbers


def _told(numbers: Sequence[Any]) -> str:
    return ", ".join(map(spelled, numbers))
