"""Where the voxels of a stored array lie, by its own documents and those of its image."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from itertools import islice, product
from typing import Any

from ..geometry.axes import default_axes, warn_of_channels_last
from ..geometry.placement import Placement, placement_of
from .checked import path_inside, understood
from .coordinate_systems import in_scene
from .documents import is_denied
from .formats import find_array
from .groups import read_attributes
from .location import folders_above, is_remote
from .metadata import axes_here, placement_from
from .multiscales import has_systems, image_levels, not_applied
from .stored_array import StoredArray

__all__ = ["placed_as", "read_placement"]

# A level may lie some folders below its image.
_GROUPS_SEARCHED = 5
_MOST_AXES = 16
_SIZES = ("resolution", "voxel_size")
# What others call sizes, by their letters.
_LIKE_SIZES = {
    *("pixelresolution", "pixelsize", "pixelsizes", "pixelwidth", "pixelspacing", "pixdim"),
    *("voxelsize", "voxelsizes", "voxelspacing", "spacing", "resolutions", "elementsizeum"),
    *("physicalsizex", "physicalpixelsizes", "scale", "scales", "affine", "affinetransform"),
    *("transform", "spatialtransform", "downsamplingfactors"),
}
_GROUPS_NEAR = 2
# Transformations of which an array may hold the numbers, and that array's dimensions.
_MAY_BE_STORED = {"scale": 1, "translation": 1, "affine": 2}
_TELL_OF_SIZES = ("zarr.json", ".zattrs")


def read_placement(
    array: StoredArray, axes: Sequence[str] | None = None, warns: bool = True
) -> Placement:
    """Axes, voxel size, offset and unit of an array, from its own and its group's attributes.

    Parameters
    ----------
    array : StoredArray
    axes : sequence of str, optional
        Names of its axes, instead of those that it has.
    warns : bool
        Whether it is said where a voxel size of 1 may be wrong.
    """
    n = len(array.shape)
    groups = folders_above(array.location) if array.zarr_format else ()
    for group, dataset in islice(groups, _GROUPS_SEARCHED):
        with understood(group):
            attributes = read_attributes(group)
            if dataset in image_levels(attributes):
                attributes = _with_stored_numbers(attributes, group)
                if warns and has_systems(attributes, dataset):
                    others = [*not_applied(attributes, dataset), *_in_scenes(group)]
                    _warn_of_systems(array, others)
                return placement_from(attributes, dataset, array.attributes, n, axes)
    with understood(array.path):
        place = placement_from({}, "", array.attributes, n, axes)
    if warns and not place.unit and set(place.voxel_size) == {1}:
        _warn_of_attributes(array)
        _warn_of_denied(array)
        _warn_of_coordinates(array, place.axes)
    return place


def _in_scenes(group: str) -> list[str]:
    """What scenes of groups above say of where an image lies."""
    above = islice(folders_above(group), _GROUPS_NEAR)
    return [told for folder, path in above for told in in_scene(read_attributes(folder), path)]


def _warn_of_systems(array: StoredArray, others: Sequence[str]) -> None:
    """Say so where it lies elsewhere in further coordinate systems."""
    if others:
        warnings.warn(
            f"{array.path} is placed in its image's own coordinate system. Its metadata also tell "
            f"of {', '.join(others)}, which isn't applied: where that is meant, give "
            "open_volume(path, voxel_size=..., unit=...), or bring it there by another tool.",
            stacklevel=2,
        )


def _warn_of_attributes(array: StoredArray) -> None:
    """Say so where attributes are called as if they told of sizes, and are of no known kind."""
    if any(array.attributes.get(name) for name in _SIZES):
        return
    plain = {name: re.sub("[^a-z]", "", name.lower()) for name in array.attributes}
    if found := [name for name, letters in plain.items() if letters in _LIKE_SIZES]:
        warnings.warn(
            f"The voxel size of {array.path} is taken as 1, but its attributes have "
            f"{', '.join(found)}, which isn't understood: give open_volume(path, voxel_size=..., "
            "unit=...).",
            stacklevel=2,
        )


def _warn_of_denied(array: StoredArray) -> None:
    """Say so where a voxel size of 1 is only what is known without documents that are denied."""
    if not is_remote(array.location):
        return
    above = (folder for folder, _ in islice(folders_above(array.location), _GROUPS_NEAR))
    for folder, name in product((array.location, *above), _TELL_OF_SIZES):
        if is_denied(folder, name):
            warnings.warn(
                f"{folder}/{name} may not be read, so that it isn't known whether {array.path} has "
                "a voxel size, which is taken as 1: give open_volume(path, voxel_size=..., "
                "unit=...).",
                stacklevel=2,
            )
            return


def _warn_of_coordinates(array: StoredArray, axes: Sequence[str]) -> None:
    """Say so where arrays beside it are called like its axes, in which xarray keeps coordinates."""
    folder, own = next(folders_above(array.location))
    others = {*axes} - {own} if array.zarr_format else ()
    named = [axis for axis in axes if axis in others and find_array(f"{folder}/{axis}")]
    if named:
        warnings.warn(
            f"The voxel size of {array.path} is taken as 1, but {', '.join(named)} beside it may "
            "be coordinates as xarray writes them: open it by Volume.from_xarray(xarray.open_zarr("
            f"{folder!r})[...]), or give open_volume(path, voxel_size=..., unit=...).",
            stacklevel=2,
        )


def placed_as(
    array: StoredArray,
    axes: Sequence[str] | None,
    voxel_size: Sequence[Any] | None,
    offset: Sequence[Any] | None,
    unit: str | Sequence[str] | None,
) -> Placement:
    """Where an array lies by what is given, and else by what it says.

    What it says of its place may be unknown if its axes and voxel size are given.
    """
    if axes is not None and len(axes) != (n := len(array.shape)):
        raise ValueError(
            f"{len(axes)} names {', '.join(axes)} were given as axes of {array.path}, which has "
            f"{n} dimensions, of shape {array.shape}: name so many, such as "
            f"axes={''.join(default_axes(n))!r}."
        )
    with understood(array.path):
        axes = axes_here(array.attributes, axes)
    try:
        place = read_placement(array, axes, warns=voxel_size is None)
    except ValueError:
        if axes is None or voxel_size is None:
            raise
        return placement_of(axes, voxel_size, offset, unit or "")
    if axes is None and not place.unit and set(place.voxel_size) == {1}:
        warn_of_channels_last(array.path, array.shape, place.axes)
    if voxel_size is None and offset is None and unit is None:
        return place
    return placement_of(
        place.axes,
        place.written_size if voxel_size is None else voxel_size,
        place.written_offset if offset is None else offset,
        [written.unit for written in place.as_written] if unit is None else unit,
    )


def _with_stored_numbers(part: Any, group: str) -> Any:
    """The same metadata, with the numbers of scales and translations that an array holds."""
    if isinstance(part, list):
        return [_with_stored_numbers(inner, group) for inner in part]
    if not isinstance(part, Mapping):
        return part
    kind = part.get("type")
    if kind in _MAY_BE_STORED and "path" in part and kind not in part:
        return {**part, kind: _stored_numbers(part["path"], group, _MAY_BE_STORED[kind])}
    return {key: _with_stored_numbers(inner, group) for key, inner in part.items()}


def _stored_numbers(path: Any, group: str, dimensions: int) -> list[Any]:
    location = f"{group}/{path_inside(path, 'The path of a transformation')}"
    found = find_array(location)
    if found is None:
        raise ValueError(f"the numbers of a transformation should lie at {location}")
    array = StoredArray.of(location, location, *found)
    fits = len(array.shape) == dimensions and max(array.shape) <= _MOST_AXES
    if not fits or array.dtype.kind not in "iuf":
        what = "a list of numbers, one" if dimensions == 1 else "a matrix of numbers, a row"
        raise ValueError(f"{location} should be {what} for each axis")
    listed: list[Any] = array.read(tuple(slice(0, n) for n in array.shape)).tolist()
    return listed
