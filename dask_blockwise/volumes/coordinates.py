"""Coordinates of voxels along an axis, as arrays of labelled dimensions have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.meant import meant, meant_between
from ..geometry.written import Written

__all__ = ["Spacing", "coordinates_along", "spacing_of"]

# Of a voxel, by which coordinates may be off, since others round them.
_SLACK = Fraction(1, 10_000)
# Each a thousand of the next, by what numpy calls them.
_TIMES = {"s": "second", "ms": "millisecond", "us": "microsecond", "ns": "nanosecond"}


@dataclass(frozen=True)
class Spacing:
    """Where voxels lie along an axis: the first one's coordinate, and from each to the next."""

    begin: Fraction
    step: Fraction
    unit: str = ""


def coordinates_along(
    count: int, voxel_size: int, offset: int, written: Written
) -> NDArray[np.float64]:
    """The nearest floats to the position of each voxel, as containers write positions.

    Examples
    --------
    >>> coordinates_along(3, 500, -500, Written("micrometer", Fraction(1, 1000)))
    array([-0.5,  0. ,  0.5])
    """
    begin, step = written.position(offset), written.size(voxel_size)
    parts = lcm(begin.denominator, step.denominator)
    first, further = int(begin * parts), int(step * parts)
    # The quotient of whole numbers is rounded once, however large they are.
    return np.array([(first + n * further) / parts for n in range(count)], np.float64)


def spacing_of(
    name: str, values: NDArray[Any], unit: Any, step: Any = None, told: Any = None
) -> Spacing:
    """How coordinates are spaced, by the simplest numbers that they may have been made of.

    Parameters
    ----------
    name : str
        Of the axis, for messages.
    values : ndarray
    unit : str or None
    step : number, optional
        From a voxel to the next, which one alone doesn't say.
    told : number, optional
        The same as coordinates once had it, which counts where they agree: they are rounded.

    Raises
    ------
    ValueError
        If they are no numbers, not evenly spaced, by another step than the one that is given, or
        descend; or if there is one, and no step.
    """
    unit = str(unit or "")
    if values.dtype.kind == "m":
        unit, values = _of_time(name, values)
    if values.dtype.kind not in "iuf" or values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(
            f"Coordinates along {name!r} are a list of finite numbers, or times since a first one, "
            f"and these are {values.dtype}: assign others, such as "
            f"dataarray.assign_coords({name}=step * np.arange(dataarray.sizes[{name!r}]))."
        )
    numbers: list[Any] = values.tolist()
    if len(numbers) == 1:
        return _of_one(name, values[0], unit, step)
    if len(numbers) > 1 and numbers[-1] == numbers[0]:
        raise ValueError(
            f"Coordinates along {name!r} begin and end with {numbers[0]}, and a volume's ascend: "
            f"assign others, such as dataarray.assign_coords({name}=step * "
            f"np.arange(dataarray.sizes[{name!r}]))."
        )
    if numbers[-1] < numbers[0]:
        raise ValueError(
            f"Coordinates along {name!r} descend, from {numbers[0]} to {numbers[-1]}, and a "
            f"volume's ascend: turn it, dataarray.sortby({name!r})."
        )
    found = _even(values, unit, told)
    _check_even(name, numbers, found, values.dtype)
    if step is not None and abs(meant(step) - found.step) > found.step * _SLACK:
        raise ValueError(
            f"voxel_size of {name!r} is given as {step}, and its coordinates are "
            f"{float(found.step):.9g} apart: leave it out, or drop the coordinates, "
            f"dataarray.drop_vars({name!r})."
        )
    return found


def _even(values: NDArray[Any], unit: str, told: Any) -> Spacing:
    """The numbers that are told, or the simplest, by which the ends come out."""
    first, last, intervals = values[0], values[-1], len(values) - 1
    off = (_precision(first) + _precision(last)) / intervals
    step = (Fraction(last.item()) - Fraction(first.item())) / intervals
    is_told = _agrees(told, step, off)
    found = meant(told) if is_told else meant_between(step - off, step + off)
    return Spacing(_begin(values, found, is_told or intervals > 1), found, unit)


def _begin(values: NDArray[Any], step: Fraction, is_known: bool) -> Fraction:
    """What the first was made of; itself, where what follows has it that it was never rounded."""
    begin, itself = meant(values[0]), Fraction(values[0].item())
    if not is_known or abs(begin - itself) <= _precision(values[0]):
        return begin
    return itself if _goes_on(values, itself, step) else begin


def _goes_on(values: NDArray[Any], begin: Fraction, step: Fraction) -> bool:
    """Whether all values are as near to steps from the first as they are precise."""
    return all(
        abs(Fraction(value.item()) - begin - n * step) <= _precision(value)
        for n, value in enumerate(values)
    )


def _agrees(told: Any, step: Fraction, off: Fraction) -> bool:
    """Whether what is told is a number that rounds to a step, which may be off by so much."""
    if not isinstance(told, Real):
        return False
    number = np.float64(float(told))
    return bool(np.isfinite(number)) and abs(meant(told) - step) <= off + _precision(number)


def _check_even(name: str, numbers: Sequence[Any], spacing: Spacing, dtype: np.dtype[Any]) -> None:
    slack = max(spacing.step * _SLACK, 4 * _precision(np.asarray(max(map(abs, numbers)), dtype)))
    for n, number in enumerate(numbers):
        expected = spacing.begin + n * spacing.step
        if spacing.step <= 0 or abs(Fraction(number) - expected) > slack:
            raise ValueError(
                f"Coordinates along {name!r} aren't evenly spaced: by the first and last of them, "
                f"that of voxel {n} would be {float(expected):.9g}, and it is {number:.9g}. "
                f"Interpolate to even ones, dataarray.interp({name}=...), or assign others, "
                "dataarray.assign_coords(...)."
            )


def _of_one(name: str, value: Any, unit: str, step: Any) -> Spacing:
    if step is None:
        raise ValueError(
            f"There is one voxel along {name!r}, so that its coordinate doesn't say how large it "
            f"is, which may be one of several or what several became: give its size, "
            f"voxel_size={{{name!r}: ...}}."
        )
    return Spacing(meant(value), meant(step), unit)


def _precision(value: Any) -> Fraction:
    """How far a number may be from the one that was meant."""
    if value.dtype.kind != "f":
        return Fraction(0)
    return Fraction(float(np.spacing(np.abs(value))))


def _of_time(name: str, values: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Times since a first one in seconds, or the unit that they are kept in."""
    kept, count = np.datetime_data(values.dtype)
    if kept not in _TIMES or count != 1 or np.isnat(values).any():
        raise ValueError(
            f"Times along {name!r} are {values.dtype}, and those since a first one are needed, all "
            f"of them: convert them, such as .astype('timedelta64[ns]')."
        )
    numbers, place = values.astype(np.int64), list(_TIMES).index(kept)
    while place and not (numbers % 1000).any():
        numbers, place = numbers // 1000, place - 1
    return list(_TIMES.values())[place], numbers
