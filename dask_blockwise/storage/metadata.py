"""Where an array's voxels lie: axes, voxel size, offset and unit, as containers record them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..geometry.axes import default_axes, known_axes
from ..geometry.placement import Placement, placement_of
from ..geometry.units import axis_kind, recorded_units
from .checked import NOT_UNDERSTOOD, listing, numbers
from .formats.transform import of_transform
from .multiscales import listed_transform, ome_placement
from .worlds import in_the_world_of

__all__ = ["axes_here", "ome_attributes", "placement_from"]


def placement_from(
    group: Mapping[str, Any],
    dataset: str,
    array: Mapping[str, Any],
    dimensions: int,
    names: Sequence[str] | None = None,
) -> Placement:
    """Read a placement from what a container records.

    Parameters
    ----------
    group : mapping
        Attributes of the group that holds the array; OME-Zarr images up to 0.6 are understood.
    dataset : str
        The array's path within the group.
    array : mapping
        The array's own attributes: ``resolution`` or ``voxel_size``, ``offset`` in world units,
        ``axis_names``, ``units``, as funlib.persistence and DaCapo write them.
    dimensions : int
    names : sequence of str, optional
        Of the axes, instead of those that are recorded.

    Returns
    -------
    Placement

    Raises
    ------
    ValueError
        If axes aren't known, or sizes, offsets and transformations don't fit them.

    Examples
    --------
    >>> placement = placement_from({}, "s0", {"resolution": [4, 4], "offset": [8, 0]}, 2)
    >>> placement.axes, placement.voxel_size, placement.offset
    (('y', 'x'), (4, 4), (8, 0))
    """
    if transform := listed_transform(group, dataset):
        group = {}
        array = {**array, **of_transform({"transform": transform}, x_first=False)}
    if (placement := ome_placement(group, dataset, dimensions, names)) is not None:
        return in_the_world_of(array, placement)
    if NOT_UNDERSTOOD in array:
        raise ValueError(array[NOT_UNDERSTOOD])
    if names is not None:
        array = {**array, "axis_names": list(names)}
    size = numbers(array.get("resolution", array.get("voxel_size")), "resolution")
    begin = numbers(array.get("offset"), "offset")
    axes = _named_axes(array, dimensions, len(size))
    units = recorded_units(
        array.get("units", array.get("unit")), [axis for axis in axes if axis != "c"]
    )
    placement = placement_of(
        axes, _measured(size, axes, 1, "resolution"), _measured(begin, axes, 0, "offset"), units
    )
    return in_the_world_of(array, placement)


def ome_attributes(
    placement: Placement, dataset: str, name: str, zarr_format: int, label: bool = False
) -> dict[str, Any]:
    """Attributes of a group that make it an OME-Zarr image of one level.

    Parameters
    ----------
    placement : Placement
    dataset : str
        The array's path within the group.
    name : str
    zarr_format : int
        3 for OME-Zarr 0.5, 2 for 0.4.
    label : bool
        Whether it labels the image two groups further up.

    Returns
    -------
    dict

    References
    ----------
    https://ngff.openmicroscopy.org

    Examples
    --------
    >>> place = Placement(("y", "x"), (4, 4), (0, 0), "nanometer")
    >>> ome_attributes(place, "s0", "raw", 3)["ome"]["multiscales"][0]["axes"][0]
    {'name': 'y', 'type': 'space', 'unit': 'nanometer'}
    """
    transforms = [
        {"type": "scale", "scale": _with_channel(placement, placement.written_size, 1)},
        {
            "type": "translation",
            "translation": _with_channel(placement, placement.written_offset, 0),
        },
    ]
    image = {
        "name": name,
        "axes": _ome_axes(placement),
        "datasets": [{"path": dataset, "coordinateTransformations": transforms}],
    }
    version = "0.5" if zarr_format == 3 else "0.4"
    of_label = {"image-label": {"version": version, "source": {"image": "../../"}}} if label else {}
    if zarr_format == 3:
        return {"ome": {"version": version, "multiscales": [image], **of_label}}
    return {"multiscales": [{"version": version, **image}], **of_label}


def _ome_axes(placement: Placement) -> list[dict[str, str]]:
    units = dict(zip(placement.block_axes, placement.as_written, strict=True))
    return [
        {"name": axis, "type": axis_kind(axis)}
        | ({"unit": units[axis].unit} if axis in units and units[axis].unit else {})
        for axis in placement.axes
    ]


def _with_channel(
    placement: Placement, values: Sequence[int | float], channel: int
) -> list[int | float]:
    rest = iter(values)
    numbers = [channel if axis == "c" else next(rest) for axis in placement.axes]
    # A float has no digits for a larger whole number.
    return [float(n) if abs(n) <= 2**53 else n for n in numbers]


def axes_here(array: Mapping[str, Any], given: Sequence[str] | None) -> Sequence[str] | None:
    """Axes that are given, of a file whose own may come in another order here.

    Raises
    ------
    ValueError
        If it can't be known which order is meant.

    Examples
    --------
    >>> axes_here({"axes_in_file": ["y", "x", "c"], "axis_names": ["c", "y", "x"]}, "yxc")
    ['c', 'y', 'x']
    """
    own, here = array.get("axes_in_file"), array.get("axis_names")
    if given is None or own is None or here is None or list(known_axes(given)) == here:
        return given
    same = [[axis for axis in axes if axis != "c"] for axes in (own, here)]
    if list(known_axes(given)) == own and same[0] == same[1]:
        return list(here)
    raise ValueError(
        f"its axes are {', '.join(own)}, which come as {', '.join(here)} here, and {given!r} is "
        "neither: leave axes out, or read it otherwise and make a volume, "
        "Volume.from_array(array, axes=...)"
    )


def _named_axes(array: Mapping[str, Any], dimensions: int, sized: int) -> tuple[str, ...]:
    """Axes by name, by the number of resolutions, or else by default."""
    names = array.get("axis_names", array.get("_ARRAY_DIMENSIONS"))
    listed = _instead_of_numbers(list(listing(names, "axis_names")))
    if listed:
        axes = known_axes(listed)
        if len(axes) != dimensions:
            raise ValueError(f"its axes are {tuple(listed)}, but it has {dimensions} dimensions")
        return axes
    if 2 <= sized == dimensions - 1 <= 3:
        return ("c", *default_axes(sized))
    return default_axes(dimensions)


def _instead_of_numbers(names: list[Any]) -> list[Any]:
    """Names without those that libraries make of an axis's number, where nobody named it."""
    texts = [name if isinstance(name, str) else "" for name in names]
    if not any(names) or all(re.fullmatch(r"dim_\d+", text) for text in texts):
        return []
    channels = [text for text in texts if re.fullmatch(r"c\d+\^", text)]
    space = len(texts) - len(channels)
    if texts == [*channels, *(f"d{i}" for i in range(space))] and 1 <= space <= 3:
        return [*("c" for _ in channels), *default_axes(space)]
    return names


def _measured(
    values: Sequence[Any], axes: Sequence[str], default: int, name: str
) -> Sequence[Any] | None:
    """The values of all axes but channels, which may be among them; time has one or the default."""
    block_axes = [axis for axis in axes if axis != "c"]
    if not values:
        return None
    if len(values) == len(axes):
        return [value for value, axis in zip(values, axes, strict=True) if axis != "c"]
    if len(values) == len(block_axes):
        return values
    if block_axes[:1] == ["t"] and len(values) == len(block_axes) - 1:
        return [default, *values]
    raise ValueError(
        f"its {name} {list(values)} should have one number for each of the axes {tuple(axes)}, or "
        "for each but channels and time"
    )
