"""Units of space and time, and the one in which sizes are whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

__all__ = ["UNITS", "axis_kind", "may_measure", "recorded_units", "units_of_axes", "whole_units"]

_PREFIXES = ("kilo", "", "milli", "micro", "nano", "pico", "femto", "atto", "zepto", "yocto")


def _ladder(base: str) -> dict[str, Fraction]:
    """Units in terms of the base, each a thousand of the next."""
    return {f"{prefix}{base}": Fraction(1000) ** (1 - n) for n, prefix in enumerate(_PREFIXES)}


_LADDERS = {"space": _ladder("meter"), "time": _ladder("second")}
_ODD_UNITS = {
    "space": {
        **{"hectometer": Fraction(100), "decimeter": Fraction("0.1"), "inch": Fraction("0.0254")},
        **{
            "centimeter": Fraction("0.01"),
            "angstrom": Fraction("1e-10"),
            "foot": Fraction(".3048"),
        },
    },
    "time": {"minute": Fraction(60), "hour": Fraction(3600), "day": Fraction(86400)},
}
UNITS = {kind: _LADDERS[kind] | _ODD_UNITS[kind] for kind in _LADDERS}
_NO_UNITS = ("", "pixel", "voxel")
_SHORT = {
    **{"m": "meter", "cm": "centimeter", "mm": "millimeter", "nm": "nanometer", "pm": "picometer"},
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns"), "micrometer"),
    **{"s": "second", "sec": "second", "ms": "millisecond", "us": "microsecond"},
    **{"min": "minute", "h": "hour", "a": "angstrom", "å": "angstrom"},
}
_KINDS = {"t": "time", "c": "channel"}


def axis_kind(axis: str) -> str:
    """Such as "space", "time" and "channel"."""
    return _KINDS.get(axis, "space")


def units_of_axes(unit: str | Sequence[str], block_axes: Sequence[str]) -> list[str]:
    """One for each axis; one that has none takes that of its kind.

    Raises
    ------
    ValueError
        If there are more or fewer than axes, or space has a unit of time, or time one of space.
    """
    if isinstance(unit, str):
        unit = [unit if axis_kind(axis) == "space" else "" for axis in block_axes]
    if len(unit) != len(block_axes):
        raise ValueError(
            f"Units are one text, or one for each of the axes {tuple(block_axes)}, got {unit!r}."
        )
    given = dict(zip(block_axes, map(_long, unit), strict=True))
    for axis, name in given.items():
        if not may_measure(name, axis):
            raise ValueError(f"{name!r} is no unit of {axis_kind(axis)}, along which {axis!r} is.")
    known = {axis_kind(axis): name for axis, name in given.items() if name}
    return [name or known.get(axis_kind(axis), "") for axis, name in given.items()]


def may_measure(unit: str, axis: str) -> bool:
    """Whether a unit isn't known to be one of something else than the axis.

    Examples
    --------
    >>> may_measure("nanometer", "x"), may_measure("nanometer", "t"), may_measure("parsec", "x")
    (True, False, True)
    """
    others = (UNITS[kind] for kind in UNITS if kind != axis_kind(axis))
    return not any(_long(unit) in units for units in others)


def whole_units(
    kind: str, units: Sequence[str], numbers: Sequence[tuple[Fraction, Fraction]]
) -> tuple[str, list[Fraction]]:
    """A unit in which all sizes and offsets are whole, and what it multiplies each axis by."""
    denominator = lcm(*(n.denominator for pair in numbers for n in pair))
    if len(set(units)) <= 1 and (denominator == 1 or units[0] in _NO_UNITS):
        return next(iter(units), ""), [Fraction(denominator)] * len(units)
    known = UNITS[kind]
    if set(units) <= set(known):
        smallest = min(known[unit] for unit in units)
        for finer, size in _LADDERS[kind].items():
            factors = [known[unit] / size for unit in units]
            if size <= smallest and _are_whole(numbers, factors):
                return finer, factors
    raise ValueError(
        f"World units are whole numbers, but the voxel size or offset in {' and '.join(units)} "
        f"is a fraction of 1/{denominator} that no finer unit makes whole: round it, or give it "
        "in meters or a thousandth, millionth, ... of one."
    )


def _are_whole(numbers: Sequence[tuple[Fraction, Fraction]], factors: Sequence[Fraction]) -> bool:
    pairs = zip(numbers, factors, strict=True)
    return all((n * factor).denominator == 1 for pair, factor in pairs for n in pair)


def recorded_units(units: Any, block_axes: Sequence[str]) -> str | list[str]:
    """Units of the last axes; one that isn't known, or is of another kind, counts as none.

    Examples
    --------
    >>> recorded_units(["nm", "nm"], ("y", "x")), recorded_units("furlong", ("y", "x"))
    (['nanometer', 'nanometer'], '')
    """
    if not isinstance(units, list | tuple):
        return _known(units)
    listed = [_known(unit) for unit in units][-len(block_axes) :]
    if len(listed) != len(block_axes):
        return next(iter(listed), "")
    pairs = zip(listed, block_axes, strict=True)
    return [unit if may_measure(unit, axis) else "" for unit, axis in pairs]


def _known(unit: Any) -> str:
    name = _long(unit) if isinstance(unit, str) else ""
    return name if name in {*UNITS["space"], *UNITS["time"]} | {*_NO_UNITS} else ""


def _long(unit: str) -> str:
    return _SHORT.get(unit.strip().lower(), unit.strip())
