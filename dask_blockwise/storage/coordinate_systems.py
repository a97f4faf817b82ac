"""Coordinate systems of OME-Zarr 0.6: which one is a level's world, and what leads there.

References
----------
https://ngff.openmicroscopy.org, of which 0.6 is a release candidate: a level is brought to the
image's intrinsic system, and from there by further transformations to others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .checked import listing, mapping

__all__ = ["World", "beside", "in_scene", "world_of"]

_AXES_OF_AN_ARRAY = "array"


@dataclass(frozen=True)
class World:
    """A coordinate system, and the transformations by which a level is brought to it."""

    name: str | None
    axes: Any
    steps: tuple[Any, ...]


def world_of(image: Mapping[str, Any], level: Mapping[str, Any]) -> World:
    """The image's intrinsic system; where that has no units, the only further one that has.

    Parameters
    ----------
    image : mapping
        With ``coordinateSystems``.
    level : mapping
        Of its ``datasets``.

    Raises
    ------
    ValueError
        If there is no system into which the level is transformed.
    """
    steps = tuple(listing(level.get("coordinateTransformations"), "coordinateTransformations")[:1])
    name = _referred(steps[0], "output")[0] if steps else None
    intrinsic = _system(image, name)
    if _has_units(intrinsic):
        return _world(intrinsic, steps)
    further = [(_system(image, other), step) for other, step in _leading_on(image, intrinsic)]
    measured = [(system, step) for system, step in further if _has_units(system)]
    if len(measured) != 1:
        return _world(intrinsic, steps)
    ((system, step),) = measured
    return _world(system, (*steps, step))


def beside(image: Mapping[str, Any], level: Mapping[str, Any]) -> list[str]:
    """What else is said of where a level lies and isn't applied, in words."""
    world = world_of(image, level)
    own = listing(level.get("coordinateTransformations"), "coordinateTransformations")
    further = [step for _, step in _leading_on(image, _system(image, world.name))]
    others = [step for step in (*own[1:], *further) if step not in world.steps]
    return [_told(step) for step in others if _kind(step) != "identity"]


def in_scene(attributes: Mapping[str, Any], path: str) -> list[str]:
    """Transformations by which a scene, of a group above, places the image at a path, in words."""
    ome = attributes.get("ome")
    scene = ome.get("scene") if isinstance(ome, Mapping) else None
    steps = scene.get("coordinateTransformations") if isinstance(scene, Mapping) else None
    listed = listing(steps, "coordinateTransformations")
    own = [step for step in listed if _leads_from(step, path) and _kind(step) != "identity"]
    return [_told(step) for step in own]


def _leads_from(step: Any, path: str) -> bool:
    begin = _referred(step, "input")[1]
    return isinstance(begin, str) and begin.removeprefix("./").strip("/") == path


def _world(system: Mapping[str, Any], steps: tuple[Any, ...]) -> World:
    name = system.get("name")
    return World(name if isinstance(name, str) else None, system.get("axes"), steps)


def _leading_on(image: Mapping[str, Any], system: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Other systems of the image, and the transformation from one system to each."""
    for step in listing(image.get("coordinateTransformations"), "coordinateTransformations"):
        begin, end = (_referred(step, side) for side in ("input", "output"))
        if begin == (system.get("name"), None) and end[0] is not None and end[1] is None:
            yield end[0], step


def _referred(step: Any, side: str) -> tuple[str | None, str | None]:
    """The name of a system, and the path to its group where that is another one."""
    given = mapping(step, "A transformation").get(side)
    if isinstance(given, Mapping):
        return given.get("name"), given.get("path")
    return given, None


def _system(image: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    """The system of this name; the first one, if none is named."""
    listed = listing(image["coordinateSystems"], "coordinateSystems")
    for system in [mapping(system, "A coordinate system") for system in listed]:
        if name in (None, system.get("name")):
            return system
    raise ValueError(f"it has no coordinate system {name!r}, into which a level is transformed")


def _has_units(system: Mapping[str, Any]) -> bool:
    axes = [axis for axis in listing(system.get("axes"), "axes") if isinstance(axis, Mapping)]
    return any(axis.get("unit") and axis.get("type") != _AXES_OF_AN_ARRAY for axis in axes)


def _kind(step: Any) -> Any:
    return mapping(step, "A transformation").get("type")


def _told(step: Any) -> str:
    name, path = _referred(step, "output")
    return f"{_kind(step)} to {name!r}" + (f" of {path!r}" if path else "")
