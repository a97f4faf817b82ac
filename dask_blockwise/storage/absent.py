"""How many chunks of an array aren't there, where that is told cheaply."""

from __future__ import annotations

from math import prod

import numpy as np

from .file_stamps import all_names
from .location import on_disk
from .stored_array import StoredArray

__all__ = ["absent_in_words", "absent_units"]

_AT_ONCE = 4096


def absent_units(array: StoredArray, most: int = _AT_ONCE) -> int | None:
    """How many shards, or chunks where there are none, have no file; None where it isn't counted.

    Counted are files of a disk, if the array has no more of them than ``most``.

    Examples
    --------
    >>> from dask_blockwise.storage.arrays import create_array
    >>> array = create_array("in.zarr/raw", (4, 6), "uint8", chunks=(2, 6))
    >>> array.write((slice(2, 4), slice(0, 6)), np.ones((2, 6), np.uint8))
    >>> absent_units(array)
    1
    """
    units = array.units
    if units.names is None or not on_disk(array.location) or prod(units.grid) > most:
        return None
    _, numbers = units.names.numbers(all_names(array.location), len(units.grid))
    inside = (numbers < np.array(units.grid, np.int64)).all(axis=1)
    return prod(units.grid) - int(np.count_nonzero(inside))


def absent_in_words(array: StoredArray, absent: int | None) -> str:
    """Such as "1 of 2 chunks of raw are absent: read as 0"; empty where none is.

    Examples
    --------
    >>> from dask_blockwise.storage.arrays import create_array
    >>> array = create_array("in.zarr/raw", (4, 6), "uint8", chunks=(2, 6), fill_value=7)
    >>> absent_in_words(array, 2)
    '2 of 2 chunks of in.zarr/raw are absent: read as 7'
    """
    parts = "shards" if array.shards else "chunks"
    if absent is None:
        return f"absent {parts} of {array.path} are not counted" if array.may_lack else ""
    if not absent:
        return ""
    read_as = f"read as {array.fill_value}" if array.fills else "an error where they are read"
    return f"{absent} of {prod(array.units.grid)} {parts} of {array.path} are absent: {read_as}"
