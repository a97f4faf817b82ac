"""By which names an array's chunks lie in a store, which isn't always what its metadata say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from ..location import is_remote
from ..object_stores import list_objects
from .unit_names import UnitNames

__all__ = ["check_names", "has_units", "some_names"]

# What one request lists, and a disk in a few milliseconds.
_NAMES_SEEN = 1000
_NUMBER = "[0-9]+"


def some_names(location: str) -> list[str]:
    """Names of the first files below a folder or URL; none where it can't be listed."""
    try:
        if is_remote(location):
            return [found.name for found in islice(list_objects(location), _NAMES_SEEN)]
        return [name for name in islice(_entries(location, ""), _NAMES_SEEN) if name]
    except OSError:
        return []


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
