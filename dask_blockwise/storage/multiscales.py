"""Images of OME-Zarr: their levels, and where a level's voxels lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from ..geometry.axes import AXES, default_axes, known_axes
from ..geometry.meant import exact
from ..geometry.placement import Placement, placement_of
from ..geometry.units import axis_kind, recorded_units
from ..geometry.written import plain
from .checked import listing, mapping, numbers, path_inside

__all__ = ["image_levels", "ome_placement"]

_BY_KIND = {"time": "t", "channel": "c"}
_KINDS = ("time", "channel", "space")
_STEPS = ("scale", "translation")


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


def ome_placement(attributes: Mapping[str, Any], path: str, dimensions: int) -> Placement | None:
    """Where the voxels of a level lie; None where the attributes don't tell of it.

    Parameters
    ----------
    attributes : mapping
        Of the image's group, of OME-Zarr up to 0.5.
    path : str
        The level's, within the group.
    dimensions : int

    Raises
    ------
    ValueError
        If axes aren't understood or as many as dimensions, or the level is transformed in another
        way than by scales and translations.
    """
    for image, level in _levels(attributes):
        if level["path"] == path:
            return _placement(image, level, dimensions)
    return None


def _levels(attributes: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each image, and each of its levels."""
    ome = attributes.get("ome")
    holder = ome if isinstance(ome, Mapping) else attributes
    for image in listing(holder.get("multiscales"), "multiscales"):
        for level in listing(mapping(image, "multiscales").get("datasets"), "datasets"):
            path_inside(mapping(level, "datasets").get("path"), "The path of a dataset")
            yield image, level


def _placement(image: Mapping[str, Any], level: Mapping[str, Any], n: int) -> Placement:
    listed = _listed_axes(image)
    axes = tuple(map(_axis, listed)) or default_axes(n)
    if len(axes) != n:
        raise ValueError(
            f"The OME-Zarr metadata of {level['path']!r} names the axes {axes}, but the "
            f"array has {n} dimensions: mend the metadata, or open the array from elsewhere."
        )
    scale, shift = _transformed(image, level, n)
    blocks = [i for i, axis in enumerate(known_axes(axes)) if axis != "c"]
    units = [listed[i].get("unit") if listed else "" for i in blocks]
    known = recorded_units(units, [axes[i] for i in blocks])
    sizes, begins = ([plain(numbers[i]) for i in blocks] for numbers in (scale, shift))
    return placement_of(axes, sizes, begins, known)


def _listed_axes(image: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "coordinateSystems" in image and "axes" not in image:
        raise ValueError("it has coordinateSystems; OME-Zarr is read up to version 0.5")
    listed = listing(image.get("axes"), "axes")
    named = [{"name": axis} if isinstance(axis, str) else axis for axis in listed]
    return [mapping(axis, "An axis") for axis in named]


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


def _transformed(
    image: Mapping[str, Any], level: Mapping[str, Any], n: int
) -> tuple[list[Fraction], list[Fraction]]:
    """Scale and translation of a level: its own, and then those of the whole image."""
    scale, shift = [Fraction(1)] * n, [Fraction(0)] * n
    for holder in (level, image):
        for step in listing(holder.get("coordinateTransformations"), "coordinateTransformations"):
            by, to = _step(mapping(step, "A transformation"), n)
            scale = [s * b for s, b in zip(scale, by, strict=True)]
            shift = [s * b + t for s, b, t in zip(shift, by, to, strict=True)]
    return scale, shift


def _step(step: Mapping[str, Any], n: int) -> tuple[list[Fraction], list[Fraction]]:
    known = [name for name in _STEPS if name in step]
    if not known and step.get("type") != "identity":
        raise ValueError(f"the transformation {dict(step)} is neither a scale nor a translation")
    by, to = (
        [exact(v) for v in numbers(step.get(name, [default] * n), name)]
        for name, default in zip(_STEPS, (1, 0), strict=True)
    )
    if len(by) != n or len(to) != n:
        raise ValueError(f"{' and '.join(known)} should have a number for each of {n} axes")
    return by, to
