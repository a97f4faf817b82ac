"""The levels of an image of several resolutions, whichever way its container tells of them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .arrays_below import arrays_below
from .checked import understood
from .formats import Levelled, registered
from .groups import read_attributes
from .location import given_as, location_of
from .multiscales import first_image_levels
from .scales import keys_of

__all__ = ["image_paths", "images_below", "level_paths"]

# Folders beside an output, of what its blocks left for one another.
_OF_SCRATCH = ".scratch"


def level_paths(path: str) -> list[str]:
    """Paths of the levels of the image at a path, as its container lists them; finest first.

    Parameters
    ----------
    path : path or URL
        Of an image of OME-Zarr or N5, of precomputed data or a TIFF of several resolutions, or of
        a group whose arrays are called s0, s1 and so on.

    Returns
    -------
    list of str
        None where an array lies at the path that is no image of several levels, or nothing.

    Raises
    ------
    ValueError
        If what tells of them isn't understood, or leads elsewhere.

    Examples
    --------
    >>> from dask_blockwise.storage.arrays import create_array
    >>> for name in "s0", "s1":
    ...     _ = create_array(f"a.zarr/raw/{name}", (4, 4), "uint8", chunks=(4, 4))
    >>> level_paths("a.zarr/raw")
    ['a.zarr/raw/s0', 'a.zarr/raw/s1']
    """
    given = given_as(path)
    if found := image_paths(given):
        return found
    location = location_of(given)
    for format in registered():
        if isinstance(format, Levelled) and (levels := format.levels(location)):
            return _below(given, levels)
    return []


def image_paths(given: str) -> list[str]:
    """The same, of OME-Zarr and precomputed data alone, also where there is one level."""
    location = location_of(given)
    with understood(given):
        found = first_image_levels(read_attributes(location))
    return _below(given, found or [key for key in keys_of(location) if "/" not in key])


def images_below(path: str | os.PathLike[str], folders: int | None = None) -> list[str]:
    """Paths, relative to a container, of all images below it: of several levels, one path.

    What a run keeps for itself, in ``<output>.scratch``, is left out.

    Parameters
    ----------
    path : path or URL
        Of a folder, bucket or archive, or of a file that holds several arrays.
    folders : int, optional
        How many folders are looked into; all unless given.

    Examples
    --------
    >>> from dask_blockwise.storage.arrays import create_array
    >>> for name in "raw/s0", "raw/s1", "mask":
    ...     _ = create_array(f"a.zarr/{name}", (4, 4), "uint8", chunks=(4, 4))
    >>> images_below("a.zarr")
    ['mask', 'raw']
    """
    top = location_of(path)
    found = sorted(arrays_below(top, folders))
    names = [name for name in found if f"{_OF_SCRATCH}/" not in name]
    groups = {name: name.rpartition("/")[0] for name in names}
    levels = {group: _levels_in(f"{top}/{group}".rstrip("/")) for group in {*groups.values()}}
    images = (group if f"{top}/{name}" in levels[group] else name for name, group in groups.items())
    return list(dict.fromkeys(images))


def _levels_in(group: str) -> list[str]:
    try:
        return level_paths(group)
    except (OSError, ValueError):
        return []  # What tells of them is damaged.


def _below(given: str, names: Iterable[str]) -> list[str]:
    return [f"{given.rstrip('/')}/{name}" for name in names]
