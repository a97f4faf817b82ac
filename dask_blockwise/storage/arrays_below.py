"""Which arrays lie below a folder: of zarr, N5 and precomputed, and single files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

from .documents import list_names
from .formats import arrays_within, find_array, find_file, is_noticed
from .location import archive_of, can_be_listed, location_of, on_disk
from .object_stores import list_folder

__all__ = ["array_paths", "arrays_below", "may_be_array"]


def array_paths(path: str | os.PathLike[str]) -> list[str]:
    """Paths, relative to a local folder, of all arrays below it."""
    top = location_of(path)
    return sorted(arrays_below(top)) if on_disk(top) else []


def arrays_below(top: str, folders: int | None = None) -> Iterator[str]:
    """Paths of arrays, in all folders or the first so many; in a file that holds several, of all.

    None where it can't be listed, as of a web server.
    """
    within = arrays_within(top)
    if within is not None:
        yield from (path[len(top) + 1 :] for path in within if path.startswith(f"{top}/"))
        return
    for folder, below, files in islice(_walk(top), folders):
        noticed = [file for file in files if is_noticed(file)]
        if noticed and may_be_array(folder):
            # Its chunks may be millions of folders.
            below.clear()
            yield _relative(folder, top)
            continue
        paths = (path for file in noticed for path in _arrays_of(f"{folder}/{file}"))
        yield from (_relative(path, top) for path in paths)


def _relative(path: str, top: str) -> str:
    return os.path.relpath(path, top) if on_disk(top) else path[len(top) :].strip("/") or "."


def _walk(top: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """As ``os.walk`` does, also in buckets and archives."""
    if on_disk(top):
        yield from os.walk(top)
    elif archive_of(top):
        # All of its names are read at once.
        files: dict[str, list[str]] = {}
        for name in list_names(top):
            folder, _, file = name.rpartition("/")
            files.setdefault(folder, []).append(file)
        yield from ((f"{top}/{folder}".rstrip("/"), [], held) for folder, held in files.items())
    elif can_be_listed(top):
        yield from _walk_objects(top) if _is_listed(top) else ()


def _is_listed(top: str) -> bool:
    """Whether it may be listed, and is there."""
    try:
        list_folder(top)
    except OSError:
        return False
    return True


def _walk_objects(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    below, files = list_folder(folder)
    yield folder, below, files
    for name in below:
        yield from _walk_objects(f"{folder}/{name}")


def may_be_array(folder: str) -> bool:
    """Whether it is an array, or one whose metadata can't be read."""
    try:
        return find_array(folder) is not None
    except (OSError, ValueError):
        return True


def _arrays_of(file: str) -> list[str]:
    """A file that is an array, or those that it holds; one that can't be read counts as one."""
    try:
        return [file] if find_file(file) is not None else arrays_within(file) or []
    except (ImportError, OSError, ValueError):
        return [file]
