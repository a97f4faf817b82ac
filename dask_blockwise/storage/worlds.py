"""The whole numbers in which an array was made, kept beside those that its image's metadata has.

So an output is where it was when it was made, in the same units of the world, though it is written
in others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..geometry.placement import Placement, written_as

__all__ = ["in_the_world_of", "with_world", "with_world_of_level"]

_OURS, _KEY = "dask_blockwise", "world"
_UNITS = ("unit", "time_unit")
_NUMBERS = ("voxel_size", "offset")


def with_world(attributes: Mapping[str, Any], placement: Placement) -> dict[str, Any]:
    """Attributes of an array, and the whole numbers of its place if others are written.

    Examples
    --------
    >>> with_world({"a": 1}, Placement(("x",), (4,), (0,), "nanometer"))
    {'a': 1}
    """
    if not placement.written:
        return dict(attributes)
    return _with(attributes, placement, {"written": _written(placement)})


def with_world_of_level(
    attributes: Mapping[str, Any], placement: Placement, told: Placement
) -> dict[str, Any]:
    """Attributes of a level, of which its image's metadata tell where its first voxel's centre is.

    Parameters
    ----------
    attributes : mapping
    placement : Placement
        Which begins where the first level does.
    told : Placement
        As the image's metadata are read.
    """
    begins = list(placement.written_offset)
    return _with(attributes, placement, {"written": _written(told), "begins": begins})


def _with(
    attributes: Mapping[str, Any], placement: Placement, beside: Mapping[str, Any]
) -> dict[str, Any]:
    world = {name: getattr(placement, name) for name in (*_UNITS, *_NUMBERS)}
    return {**attributes, _OURS: {**attributes.get(_OURS, {}), _KEY: {**world, **beside}}}


def in_the_world_of(attributes: Mapping[str, Any], placement: Placement) -> Placement:
    """The place in the whole numbers that an array's attributes have, unless it was moved since."""
    ours = attributes.get(_OURS)
    world = ours.get(_KEY) if isinstance(ours, Mapping) else None
    if not isinstance(world, Mapping) or world.get("written") != _written(placement):
        return placement
    unit, time_unit = (str(world.get(name, "")) for name in _UNITS)
    size, offset = (_whole(world.get(name)) for name in _NUMBERS)
    if {len(size), len(offset)} != {len(placement.block_axes)} or min(size) < 1:
        return placement
    place = Placement(placement.axes, size, offset, unit, time_unit)
    names = [axis.unit for axis in placement.as_written]
    begins = world.get("begins")
    if not isinstance(begins, list) or len(begins) != len(names):
        begins = placement.written_offset
    return written_as(place, names, placement.written_size, begins)


def _whole(numbers: Any) -> tuple[int, ...]:
    """The numbers, if they are a list of whole ones."""
    listed = numbers if isinstance(numbers, list) else []
    return tuple(listed) if all(type(number) is int for number in listed) else ()


def _written(placement: Placement) -> list[list[Any]]:
    """Unit, size and begin along each axis."""
    units = [axis.unit for axis in placement.as_written]
    each = zip(units, placement.written_size, placement.written_offset, strict=True)
    return [[unit, size, begin] for unit, size, begin in each]
