"""Units of space and time, and the one in which sizes are whole numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any

__all__ = ["UNITS", "axis_kind", "recorded_units", "units_of_axes", "whole_units"]

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
    """One for each axis; one that has none takes that of its kind."""
    if isinstance(unit, str):
        return [_long(unit) if axis_kind(axis) == "space" else "" for axis in block_axes]
    given = dict(zip(block_axes, map(_long, unit), strict=True))
    known = {axis_kind(axis): name for axis, name in given.items() if name}
    return [name or known.get(axis_kind(axis), "") for axis, name in given.items()]


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


def recorded_units(units: Any, count: int) -> str | list[str]:
    """Units of the last axes; one that isn't known counts as none."""
    if isinstance(units, str) or units is None:
        name = _long(units or "")
        return name if name in {*UNITS["space"], *UNITS["time"], *_NO_UNITS} else ""
    listed = [str(recorded_units(unit, 1)) for unit in units][-count:]
    return listed if len(listed) == count else next(iter(listed), "")


def _long(unit: str) -> str:
    return _SHORT.get(unit.strip().lower(), unit.strip())
