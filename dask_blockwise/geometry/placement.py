"""Where an array's voxels lie: axes, voxel size, offset and unit, as containers record them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .axes import default_axes, known_axes
from .units import UNITS, axis_kind, units_of_axes, whole_units

__all__ = ["Placement", "default_axes", "exact", "placement_of"]


@dataclass(frozen=True)
class Placement:
    """Axes of an array, and where its voxels lie in the world.

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

    @property
    def block_axes(self) -> tuple[str, ...]:
        """All axes but the channels'."""
        return tuple(axis for axis in self.axes if axis != "c")


def placement_of(
    axes: Sequence[str],
    voxel_size: Sequence[Any] | None = None,
    offset: Sequence[Any] | None = None,
    unit: str | Sequence[str] = "",
) -> Placement:
    """Hold sizes that may be fractions exactly, by choosing a finer unit where they have one.

    Without a unit, fractions become whole by scaling the world.

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
        or no unit is fine enough.

    Examples
    --------
    >>> placement = placement_of(("z", "y", "x"), (40, 5.24, 5.24), unit="nm")
    >>> placement.voxel_size, placement.unit
    ((40000, 5240, 5240), 'picometer')
    """
    axes = known_axes(axes)
    block_axes = [axis for axis in axes if axis != "c"]
    sizes = _numbers(voxel_size, 1, block_axes)
    begins = _numbers(offset, 0, block_axes)
    if min(sizes, default=Fraction(1)) <= 0:
        raise ValueError(f"voxel_size must be positive, got {tuple(voxel_size or ())}.")
    units = units_of_axes(unit, block_axes)
    factors, chosen = [Fraction(1)] * len(block_axes), {}
    for kind in UNITS:
        of_kind = [i for i, axis in enumerate(block_axes) if axis_kind(axis) == kind]
        numbers = [(sizes[i], begins[i]) for i in of_kind]
        chosen[kind], scales = whole_units(kind, [units[i] for i in of_kind], numbers)
        for i, scale in zip(of_kind, scales, strict=True):
            factors[i] = scale
    voxel_size, offset = (
        tuple(int(n * f) for n, f in zip(numbers, factors, strict=True))
        for numbers in (sizes, begins)
    )
    return Placement(axes, voxel_size, offset, chosen["space"], chosen["time"])


def _numbers(
    values: Sequence[Any] | None, default: int, block_axes: Sequence[str]
) -> list[Fraction]:
    numbers = [default] * len(block_axes) if values is None else list(values)
    if len(numbers) != len(block_axes):
        raise ValueError(
            f"voxel_size and offset need one number for each of the axes {tuple(block_axes)} "
            f"(channels have none), got {tuple(numbers)}."
        )
    return [exact(number) for number in numbers]


def exact(value: Any) -> Fraction:
    """The number that was meant: 5.24 rather than the nearest float."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return Fraction(int(value))
    try:
        # A text such as "1e999999999" would be a number that fills the memory.
        return Fraction("" if isinstance(value, str) else str(value))
    except ValueError:
        raise ValueError(f"Voxel sizes and offsets are finite numbers, got {value!r}.") from None
