"""Chunks that are absent of what a volume is computed from, for plans and summaries."""

from __future__ import annotations

from collections.abc import Iterable

from ..storage.absent import absent_in_words, absent_units
from ..storage.stored_array import StoredArray
from .kinds import Checkpoint
from .known import KnownArrays
from .reading import readings
from .source import Voxels

__all__ = ["absent_inputs", "absent_of"]

# A listing of these takes less than a second on a disk.
_MOST_COUNTED = 100_000


def absent_inputs(volume: Voxels) -> tuple[str, ...]:
    """Of each stored array that a volume is computed from, what is absent, for people.

    Examples
    --------
    >>> from dask_blockwise import create_volume
    >>> absent_inputs(create_volume("in.zarr/raw", shape=(4, 4), dtype="uint8"))
    ('1 of 1 chunks of in.zarr/raw/s0 are absent: read as 0',)
    """
    arrays = {array.location: array for array in _arrays(volume)}
    told = (absent_in_words(a, absent_units(a, _MOST_COUNTED)) for a in arrays.values())
    return tuple(filter(None, told))


def absent_of(volume: Voxels, known: KnownArrays) -> tuple[str, ...]:
    """The same after a run, which has looked at their files unless it was told not to."""
    if known.verify == "none":
        return absent_inputs(volume)
    told = (absent_in_words(each.array, each.absent) for each in known.found.values())
    return tuple(dict.fromkeys(filter(None, told)))


def _arrays(volume: Voxels) -> Iterable[StoredArray]:
    for reading in readings(volume, None):
        if reading.array is not None:
            yield reading.array
    for inner in volume.source.inputs:
        below = inner.source
        yield from _arrays(below.made if isinstance(below, Checkpoint) else inner)
