"""Units of space and time, and the one in which sizes are whole numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from fractions import Fraction
from math import lcm
from typing import Any

__all__ = [
    "UNITS",
    "axis_kind",
    "check_units",
    "length_of",
    "may_measure",
    "named_unit",
    "recorded_units",
    "units_of_axes",
    "whole_units",
]

_PREFIXES = ("kilo", "", "milli", "micro", "nano", "pico", "femto", "atto", "zepto", "yocto")


def _ladder(base: str) -> dict[str, Fraction]:
    """Units in terms of the base, each a thousand of the next."""
    return {f"{prefix}{base}": Fraction(1000) ** (1 - n) for n, prefix in enumerate(_PREFIXES)}


_LADDERS = {"space": _ladder("meter"), "time": _ladder("second")}
# In meters, as powers of 1000; their symbols differ from those of small ones by a capital alone.
_LARGE = ("mega", "giga", "tera", "peta", "exa", "zetta", "yotta")
_LARGE_SYMBOLS = {f"{prefix[0].upper()}m": f"{prefix}meter" for prefix in _LARGE}
_ODD_UNITS = {
    "space": {
        **{f"{prefix}meter": Fraction(1000) ** n for n, prefix in enumerate(_LARGE, 2)},
        **{"yard": Fraction("0.9144"), "mile": Fraction("1609.344"), "decameter": Fraction(10)},
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
_SYMBOLS = dict(zip(("k", "", "m", "u", "n", "p", "f", "a", "z", "y"), _PREFIXES, strict=True))
_SYMBOLS |= {"\N{GREEK SMALL LETTER MU}": "micro", "c": "centi", "d": "deci", "h": "hecto"}
_SHORT = {
    **{f"{short}m": f"{prefix}meter" for short, prefix in _SYMBOLS.items()},
    **{f"{short}s": f"{prefix}second" for short, prefix in _SYMBOLS.items()},
    **{"micron": "micrometer", "a": "angstrom", "ang": "angstrom", "angstroem": "angstrom"},
    **{"in": "inch", "inches": "inch", "ft": "foot", "feet": "foot", "yd": "yard"},
    **{f"{short}sec": f"{prefix}second" for short, prefix in _SYMBOLS.items() if short},
    **{"sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day"},
}
_ALIKE = 0.75
# What is no size of anything under a microscope isn't named where all are.
_SELDOM = {
    *_LARGE_SYMBOLS.values(),
    *(f"{p}{u}" for p in _PREFIXES[6:] for u in ("meter", "second")),
}
_KINDS = {"t": "time", "c": "channel"}


def check_units(unit: str | Sequence[str] | None) -> None:
    """Refuse a unit that a person gives and whose length nobody knows.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> check_units(["um", "1/3 nanometer", ""])
    >>> check_units("nanometr")
    Traceback (most recent call last):
    ValueError: No unit is called 'nanometr'; did you mean nanometer? Known are kilometer, ...
    """
    for name in [unit] if isinstance(unit, str) else unit or ():
        if not isinstance(name, str):
            raise TypeError(f"A unit is text such as 'nanometer', got {name!r}.")
        known = named_unit(name)
        if known not in _NO_UNITS and not any(length_of(known, kind) for kind in UNITS):
            raise ValueError(_no_unit(name))


def _no_unit(name: str) -> str:
    names = [unit for units in UNITS.values() for unit in units if unit not in _SELDOM]
    near = get_close_matches(name.lower(), [*names, *_SHORT], 1, _ALIKE)
    meant = f"; did you mean {near[0]}?" if near else "."
    return (
        f"No unit is called {name!r}{meant} Known are {', '.join(names)}; symbols of these, such "
        "as nm, um and s; pixel and voxel. Leave it out where none is known."
    )


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
    given = dict(zip(block_axes, map(named_unit, unit), strict=True))
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
    return not any(named_unit(unit) in units for units in others)


def whole_units(
    kind: str, units: Sequence[str], numbers: Sequence[tuple[Fraction, Fraction]]
) -> tuple[str, list[Fraction]]:
    """A unit in which all sizes and offsets are whole, and what it multiplies each axis by."""
    parts = _denominator(numbers, [Fraction(1)] * len(units))
    if len(set(units)) <= 1 and (parts == 1 or units[0] in _NO_UNITS):
        return next(iter(units), ""), [Fraction(parts)] * len(units)
    lengths = [length_of(unit, kind) for unit in units]
    known = [length for length in lengths if length is not None]
    if len(known) == len(units):
        return _finer(kind, known, numbers)
    if len(set(units)) == 1:
        return f"1/{parts} {units[0]}", [Fraction(parts)] * len(units)
    raise ValueError(
        f"Lengths in {' and '.join(map(repr, units))} can't be compared: give units of which all "
        f"are known, such as {', '.join(list(UNITS[kind])[2:5])}."
    )


def _finer(
    kind: str, lengths: Sequence[Fraction], numbers: Sequence[tuple[Fraction, Fraction]]
) -> tuple[str, list[Fraction]]:
    """The largest unit, no larger than any, that has to be divided least."""
    found: list[tuple[int, str, list[Fraction]]] = []
    for name, length in _LADDERS[kind].items():
        factors = [each / length for each in lengths]
        if length <= min(lengths):
            found.append((_denominator(numbers, factors), name, factors))
    if not found:
        name, length = list(_LADDERS[kind].items())[-1]
        factors = [each / length for each in lengths]
        found = [(_denominator(numbers, factors), name, factors)]
    parts, name, factors = min(found, key=lambda each: each[0])
    return name if parts == 1 else f"1/{parts} {name}", [factor * parts for factor in factors]


def length_of(unit: str, kind: str = "space") -> Fraction | None:
    """A unit, or a part of one such as "1/3 nanometer", in meters; None if it isn't known.

    Of time, in seconds.

    Examples
    --------
    >>> length_of("1/2 nanometer"), length_of("parsec")
    (Fraction(1, 2000000000), None)
    """
    part, _, name = unit.rpartition(" ")
    length = UNITS[kind].get(name)
    if length is None or not re.fullmatch(r"(1/[1-9]\d*)?", part):
        return None
    return length * Fraction(part or 1)


def _denominator(numbers: Sequence[tuple[Fraction, Fraction]], factors: Sequence[Fraction]) -> int:
    pairs = zip(numbers, factors, strict=True)
    return lcm(*((n * factor).denominator for pair, factor in pairs for n in pair))


def recorded_units(units: Any, block_axes: Sequence[str]) -> str | list[str]:
    """Units of the last axes; one that is of another kind counts as none.

    Examples
    --------
    >>> recorded_units(["nm", "Micrometres"], ("y", "x")), recorded_units("furlong", ("y", "x"))
    (['nanometer', 'micrometer'], 'furlong')
    """
    if not isinstance(units, list | tuple):
        return _known(units)
    listed = [_known(unit) for unit in units][-len(block_axes) :]
    if len(listed) != len(block_axes):
        return next(iter(listed), "")
    pairs = zip(listed, block_axes, strict=True)
    return [unit if may_measure(unit, axis) else "" for unit, axis in pairs]


def _known(unit: Any) -> str:
    return named_unit(unit) if isinstance(unit, str) else ""


def named_unit(unit: str) -> str:
    """A unit's own name, by any usual spelling; one that isn't known is what it is.

    Examples
    --------
    >>> named_unit("Nanometres"), named_unit("furlong")
    ('nanometer', 'furlong')
    """
    if unit.strip() in _LARGE_SYMBOLS:
        return _LARGE_SYMBOLS[unit.strip()]
    # Two signs are each a micro, and each an angstrom.
    letters = unicodedata.normalize("NFKD", unit.strip()).lower()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    small = plain.replace("metre", "meter")
    for name in (small, small.removesuffix("s")):
        known = _SHORT.get(name, name)
        if any(known in units for units in UNITS.values()) or known in _NO_UNITS:
            return known
    return unit.strip()
