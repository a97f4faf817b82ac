"""Which level of an image of several resolutions is meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod
from numbers import Real
from typing import Any

import numpy as np

from ..geometry.meant import meant
from ..geometry.units import length_of, named_unit
from ..storage.level_paths import level_paths
from .volume import Volume

__all__ = ["Level", "all_levels", "chosen_level"]

# An index, the path of a dataset, or a voxel size with its unit; a voxel size of all axes or each.
Level = int | float | str | Sequence[Any]

_Open = Callable[[str], Volume]
_Size = tuple[Fraction, str]
_SIZE = re.compile(r"\s*([-+.\d][-+.\deE/]*)\s*(\D.*?)\s*")


def all_levels(given: str, open_at: _Open) -> list[Volume]:
    """All levels of an image, the finest first; of a single array, that alone."""
    paths = level_paths(given)
    return sorted(map(open_at, paths or [given]), key=lambda volume: prod(_sizes(volume)))


def chosen_level(given: str, level: Level, open_at: _Open) -> str:
    """The path of one level of the image at a path.

    Parameters
    ----------
    given : str
    level : int, str, float or sequence
    open_at : callable
        Opens the volume at a path.

    Raises
    ------
    ValueError
        If there is no such level, with those that there are.
    """
    paths = level_paths(given)
    if isinstance(level, bool | bytes) or not isinstance(level, Real | str | Sequence):
        raise ValueError(
            f"level is an index, the path of a dataset, or a voxel size such as 16.0, '16 nm' or "
            f"(40, 8, 8), got {level!r}."
        )
    if not paths:
        if isinstance(level, int | np.integer) and level == 0:
            return given
        open_at(given)  # which says if nothing is there
        raise ValueError(
            f"{given} is an array by itself, without levels, so there is no level {level!r}: "
            "leave level out, or give the path of the image that it is a level of."
        )
    found = _found(given, paths, level, open_at)
    if found is None:
        raise ValueError(
            f"{given} has no level {level!r}. It has {_described(given, paths, open_at)}: give "
            "an index, a path, or a voxel size that is no finer than the finest, as a float or "
            "with a unit ('16 nm')."
        )
    return found


def _found(given: str, paths: Sequence[str], level: Level, open_at: _Open) -> str | None:
    if isinstance(level, int | np.integer):
        return paths[level] if -len(paths) <= level < len(paths) else None
    if isinstance(level, str):
        named = f"{given.rstrip('/')}/{_plain(level)}"
        if named in paths:
            return named
    asked = _asked(level)
    if asked is None:
        return None
    volumes = {path: open_at(path) for path in paths}
    fit = [path for path, volume in volumes.items() if _is_no_coarser(volume, asked)]
    return max(fit, key=lambda path: prod(_sizes(volumes[path])), default=None)


def _plain(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _asked(level: Level) -> _Size | list[_Size] | None:
    """A voxel size along all axes, or one for each; None if it is none."""
    if isinstance(level, str) or not isinstance(level, Sequence):
        return _size(level)
    parts = [_size(part) for part in level]
    sizes = [part for part in parts if part is not None]
    return sizes if sizes and len(sizes) == len(parts) else None


def _size(given: Any) -> _Size | None:
    """A number and its unit, which is empty where none is given."""
    if isinstance(given, Real):
        return meant(given), ""
    found = _SIZE.fullmatch(given) if isinstance(given, str) else None
    if found is None or not _is_number(found[1]):
        return None
    return meant(float(found[1])), named_unit(found[2])


def _is_number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False


def _sizes(volume: Volume) -> list[Fraction]:
    """Voxel size along axes of space, in the units that it is written in."""
    place = volume.placement
    each = zip(place.block_axes, place.as_written, place.voxel_size, strict=True)
    return [written.size(n) for axis, written, n in each if axis != "t"]


def _units(volume: Volume) -> list[str]:
    place = volume.placement
    each = zip(place.block_axes, place.as_written, strict=True)
    return [written.unit for axis, written in each if axis != "t"]


def _is_no_coarser(volume: Volume, asked: _Size | list[_Size]) -> bool:
    """Whether voxels are no larger than asked for, along each axis of space."""
    sizes, units = _sizes(volume), _units(volume)
    each = asked if isinstance(asked, list) else [asked] * len(sizes)
    if len(each) != len(sizes):
        raise ValueError(
            f"level {[float(number) for number, _ in each]} should be one voxel size, or one for "
            f"each of the {len(sizes)} axes of space of {volume.path}."
        )
    axes = zip(sizes, units, each, strict=True)
    return all(size * _factor(own, unit, volume) <= most for size, own, (most, unit) in axes)


def _factor(own: str, asked: str, volume: Volume) -> Fraction:
    """How many of the unit that was asked for make one of the volume's own."""
    if not asked or own == asked:
        return Fraction(1)
    lengths = [length_of(unit) for unit in (own, asked)]
    if lengths[0] is None or lengths[1] is None:
        raise ValueError(
            f"The voxel size of {volume.path} is in {own or 'no unit'}, which can't be compared "
            f"with {asked!r}: give level as a number in that of the volume, such as 16.0."
        )
    return lengths[0] / lengths[1]


def _described(given: str, paths: Sequence[str], open_at: _Open) -> str:
    """Levels for people, with their voxel sizes where these are understood."""
    return ", ".join(_one(given, path, open_at) for path in paths)


def _one(given: str, path: str, open_at: _Open) -> str:
    name = path.removeprefix(given.rstrip("/")).strip("/")
    try:
        volume = open_at(path)
    except (OSError, ValueError):
        return name
    sizes = " x ".join(f"{float(size):g}" for size in _sizes(volume))
    return f"{name} ({' '.join([sizes, *dict.fromkeys(filter(None, _units(volume)))])})"
