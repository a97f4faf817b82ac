"""What lies at a path, above it and below: groups, their attributes, and the arrays in them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from .asked_once import asked_once
from .checked import mapping, understood
from .consolidated import renew_consolidated
from .documents import list_names, put, read_json
from .edits import EDIT_LOCK, edit_json
from .formats import find_array
from .location import (
    groups_above,
    is_remote,
    location_of,
)
from .multiscales import image_levels
from .removal import CLAIM_FILES, remove_in_order

__all__ = [
    "OF_GROUPS",
    "edit_attributes",
    "exists",
    "is_bare",
    "levels_at",
    "make_group",
    "make_groups_above",
    "node_attributes",
    "put_group",
    "read_attributes",
    "remove_if_empty",
    "some_of",
    "write_attributes",
]

OF_GROUPS = {"zarr.json", ".zgroup", ".zattrs", EDIT_LOCK}
_HINTS_SHOWN = 8


@asked_once()
def exists(path: str | os.PathLike[str]) -> bool:
    """Whether an array or a group lies at a path."""
    location = location_of(path)
    return find_array(location) is not None or _is_group(location)


@asked_once()
def read_attributes(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Attributes of a group; none where there is no group."""
    location = location_of(path)
    document = read_json(location, "zarr.json")
    if document.get("node_type") == "group":
        with understood(location):
            return dict(mapping(document.get("attributes") or {}, "attributes"))
    return {} if document else read_json(location, ".zattrs")


@asked_once()
def node_attributes(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Attributes of a group or array of zarr; none where there is neither."""
    location = location_of(path)
    document = read_json(location, "zarr.json")
    if not document:
        return read_json(location, ".zattrs")
    with understood(location):
        return dict(mapping(document.get("attributes") or {}, "attributes"))


def levels_at(path: str) -> list[str]:
    """Paths, within a group, of the levels of its images.

    Raises
    ------
    ValueError
        If its attributes aren't understood, or lead out of it.
    """
    with understood(path):
        return image_levels(read_attributes(path))


@asked_once()
def write_attributes(
    path: str | os.PathLike[str], attributes: Mapping[str, Any], zarr_format: int = 3
) -> None:
    """Set attributes of a group, which is made where there is none, or of an array."""
    location = location_of(path)
    if read_json(location, ".zgroup") or read_json(location, ".zarray"):
        zarr_format = 2
    elif not _is_group(location):
        make_groups_above(location, zarr_format)
        put_group(location, {}, zarr_format)
    edit_attributes(location, zarr_format, lambda found: found | dict(attributes))


@asked_once()
def edit_attributes(
    location: str, zarr_format: int, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """Change attributes of a group or array that is there, where others may do so too."""
    if zarr_format == 2:
        edit_json(location, ".zattrs", change)
    else:
        edit_json(location, "zarr.json", lambda found: _with_changed(found, change))
    renew_consolidated(location)


def _with_changed(
    document: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    attributes = dict(mapping(document.get("attributes") or {}, "attributes"))
    group = {"zarr_format": 3, "node_type": "group"}
    return (document or group) | {"attributes": change(attributes)}


def put_group(location: str, attributes: Mapping[str, Any], zarr_format: int) -> None:
    """Write a group's document, with these attributes instead of any others."""
    documents = _documents(attributes, zarr_format)
    if zarr_format != 2:
        documents["zarr.json"] = read_json(location, "zarr.json") | documents["zarr.json"]
    for name, document in documents.items():
        put(location, name, json.dumps(document, indent=2).encode())
    renew_consolidated(location)


def _documents(attributes: Mapping[str, Any], zarr_format: int) -> dict[str, dict[str, Any]]:
    """The documents of a group by their names."""
    if zarr_format == 2:
        return {".zgroup": {"zarr_format": 2}, ".zattrs": dict(attributes)}
    group = {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}
    return {"zarr.json": group}


@asked_once()
def _is_group(location: str) -> bool:
    return any(read_json(location, name) for name in ("zarr.json", ".zgroup", "attributes.json"))


def is_bare(location: str) -> bool:
    """Whether it is a group of nothing, as a run leaves it that is killed before its next file."""
    if find_array(location) is not None or read_attributes(location):
        return False
    names = [name for name in list_names(location) if Path(name).name not in CLAIM_FILES]
    return set(names) <= OF_GROUPS


def make_groups_above(location: str, zarr_format: int) -> None:
    """Make groups, from the container down, of folders that are none yet."""
    for group in groups_above(location):
        if find_array(group) is not None:
            raise ValueError(f"{location} would lie in the array {group}: choose another path.")
        make_group(group, zarr_format)


@asked_once()
def make_group(location: str, zarr_format: int) -> None:
    """Make a group, unless it is one."""
    if _is_group(location):
        return
    if not is_remote(location):
        put_group(location, {}, zarr_format)
        return
    # The one that makes it a group.
    name, new = next(iter(_documents({}, zarr_format).items()))
    # Another run may just have made it, and given it attributes.
    edit_json(location, name, lambda found: found or new)
    renew_consolidated(location)


@asked_once()
def remove_if_empty(location: str) -> None:
    """Remove a group without attributes that holds nothing."""
    if is_remote(location):
        if exists(location) and is_bare(location):
            remove_in_order(location)
            renew_consolidated(location)
        return
    if not Path(location).is_dir() or read_attributes(location):
        return
    names = {entry.name for entry in Path(location).iterdir()}
    # One without documents is a group that was half removed, where it lies in a container.
    is_group = _is_group(location) if names else location in groups_above(f"{location}/x")
    if is_group and names <= OF_GROUPS:
        remove_in_order(location)
        renew_consolidated(location)


def some_of(paths: Collection[str]) -> str:
    """The first of several paths, for people."""
    shown = sorted(paths)[:_HINTS_SHOWN]
    return ", ".join([*shown, "..."] if len(shown) < len(paths) or not shown else shown)
