"""Images of OME-Zarr: their levels, and where a level's voxels lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..geometry.axes import AXES, default_axes, known_axes
from ..geometry.placement import Placement, placement_of
from ..geometry.units import axis_kind, recorded_units
from ..geometry.written import plain
from .checked import listing, mapping, path_inside
from .coordinate_systems import beside, world_of
from .transformations import placing_of

__all__ = [
    "first_image_levels",
    "has_systems",
    "image_levels",
    "listed_transform",
    "not_applied",
    "ome_placement",
]

_BY_KIND = {"time": "t", "channel": "c"}
_KINDS = ("time", "channel", "space")


def image_levels(attributes: Mapping[str, Any]) -> list[str]:
    """Paths, within the group, of the levels of the images that its attributes tell of.

    Raises
    ------
    ValueError
        If a path leads out of the group, or the attributes are of another form.

    Examples
    --------
    >>> image_levels({"multiscales": [{"datasets": [{"path": "s0"}, {"path": "s1"}]}]})
    ['s0', 's1']
    """
    return [level["path"] for _, level in _levels(attributes)]


def first_image_levels(attributes: Mapping[str, Any]) -> list[str]:
    """The same of the first image alone, where there are several."""
    levels = list(_levels(attributes))
    return [level["path"] for image, level in levels if image is levels[0][0]]


def listed_transform(attributes: Mapping[str, Any], path: str) -> Any:
    """The ``transform`` of a level that has nothing of OME's, as OpenOrganelle writes it."""
    for image, level in _levels(attributes):
        if level["path"] == path and not _steps(image, level):
            return level.get("transform")
    return None


def ome_placement(
    attributes: Mapping[str, Any],
    path: str,
    dimensions: int,
    names: Sequence[str] | None = None,
) -> Placement | None:
    """Where the voxels of a level lie; None where the attributes don't tell of it.

    Parameters
    ----------
    attributes : mapping
        Of the image's group, of OME-Zarr up to 0.6.
    path : str
        The level's, within the group.
    dimensions : int
    names : sequence of str, optional
        Of the axes, instead of those that are recorded.

    Raises
    ------
    ValueError
        If axes aren't understood or as many as dimensions, or the level is transformed in another
        way than by scales and translations.
    """
    for image, level in _levels(attributes):
        if level["path"] == path:
            listed = _listed_axes(image, level)
            if names is not None:
                listed = _renamed(listed, names)
            return _placement(image, level, dimensions, listed)
    return None


def has_systems(attributes: Mapping[str, Any], path: str) -> bool:
    """Whether the image of a level has coordinate systems, as of OME-Zarr 0.6 on."""
    found = (image for image, level in _levels(attributes) if level["path"] == path)
    return any("coordinateSystems" in image for image in found)


def not_applied(attributes: Mapping[str, Any], path: str) -> list[str]:
    """Transformations of a level that lead to further coordinate systems, in words."""
    for image, level in _levels(attributes):
        if level["path"] == path and "coordinateSystems" in image:
            return beside(image, level)
    return []


def _levels(attributes: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each image, and each of its levels."""
    ome = attributes.get("ome")
    holder = ome if isinstance(ome, Mapping) else attributes
    images = holder.get("multiscales")
    if isinstance(images, Mapping):
        # One image that isn't in a list, or what some other tool calls so.
        images = [images] if "datasets" in images else None
    for image in listing(images, "multiscales"):
        for level in listing(mapping(image, "multiscales").get("datasets"), "datasets"):
            path = path_inside(mapping(level, "datasets").get("path"), "The path of a dataset")
            yield image, {**level, "path": path}


def _placement(
    image: Mapping[str, Any], level: Mapping[str, Any], n: int, listed: list[Mapping[str, Any]]
) -> Placement:
    axes = tuple(map(_axis, listed)) or default_axes(n)
    if len(axes) != n:
        raise ValueError(
            f"The OME-Zarr metadata of {level['path']!r} names the axes {axes}, but the "
            f"array has {n} dimensions: mend the metadata, or open the array from elsewhere."
        )
    scale, shift = placing_of(_steps(image, level), n)
    blocks = [i for i, axis in enumerate(known_axes(axes)) if axis != "c"]
    units = [listed[i].get("unit") if listed else "" for i in blocks]
    known = recorded_units(units, [axes[i] for i in blocks])
    sizes, begins = ([plain(numbers[i]) for i in blocks] for numbers in (scale, shift))
    return placement_of(axes, sizes, begins, known)


def _listed_axes(image: Mapping[str, Any], level: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    in_systems = "coordinateSystems" in image and "axes" not in image
    listed = listing(world_of(image, level).axes if in_systems else image.get("axes"), "axes")
    named = [{"name": axis} if isinstance(axis, str) else axis for axis in listed]
    return [mapping(axis, "An axis") for axis in named]


def _renamed(listed: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Mapping[str, Any]]:
    """Other axes of the same units."""
    units = [axis.get("unit") for axis in listed] or [None] * len(names)
    if len(units) != len(names):
        raise ValueError(f"it has {len(units)} axes, and the names {tuple(names)} were given")
    return [{"name": name, "unit": unit} for name, unit in zip(names, units, strict=True)]


def _axis(axis: Mapping[str, Any]) -> str:
    """Its name here; one of another name is known by its kind, where only one is of that kind."""
    kind, name = axis.get("type"), axis.get("name")
    try:
        (known,) = known_axes([name])
    except ValueError:
        if isinstance(name, str) and kind in ("time", "channel"):
            return _BY_KIND[kind]
        raise
    if kind is not None and kind != axis_kind(known):
        raise ValueError(
            f"The axis {name!r} is said to be of the type {kind!r}, which is "
            f"{axis_kind(known)!r}: axes are {', '.join(AXES)}, of {', '.join(_KINDS)}."
        )
    return known


def _steps(image: Mapping[str, Any], level: Mapping[str, Any]) -> list[Any]:
    """Transformations of a level: its own, and then those of the whole image."""
    if "coordinateSystems" in image:
        return list(world_of(image, level).steps)
    own, more = (
        listing(holder.get("coordinateTransformations"), "coordinateTransformations")
        for holder in (level, image)
    )
    return [*own, *more]
