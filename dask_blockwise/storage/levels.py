"""Levels of an image: what they are called, and how an image's group tells of one more.

OME-Zarr has the position of a voxel's centre. The first voxel of a level is made of several of the
first level's, and its centre lies in the middle of these: half of what it is larger further on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import islice
from typing import Any

from ..geometry.boxes import Index
from ..geometry.placement import Placement
from ..geometry.written import plain
from .arrays import StoredArray, create_array
from .checked import listing, mapping, path_inside, understood
from .groups import edit_attributes, exists, read_attributes
from .location import folders_above
from .metadata import ome_attributes
from .multiscales import image_levels, ome_placement
from .neighbours import neighbours_attributes
from .transformations import placing_of
from .worlds import with_world_of_level

__all__ = [
    "OUR_METHOD",
    "create_level",
    "image_above",
    "level_after",
    "list_level",
    "listed_levels",
    "make_image",
]

# Told of in metadata, and known by that.
OUR_METHOD = "dask_blockwise.pyramid"
_GROUPS_SEARCHED = 5
_NUMBERED = re.compile(r"(.*?)(\d+)")


def level_after(name: str, number: int) -> str:
    """What the level is called that comes so many levels after another.

    Examples
    --------
    >>> level_after("s0", 2), level_after("0", 1), level_after("raw", 1)
    ('s2', '1', 'raw_1')
    """
    found = _NUMBERED.fullmatch(name)
    return f"{found[1]}{int(found[2]) + number}" if found else f"{name}_{number}"


def image_above(location: str) -> tuple[str, str]:
    """The group of the image that an array is a level of, or may become, and its path there.

    Raises
    ------
    ValueError
        If the array is no level, and isn't called like one.
    """
    for group, path in islice(folders_above(location), _GROUPS_SEARCHED):
        if path in image_levels(read_attributes(group)):
            return group, path
    group, name = next(folders_above(location))
    if not _NUMBERED.fullmatch(name) or not exists(group):
        raise ValueError(
            f"{location} is no level of an OME-Zarr image, and levels have no place beside it: "
            "store it as an image with levels, open_volume(path).to_zarr(other, pyramid=True); or "
            "move it into a group of its own, as s0, and give that."
        )
    return group, name


def listed_levels(group: str, first: str) -> list[str]:
    """Paths of all levels of the image that has one of that path, within its group."""
    attributes = read_attributes(group)
    if first not in image_levels(attributes):
        return [first]
    with understood(group):
        return [_path(level) for level in _datasets(_image_of(attributes, first))]


def make_image(group: str, first: str, placement: Placement, zarr_format: int) -> None:
    """Make a group an image of one level, unless it is one."""
    name = group.rsplit("/", 1)[-1]

    def add(attributes: dict[str, Any]) -> dict[str, Any]:
        if first in image_levels(attributes):
            return attributes
        return attributes | ome_attributes(placement, first, name, zarr_format)

    edit_attributes(group, zarr_format, add)


def list_level(
    group: str,
    zarr_format: int,
    path: str,
    *,
    first: str,
    factors: Index,
    how: Mapping[str, Any],
) -> None:
    """Tell in an image's attributes of one more level, or of one that is there already.

    Parameters
    ----------
    group : str
        Where the image lies.
    zarr_format : int
    path, first : str
        Of the level, and of that of which it is a coarser one, within the group.
    factors : tuple of int
        How many of the first's voxels one of its is long, along all axes.
    how : mapping
        By which method: ``type`` and ``metadata`` of the image, unless it has another's.

    Raises
    ------
    ValueError
        If the attributes aren't understood, or are of a version that isn't written.
    """

    def add(attributes: dict[str, Any]) -> dict[str, Any]:
        with understood(group):
            image = _image_of(attributes, first)
            return _with_image(attributes, first, _with_level(image, path, first, factors, how))

    edit_attributes(group, zarr_format, add)


def create_level(
    group: str,
    path: str,
    placement: Placement,
    shape: Sequence[int],
    dtype: Any,
    *,
    zarr_format: int,
    attributes: Mapping[str, Any],
    **settings: Any,
) -> StoredArray:
    """Create the array of a level that its image's group tells of; one that is there is replaced.

    Parameters
    ----------
    group : str
        Where the image lies.
    path : str
        Of the level, within the group.
    placement : Placement
        Which begins where the first level does.
    shape, dtype, zarr_format, attributes, **settings
        As of ``create_array``.
    """
    told = ome_placement(read_attributes(group), path, len(shape))
    if told is None:
        raise ValueError(f"{group} doesn't tell of a level {path!r}.")
    return create_array(
        f"{group}/{path}",
        shape,
        dtype,
        axes=placement.axes,
        zarr_format=zarr_format,
        attributes=neighbours_attributes(placement, zarr_format)
        | with_world_of_level(attributes, placement, told),
        overwrite=True,
        **settings,
    )


def _with_level(
    image: Mapping[str, Any], path: str, first: str, factors: Index, how: Mapping[str, Any]
) -> dict[str, Any]:
    levels = list(_datasets(image))
    finer = next(level for level in levels if _path(level) == first)
    steps = _transformations(finer, factors)
    if "coordinateSystems" in image:
        steps = [_in_system(finer, path, steps)]
    made = {"path": path, "coordinateTransformations": steps}
    others = [level for level in levels if _path(level) != path]
    place = next((n for n, level in enumerate(levels) if _path(level) == path), len(others))
    told = image.get("metadata")
    ours = isinstance(told, Mapping) and told.get("method") == OUR_METHOD
    kept = {**image, **how} if ours else {**how, **image}
    return {**kept, "datasets": [*others[:place], made, *others[place:]]}


def _transformations(finer: Mapping[str, Any], factors: Index) -> list[dict[str, Any]]:
    """Scale and translation of a level, exactly, by those of a finer one."""
    scale, shift = placing_of(_steps(finer), len(factors))
    axes = list(zip(scale, shift, factors, strict=True))
    return [
        {"type": "scale", "scale": _floats([s * f for s, _, f in axes])},
        {
            "type": "translation",
            "translation": _floats([t + s * (f - 1) / 2 for s, t, f in axes]),
        },
    ]


def _in_system(
    finer: Mapping[str, Any], path: str, steps: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Scale and translation as 0.6 has them: one transformation, to the system of a finer level."""
    (to_system,) = _steps(finer)
    begin = {"path": path} if isinstance(to_system.get("input"), Mapping) else path
    ends = {"input": begin, "output": to_system.get("output")}
    return {"type": "sequence", **ends, "transformations": list(steps)}


