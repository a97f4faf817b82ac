"""Labels of an image where viewers look for them: the list of an image's ``labels`` group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .checked import listing, mapping, understood
from .groups import edit_attributes, read_attributes
from .location import folders_above, groups_above

__all__ = ["edit_image_label", "is_image_label", "is_label", "list_label"]

_GROUP, _LIST, _OF_IMAGE = "labels", "labels", "image-label"


def is_label(location: str) -> bool:
    """Whether it lies in a ``labels`` group of a container: ``image.zarr/labels/cells``."""
    above = groups_above(location)
    return len(above) > 1 and above[-1].rsplit("/", 1)[-1] == _GROUP


def is_image_label(group: str) -> bool:
    """Whether a group's attributes say that it labels an image."""
    attributes = read_attributes(group)
    ome = attributes.get("ome")
    return any(_OF_IMAGE in holder for holder in (attributes, ome) if isinstance(holder, Mapping))


def list_label(location: str, zarr_format: int) -> None:
    """Add a label image to the list of its ``labels`` group, if it lies in one.

    Others that are added at the same time are kept, and so is what another tool wrote.

    Raises
    ------
    ValueError
        If the list isn't understood.
    """
    if not is_label(location):
        return
    group, name = next(folders_above(location))

    with understood(group):
        if name not in _listed(read_attributes(group)):
            edit_attributes(group, zarr_format, lambda found: _with_label(found, name, zarr_format))


def edit_image_label(
    location: str, zarr_format: int, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Change what an image's attributes say of its labels; from then on it is a label image.

    Raises
    ------
    ValueError
        If what is there isn't understood.
    """

    def changed(attributes: dict[str, Any]) -> dict[str, Any]:
        ome = attributes.get("ome")
        holder = ome if isinstance(ome, Mapping) else attributes
        version = holder.get("version", "0.4")
        with understood(location):
            found = mapping(holder.get(_OF_IMAGE) or {"version": version}, _OF_IMAGE)
        said = {_OF_IMAGE: change(dict(found))}
        return attributes | ({"ome": {**ome, **said}} if isinstance(ome, Mapping) else said)

    edit_attributes(location, zarr_format, changed)


def _with_label(attributes: dict[str, Any], name: str, zarr_format: int) -> dict[str, Any]:
    names = [*_listed(attributes)]
    names += [name] * (name not in names)
    if zarr_format == 2:
        return attributes | {_LIST: names}
    ome = {"version": "0.5", **mapping(attributes.get("ome") or {}, "ome"), _LIST: names}
    return attributes | {"ome": ome}


def _listed(attributes: Mapping[str, Any]) -> list[Any]:
    """Names that are listed, by either version of OME-Zarr."""
    ome = attributes.get("ome")
    holders = (ome, attributes) if isinstance(ome, Mapping) else (attributes,)
    found = [name for holder in holders for name in listing(holder.get(_LIST), _LIST)]
    return list(dict.fromkeys(found))
