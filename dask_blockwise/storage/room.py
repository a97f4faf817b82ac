"""Room for an array or image: what lies there is removed, if it is one and may be."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from .arrays_below import array_paths
from .asked_once import asked_once
from .consolidated import renew_consolidated
from .container_format import group_format
from .documents import list_names
from .formats import find_array, is_noticed
from .groups import OF_GROUPS, exists, is_bare, levels_at, some_of
from .location import check_may_be_written, is_remote
from .removal import CLAIM_FILES, MARKS, holds_only_claims, remove_in_order

__all__ = ["check_no_file", "make_room"]

_LABELS = "labels"


def check_no_file(location: str) -> None:
    """Refuse to store where a file is or seems to be, before anything is written beside it.

    Raises
    ------
    FileExistsError
        If a file is there, or above it.
    ValueError
        If the name is that of a file in another format, such as ``cells.tif``.
    """
    if file := _file_at(location):
        raise FileExistsError(
            f"{location} can't be stored: {file} is a file, which isn't overwritten, and a volume "
            "is a folder. Choose another path."
        )
    name = location.rstrip("/").rpartition("/")[2]
    if is_noticed(name) and not exists(location):
        raise ValueError(
            f"{location} can't be stored: what is stored is a folder of zarr, and {name!r} is the "
            "name of a file in another format or of metadata. Choose a path such as out.zarr/name."
        )


@asked_once()
def make_room(given: str, location: str, overwrite: bool, zarr_format: int) -> None:
    """Remove an array or image that is there, but nothing else; an image's labels stay.

    Parameters
    ----------
    given, location : str
        As people gave it, and absolute or a URL.
    overwrite : bool
        Whether what is there may be removed.
    zarr_format : int
        Of what is to be there.

    Raises
    ------
    FileExistsError
        If something else is there, or labels are of another version of zarr.
    """
    check_may_be_written(location)
    local = None if is_remote(location) else Path(location)
    # A file may be an array, or hold some, but then it wasn't made here.
    in_file = _file_at(location) is not None
    if in_file or not exists(location):
        if local and (in_file or _is_occupied(local)):
            raise FileExistsError(
                f"{given} is there and is no zarr, so that it isn't overwritten: choose another "
                "path, or remove it yourself."
            )
        return
    levels = levels_at(location)
    others = _beside(location, levels)
    labels = {path for path in others if path.split("/")[0] == _LABELS} if levels else set()
    if strange := others - labels:
        raise FileExistsError(
            f"{given} is a group that holds other arrays, {some_of(strange)}, so that it isn't "
            "overwritten: choose a path within it, or remove it yourself."
        )
    if not overwrite and not is_bare(location):
        raise FileExistsError(
            f"{given} exists already, and was not written by this very computation. Choose another "
            "path, or pass overwrite=True to replace it."
        )
    if labels:
        _check_version(given, location, zarr_format)
        for level in levels:
            remove_in_order(f"{location}/{level}", keep_claims=True)
    else:
        remove_in_order(location, array_paths(location), keep_claims=True)
    renew_consolidated(location)


def _file_at(location: str) -> Path | None:
    """The file of this disk that lies at a location or above it, if any."""
    parts = () if is_remote(location) else (Path(location), *Path(location).parents)
    return next((part for part in parts if part.is_file()), None)


def _beside(location: str, levels: Collection[str]) -> set[str]:
    """Paths of what lies in a group beside its image: arrays on a disk, objects in a bucket."""
    if not is_remote(location):
        return set(array_paths(location)) - {".", *levels}
    if find_array(location) is not None:
        return set()
    within = tuple(f"{level}/" for level in levels)
    names = [name for name in list_names(location) if not name.startswith(within)]
    return {name for name in names if name not in OF_GROUPS and not _is_claim(name)}


def _is_claim(name: str) -> bool:
    path = Path(name)
    return path.name in CLAIM_FILES and path.parent.name == MARKS


def _check_version(given: str, location: str, zarr_format: int) -> None:
    found = group_format(location)
    if found != zarr_format:
        raise FileExistsError(
            f"{given} is an image of zarr {found} with labels, which stay when it is overwritten, "
            f"and zarr {zarr_format} can't hold them: pass zarr_format={found}, or choose another "
            "path."
        )


def _is_occupied(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir()) and not holds_only_claims(str(path))
