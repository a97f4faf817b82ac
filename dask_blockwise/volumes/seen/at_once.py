"""What of a volume can be looked at at once, without any computation that takes long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil, prod
from typing import Any

import numpy as np

from ...geometry.boxes import Index
from ...storage.level_paths import level_paths
from ...storage.location import is_remote
from ..arithmetic import Pointwise
from ..frame import Frame
from ..kinds import InMemory, Stored, Turned
from ..source import Voxels
from ..stored_frame import OpenOptions, stored_frame
from ..views import Cropped

__all__ = ["Look", "is_walked_at_once", "levels_of", "look_at", "under"]

# Of chunks that are decoded for one section; a disk and one core give so much in some tenths of a
# second, a store elsewhere in some seconds.
_MOST_BYTES, _MOST_BYTES_FROM_AFAR = 48 << 20, 8 << 20
# A picture has no more pixels along its longer side.
_ENOUGH = 512
# A disk reads so many bytes at least; of an array in memory, which may be mapped to a file.
_PAGE = 4096
_MOST_STAGES = 1000
_READ_AT_ONCE = (Pointwise, Turned, Cropped)


@dataclass(frozen=True)
class Look:
    """A box of something that can be read at once."""

    volume: Voxels
    # In voxels along all axes but "c".
    begin: Index
    end: Index


def look_at(volume: Voxels) -> Look | None:
    """The box around the middle that is shown of a volume; None where it would be computed.

    Of an image of several levels it is in the coarsest that has enough voxels for a picture. Where
    sections through all of a volume would have too many chunks, it is as much as has not.
    """
    if not _is_read_at_once(volume):
        return None
    chosen = _coarsest(volume)
    shape = _small_enough(chosen, chosen.frame.extent)
    if shape is None:
        return None
    begin = tuple((n - size) // 2 for n, size in zip(chosen.frame.extent, shape, strict=True))
    end = tuple(b + size for b, size in zip(begin, shape, strict=True))
    return Look(chosen, begin, end)


def under(volume: Voxels) -> Iterator[Voxels]:
    """A volume and all that it is computed from, each once, the nearest first."""
    layer = {id(volume): volume}
    seen: set[int] = set()
    while layer:
        yield from layer.values()
        seen |= layer.keys()
        inner = (inner for one in layer.values() for inner in one.source.inputs)
        layer = {id(one): one for one in inner if id(one) not in seen}


def is_walked_at_once(volume: Voxels) -> bool:
    """Whether few stages are met by a walk that visits what others share once for each."""
    return next(islice(_walked(volume), _MOST_STAGES, None), None) is None


def _walked(volume: Voxels) -> Iterator[Voxels]:
    yield volume
    for inner in volume.source.inputs:
        yield from _walked(inner)


def _is_read_at_once(volume: Voxels) -> bool:
    if not all(map(_answers_at_once, under(volume))):
        return False
    return len(volume.frame.space) > 1 and is_walked_at_once(volume)


def _answers_at_once(volume: Voxels) -> bool:
    source = volume.source
    if isinstance(source, InMemory):
        return isinstance(source.array, np.ndarray)
    return isinstance(source, (Stored, *_READ_AT_ONCE))


def levels_of(volume: Voxels) -> Iterator[Voxels]:
    """A volume after the coarser levels of its image, the coarsest first, if it has some."""
    source: Any = volume.source
    if isinstance(source, Stored):
        image = source.stored.location.rpartition("/")[0]
        for path in reversed(level_paths(image)):
            frame, stored = stored_frame(path, OpenOptions())
            if stored.stored.location == source.stored.location:
                break
            if frame.axes == volume.frame.axes:
                own = volume.frame
                frame = replace(frame, names=own.names, stands_for=own.stands_for)
                yield replace(volume, frame=frame, source=stored)
    yield volume


def _coarsest(volume: Voxels) -> Voxels:
    """The coarsest level of its image that has enough voxels."""
    if max(volume.frame.extent) <= _ENOUGH:
        return volume
    return next((one for one in levels_of(volume) if max(one.frame.space) >= _ENOUGH // 2), volume)


def _small_enough(volume: Voxels, shape: Index) -> Index | None:
    """As much of a box as can be read in sections; None where not even a voxel can."""
    arrays = list(_arrays(volume))
    while _too_much(arrays, volume.frame, shape):
        longest = int(np.argmax(shape))
        if shape[longest] == 1:
            return None
        halved = ceil(shape[longest] / 2)
        shape = tuple(halved if n == longest else size for n, size in enumerate(shape))
    return shape


def _too_much(arrays: list[tuple[Frame, bool]], frame: Frame, shape: Index) -> bool:
    return any(
        _decoded(array, planar, shape) > (_MOST_BYTES_FROM_AFAR if is_far else _MOST_BYTES)
        for array, is_far in arrays
        for planar in _planes(frame)
    )


def _planes(frame: Frame) -> Iterator[Index]:
    """Along which axes one voxel is enough, of each section: its own, and time."""
    still = [n for n, axis in enumerate(frame.placement.block_axes) if axis == "t"]
    space = [n for n in range(len(frame.extent)) if n not in still]
    yield from ((*still, n) for n in space) if len(space) > 2 else ((*still,),)


def _decoded(frame: Frame, planar: Index, shape: Index) -> int:
    """Bytes of the chunks that a section through a box meets, at most."""
    chunks = frame.without_channels(frame.chunks)
    read = [1 if n in planar else size for n, size in enumerate(shape)]
    met = (
        min(n, (ceil((size - 1) / c) + 1) * c)
        for n, size, c in zip(frame.extent, read, chunks, strict=True)
    )
    return int(prod(met)) * (frame.channels or 1) * frame.dtype.itemsize


def _arrays(volume: Voxels) -> Iterator[tuple[Frame, bool]]:
    """What is read of stores, along the volume's own axes, and whether it comes from afar."""
    source, frame = volume.source, volume.frame
    if isinstance(source, Stored):
        yield frame, is_remote(source.stored.location)
    if isinstance(source, InMemory):
        page = max(1, _PAGE // frame.dtype.itemsize)
        yield frame.with_block((*(1,) * (len(frame.extent) - 1), page)), False
    for inner in source.inputs:
        for frame, is_far in _arrays(inner):
            if isinstance(source, Turned):
                frame = frame.transposed(source.order)
            yield frame, is_far
