"""What the blocks of a volume read of what is stored, in voxels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import prod
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .frame import Frame
from .kinds import Turned
from .lineage import is_stored, own_reach
from .masks import Regions
from .source import Source, Voxels

__all__ = ["Counted", "Read", "ranges_read", "reads_of"]

# What is counted of what blocks are given: what they read, halos included; with it what is filled
# beyond the border; or what they would read if none read what another one does.
Counted = Literal["read", "filled", "alone"]

# Halos on either side of what is less fit 64 bits too.
_LARGE = 1 << 60


@dataclass(frozen=True)
class Read:
    """What all blocks of a volume read together of one that is stored."""

    volume: Voxels
    # Where that is counted: of the stored one, or of one that is masked by it in another unit.
    frame: Frame
    voxels: int


def reads_of(volume: Voxels, block: Index, counted: Counted = "read") -> Iterator[Read]:
    """What is read from stores for a volume, but for regions of masks, on each way to it.

    Parameters
    ----------
    volume : Volume
    block : tuple of int
        Voxels along all axes but "c".
    counted : "read", "filled" or "alone"
    """
    frame = volume.frame
    axes = zip(frame.roi.begin, frame.roi.end, block, frame.voxel_size, strict=True)
    sides = [(int(b), int(e), int(n * size)) for b, e, n, size in axes]
    return _reads(volume, [_Ranges.of_blocks(*side) for side in sides], counted)


def ranges_read(volume: Voxels, axis: int, begin: int, end: int) -> list[tuple[int, int]]:
    """What is read of a volume's inputs at once, for a range along an axis of its own.

    Parameters
    ----------
    volume : Volume
    axis : int
        Of all but "c".
    begin, end : int
        World units.

    Returns
    -------
    list of (begin, end)
        World units, beyond the border too.
    """
    still = int("t" in volume.frame.axes)
    pieces = None
    if axis >= still and (inner := volume.source.inputs):
        first, size = int(volume.frame.offset[axis]), int(volume.frame.voxel_size[axis])
        low, high = (begin - first) // size, -((first - end) // size)
        pieces = volume.source.reads_along(axis - still, low, high)
    if pieces is None:
        reach = own_reach(volume)
        return [(begin - int(reach.before[axis]), end + int(reach.after[axis]))]
    first, size = (int(of[axis]) for of in (inner[0].frame.offset, inner[0].frame.voxel_size))
    return [(first + low * size, first + high * size) for low, high in pieces]


@dataclass(frozen=True)
class _Ranges:
    """Ranges along an axis, in world units."""

    begins: NDArray[Any]
    ends: NDArray[Any]
    # Whether they go beyond the border, where that is filled.
    beyond: bool = False

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]], beyond: bool = False) -> Self:
        found = list(pairs)
        kind = _kind(max((abs(n) for pair in found for n in pair), default=0))
        both: NDArray[Any] = np.array(found, kind).reshape(-1, 2)
        return cls(both[:, 0], both[:, 1], beyond)

    @classmethod
    def of_blocks(cls, begin: int, end: int, step: int) -> Self:
        """Of blocks along an axis; the last may be smaller."""
        kind = _kind(max(abs(begin), abs(end) + step))
        begins: NDArray[Any] = np.arange(begin, end, step, dtype=kind)
        return cls(begins, np.minimum(begins + step, end))

    @property
    def pairs(self) -> Iterator[tuple[int, int]]:
        return zip(self.begins.tolist(), self.ends.tolist(), strict=True)

    @property
    def length(self) -> int:
        return int((self.ends - self.begins).sum())

    def whole(self, first: int, size: int) -> Self:
        """As many voxels as they meet, of which one begins at a place."""
        begins = first + (self.begins - first) // size * size
        return replace(self, begins=begins, ends=first - (first - self.ends) // size * size)

    def within(self, low: int, high: int) -> Self:
        begins, ends = np.maximum(self.begins, low), np.minimum(self.ends, high)
        is_there = ends > begins
        return replace(self, begins=begins[is_there], ends=ends[is_there])

    def wrapped(self, low: int, high: int) -> Self:
        """The parts that are read at once, of an axis that begins anew where it ends."""
        length = high - low
        least, most = self.begins.min(initial=low), self.ends.max(initial=high)
        rounds = range(int(least - low) // length, -(int(low - most) // length))
        parts = [self._back(n * length).within(low, high) for n in rounds]
        return self.of(chain.from_iterable(part.pairs for part in parts))

    def _back(self, length: int) -> Self:
        return replace(self, begins=self.begins - length, ends=self.ends - length)


def _kind(largest: int) -> type:
    """Of numbers of world units: 64 bits, as there may be very many, where these hold them."""
    return np.int64 if largest < _LARGE else object


def _reads(volume: Voxels, axes: Sequence[_Ranges], counted: Counted) -> Iterator[Read]:
    if isinstance(volume.source, Regions):
        return
    if is_stored(volume):
        yield _read(volume, volume.frame, axes)
        return
    for inner in volume.source.inputs:
        if not volume.frame.placement.measures_as(inner.frame.placement):
            # A mask in another unit, as if it had the volume's voxels.
            yield _read(inner, volume.frame, axes)
            continue
        yield from _reads(inner, list(_needed(volume, inner.frame, axes, counted)), counted)


def _read(volume: Voxels, frame: Frame, axes: Sequence[_Ranges]) -> Read:
    sizes = map(int, frame.voxel_size)
    return Read(volume, frame, prod(r.length // n for r, n in zip(axes, sizes, strict=True)))


def _needed(
    volume: Voxels, there: Frame, axes: Sequence[_Ranges], counted: Counted
) -> Iterator[_Ranges]:
    """What of an input is read to answer for ranges of a volume, in whole voxels of it."""
    reach, order = own_reach(volume), tuple(range(len(axes)))
    if isinstance(volume.source, Turned):
        order = volume.source.back(order)
    sides = zip(order, there.roi.begin, there.roi.end, there.voxel_size, strict=True)
    for axis, low, high, size in sides:
        ranges = axes[axis]
        if counted != "alone":
            fills = counted == "filled" and reach.fills[axis]
            ranges = replace(_around(volume, axis, ranges), beyond=ranges.beyond or fills)
        ranges = ranges.whole(int(low), int(size))
        if counted == "read" and reach.wraps[axis]:
            ranges = ranges.wrapped(int(low), int(high))
        yield ranges if ranges.beyond else ranges.within(int(low), int(high))


def _around(volume: Voxels, axis: int, ranges: _Ranges) -> _Ranges:
    """What is read of a volume's inputs for ranges along an axis, beyond the border too."""
    if type(volume.source).reads_along is not Source.reads_along:
        read = (ranges_read(volume, axis, *one) for one in ranges.pairs)
        return _Ranges.of(chain.from_iterable(read))
    # All at once, as there may be very many.
    reach = own_reach(volume)
    before, after = (int(side[axis]) for side in (reach.before, reach.after))
    return replace(ranges, begins=ranges.begins - before, ends=ranges.ends + after)
