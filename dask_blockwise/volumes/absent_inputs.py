"""What is absent of what is stored, chunks and sizes: in a volume's line, plans and summaries.

Not those which a finished run has left out since they would have held nothing but fill value.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from ..storage.absent import absent_in_words, absent_units
from ..storage.stored_array import StoredArray
from .frame import Frame
from .kinds import Checkpoint, Stored
from .known import KnownArrays, left_empty
from .reading import readings
from .source import Voxels

__all__ = ["absent_inputs", "absent_of", "note_of"]

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
    arrays = {array.location: (frame, array) for frame, array in _arrays(volume)}
    told = (absent_in_words(a, _absent(frame, a, _MOST_COUNTED)) for frame, a in arrays.values())
    return tuple(filter(None, told))


def absent_of(volume: Voxels, known: KnownArrays) -> tuple[str, ...]:
    """The same after a run, which has looked at their files unless it was told not to."""
    if known.verify == "none":
        return absent_inputs(volume)
    told = (absent_in_words(each.array, each.absent) for each in known.found.values())
    return tuple(dict.fromkeys(filter(None, told)))


def note_of(volume: Voxels) -> str:
    """What a volume's line says beside its frame: of what is stored, what is absent of it."""
    source = volume.source
    if not isinstance(source, Stored):
        return source.note
    told = _sizes_left_out(volume.frame, source.stored), _chunks_absent(volume.frame, source.stored)
    return ", ".join(filter(None, told))


def _sizes_left_out(frame: Frame, array: StoredArray) -> str:
    """Nothing where it is told by whom it was opened."""
    of_none = not frame.placement.unit and set(frame.placement.voxel_size) == {1}
    return str(array.attributes.get("sizes_left_out", "")) if of_none else ""


def _chunks_absent(frame: Frame, array: StoredArray) -> str:
    parts = "shards" if array.shards else "chunks"
    try:
        absent = _absent(frame, array)
    except OSError:
        absent = None
    if absent is None:
        return f"absent {parts} not counted" if array.may_lack else ""
    return f"{absent} of {prod(array.units.grid)} {parts} absent" if absent else ""


def _absent(frame: Frame | None, array: StoredArray, *most: int) -> int | None:
    absent = absent_units(array, *most)
    return max(0, absent - left_empty(frame, array)) if absent else absent


def _arrays(volume: Voxels) -> Iterable[tuple[Frame | None, StoredArray]]:
    for reading in readings(volume, None):
        if reading.array is not None:
            yield reading.frame, reading.array
    for inner in volume.source.inputs:
        below = inner.source
        yield from _arrays(below.made if isinstance(below, Checkpoint) else inner)
