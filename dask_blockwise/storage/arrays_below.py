"""Which arrays lie below a folder: of zarr, N5 and precomputed, and single files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

from .formats import arrays_within, find_array, find_file, is_noticed
from .location import location_of, on_disk

__all__ = ["array_paths", "arrays_below", "may_be_array"]


def array_paths(path: str | os.PathLike[str]) -> list[str]:
    """Paths, relative to a local folder, of all arrays below it."""
    top = location_of(path)
    return sorted(arrays_below(top)) if on_disk(top) else []


def arrays_below(top: str, folders: int | None = None) -> Iterator[str]:
    """Paths of arrays, in all folders or the first so many."""
    for folder, below, files in islice(os.walk(top), folders):
        noticed = [file for file in files if is_noticed(file)]
        if noticed and may_be_array(folder):
            # Its chunks may be millions of folders.
            below.clear()
            yield os.path.relpath(folder, top)
            continue
        paths = (path for file in noticed for path in _arrays_of(f"{folder}/{file}"))
        yield from (os.path.relpath(path, top) for path in paths)


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