def _steps(level: Mapping[str, Any]) -> list[Any]:
    """Its own transformations; of 0.6, the one that leads to the image's own system."""
    steps = listing(level.get("coordinateTransformations"), "coordinateTransformations")
    led = [step for step in steps if isinstance(step, Mapping) and step.get("output")]
    return led[:1] or list(steps)


def _floats(numbers: Sequence[Fraction]) -> list[int | float]:
    # A float has no digits for a larger whole number.
    return [float(n) if abs(n) <= 2**53 else plain(n) for n in numbers]


def _image_of(attributes: Mapping[str, Any], first: str) -> Mapping[str, Any]:
    for image in _images(attributes):
        if any(_path(level) == first for level in _datasets(image)):
            return image
    raise ValueError(f"it has no image with a level {first!r}")


def _with_image(
    attributes: Mapping[str, Any], first: str, changed: Mapping[str, Any]
) -> dict[str, Any]:
    """The attributes with a changed image in place of the one that has the level."""
    old = _image_of(attributes, first)
    images = [changed if image is old else image for image in _images(attributes)]
    ome = attributes.get("ome")
    if isinstance(ome, Mapping):
        return {**attributes, "ome": {**ome, "multiscales": images}}
    return {**attributes, "multiscales": images}


def _images(attributes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    ome = attributes.get("ome")
    holder = ome if isinstance(ome, Mapping) else attributes
    images = listing(holder.get("multiscales"), "multiscales")
    return [mapping(image, "multiscales") for image in images]


def _datasets(image: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    levels = listing(image.get("datasets"), "datasets")
    return [mapping(level, "datasets") for level in levels]


def _path(level: Mapping[str, Any]) -> str:
    return path_inside(level.get("path"), "The path of a dataset")
