"""What lies at a path, above it and below: groups, their attributes, and the arrays in them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from .arrays_below import arrays_below, may_be_array
from .asked_once import asked_once
from .checked import mapping, understood
from .consolidated import renew_consolidated
from .documents import has_document, is_denied, list_names, put, read_json
from .edits import EDIT_LOCK, edit_json
from .formats import arrays_within, find_array, is_noticed, titles
from .location import (
    archive_of,
    can_be_listed,
    groups_above,
    is_remote,
    location_of,
    nearest_names,
    on_disk,
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
    "what_is_there",
    "write_attributes",
]

OF_GROUPS = {"zarr.json", ".zgroup", ".zattrs", EDIT_LOCK}
_TELLING = ("zarr.json", ".zarray", "attributes.json", "info")
_HINTS_SHOWN = 8
# A home folder or the root may hold millions.
_FOLDERS_SEARCHED = 2000


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


def what_is_there(given: str) -> str:
    """Why no array can be opened at a path, and which could be."""
    location = location_of(given)
    if not on_disk(location):
        return f"No array at {given}{_why_not_there(location)}"
    within = arrays_within(location)
    if within is not None:
        return f"No array at {given}. Its file has {some_of(within)}."
    if not Path(location).exists():
        return f"No array at {given}: there is no such file or folder. {nearest_names(location)}."
    if Path(location).is_file():
        return (
            f"{given} is a file, and arrays are opened from {titles()}: "
            "read it with a library for its kind, such as mrcfile, and make a volume of what "
            "that gives, Volume.from_array(array, voxel_size=...)."
        )
    below = list(islice(arrays_below(location, _FOLDERS_SEARCHED), _HINTS_SHOWN + 1))
    hint = f"Arrays below it: {some_of(below)}." if below else "Nor was one found below it."
    return f"No array at {given}. {hint} Open one of {titles()}."


def _why_not_there(location: str) -> str:
    """What is to be done where nothing was found in a bucket, on a web server or in an archive."""
    archive = archive_of(location)
    file, inner = archive or (location, location)
    if any(is_noticed(part) for part in inner.split("/")):
        return ": single files are opened from a disk, copy it to one."
    if archive is not None and has_document(*file.rsplit("/", 1)):
        within = _arrays_in_archive(file)
        return f". Its archive has {some_of(within) if within else 'no array'}."
    if any(is_denied(location, name) for name in _TELLING):
        return ": its metadata may not be read. Check the address, and ask for access."
    if not can_be_listed(location):
        return ": check the address; of an image below it, give the path to the end."
    return ": check the path, and that its bucket may be read."


def _arrays_in_archive(file: str) -> list[str]:
    folders = (name.rpartition("/")[0] for name in list_names(file) if is_noticed(Path(name).name))
    return [folder for folder in dict.fromkeys(folders) if may_be_array(f"{file}/{folder}")]


def some_of(paths: Collection[str]) -> str:
    """The first of several paths, for people."""
    shown = sorted(paths)[:_HINTS_SHOWN]
    return ", ".join([*shown, "..."] if len(shown) < len(paths) or not shown else shown)
