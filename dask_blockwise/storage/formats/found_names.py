"""By which names an array's chunks lie in a store, which isn't always what its metadata say."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ..documents import list_names
from ..location import archive_of, can_be_listed, is_remote, on_disk
from ..object_stores import find_object, list_objects
from .unit_names import UnitNames

__all__ = ["check_names", "has_units", "likely_names", "likely_units", "some_names"]

# What one request lists, and a disk in a few milliseconds.
_NAMES_SEEN = 1000
_NUMBER = "[0-9]+"


def some_names(location: str, likely: Iterable[str] = ()) -> list[str]:
    """Names of the first files below a folder or URL; none where it can't be listed.

    Parameters
    ----------
    location : str
    likely : iterable of str
        What is looked for on a web server, which tells only of what it is asked for.
    """
    try:
        if on_disk(location):
            return [name for name in islice(_entries(location, ""), _NAMES_SEEN) if name]
        if not can_be_listed(location):
            return _answered(location, list(likely))
        if is_remote(location) and archive_of(location) is None:
            return [found.name for found in islice(list_objects(location), _NAMES_SEEN)]
        return list_names(location)[:_NAMES_SEEN]
    except OSError:
        return []


def likely_names(
    ways: Iterable[UnitNames], shape: Sequence[int], size: Sequence[int]
) -> Iterator[str]:
    """What the first, the middle and the last units are called, by each way to name them.

    Examples
    --------
    >>> list(likely_names([UnitNames("c", "/")], (4, 9), (4, 2)))
    ['c/0/0', 'c/0/2', 'c/0/4']
    """
    for way in ways:
        yield from dict.fromkeys(way.of(likely_units(shape, size)))


def likely_units(shape: Sequence[int], size: Sequence[int]) -> NDArray[np.int64]:
    """Numbers of the first, the middle and the last units, one in each row."""
    last = [(n - 1) // unit for n, unit in zip(shape, size, strict=True)]
    return np.array([[0, n // 2, n] for n in last], np.int64).reshape(len(last), 3).T


def has_units(names: Sequence[str], units: UnitNames, dimensions: int) -> bool:
    """Whether some of these are names of an array's units."""
    return bool(units.numbers(names, dimensions)[0].size)


def check_names(
    location: str, names: Sequence[str], units: UnitNames, dimensions: int, mend: str
) -> None:
    """Refuse an array of which there are chunks, but none by the names that its metadata give.

    Parameters
    ----------
    location : str
    names : sequence of str
        Of some of its files.
    units : UnitNames
        As the metadata have them.
    dimensions : int
    mend : str
        What else can be done than to rename the files.

    Raises
    ------
    ValueError
        With a name of each kind.
    """
    if has_units(names, units, dimensions):
        return
    alike = re.compile(f"(?:c[./])?{_NUMBER}(?:[._/-]{_NUMBER}){{{dimensions - 1}}}{_ENDING}")
    found = next(filter(alike.fullmatch, names), None) if dimensions else None
    if found is not None:
        (expected,) = units.of(np.zeros((1, dimensions), np.int64))
        raise ValueError(
            f"by its metadata {location} has chunks such as {expected!r}, but there is none by "
            f"such a name; there is {found!r}. Read so, all of it would be fill value: rename the "
            f"files, or {mend}"
        )


def _answered(location: str, likely: Sequence[str]) -> list[str]:
    """The first that a web server has; said where it has none, since they may have other names."""
    found = next((name for name in likely if _is_there(location, name)), None)
    if found is not None:
        return [found]
    if likely:
        warnings.warn(
            f"{location} has none of {len(likely)} chunks that were looked for, such as "
            f"{likely[0]!r}, and a web server doesn't list others. Chunks that aren't there are "
            "read as fill value: see whether the volume is empty there, or open it with "
            "on_missing='raise'.",
            stacklevel=2,
        )
    return []


def _is_there(location: str, name: str) -> bool:
    """Whether a web server lets a file be seen, which isn't fetched for that."""
    try:
        return find_object(location, name) is not None
    except PermissionError:
        return False


# Not ".__lock", of what TensorStore is writing.
_ENDING = r"(?:\.[A-Za-z][A-Za-z0-9]*)?"


def _entries(top: str, inner: str) -> Iterator[str]:
    """Names of files below a folder as they come; an empty one for each folder."""
    with os.scandir(f"{top}/{inner}") as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield ""
                yield from _entries(top, f"{inner}{entry.name}/")
            else:
                yield inner + entry.name
