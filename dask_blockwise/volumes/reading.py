"""What blocks read of what is stored: found by walking a volume's inputs down to that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..engine.evidence import Run
from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from ..storage.stored_array import StoredArray
from .frame import Frame
from .kinds import Checkpoint, Stored, Turned
from .lineage import own_reach
from .source import Voxels

__all__ = ["Reading", "Span", "everywhere", "readings", "runs_over", "spans_of"]


@dataclass(frozen=True)
class Span:
    """What blocks read along one axis, in world units."""

    # Of the blocks' grid, along which it differs.
    axis: int
    # By a block's position on that axis.
    begin: tuple[int, ...]
    end: tuple[int, ...]

    def grown(self, before: int, after: int) -> Span:
        """By so much on either side."""
        begin, end = (b - before for b in self.begin), (e + after for e in self.end)
        return replace(self, begin=tuple(begin), end=tuple(end))

    def within(self, low: int, high: int, wraps: bool) -> Span:
        """Cut to what there is; where it wraps round, all of the axis is read instead."""
        pairs = zip(self.begin, self.end, strict=True)
        cut = [
            (low, high) if wraps and (b < low or e > high) else (max(b, low), min(e, high))
            for b, e in pairs
        ]
        begin, end = zip(*cut, strict=True)
        return replace(self, begin=begin, end=end)


@dataclass(frozen=True)
class Reading:
    """What blocks read of one thing that is stored, or will be by a checkpoint."""

    volume: Voxels
    # Along each axis of the volume but "c"; None where each block reads all of it.
    spans: tuple[Span, ...] | None
    # The array that is read; None for a checkpoint, which is still to be stored.
    array: StoredArray | None = None

    @property
    def frame(self) -> Frame | None:
        """Where the array lies; None for one that a source reads by itself."""
        return self.volume.frame if isinstance(self.volume.source, Stored) else None


def spans_of(frame: Frame, block: Index) -> tuple[Span, ...]:
    """The blocks of a volume themselves."""
    return tuple(
        _span(axis, *of) for axis, of in enumerate(zip(*_sizes(frame), block, strict=True))
    )


def _sizes(frame: Frame) -> tuple[Coordinate, Coordinate, Coordinate]:
    return frame.roi.begin, frame.roi.end, frame.voxel_size


def _span(axis: int, low: int, high: int, size: int, voxels: int) -> Span:
    begin = range(low, high, voxels * size)
    return Span(axis, tuple(begin), tuple(min(b + voxels * size, high) for b in begin))


def everywhere(frame: Frame, positions: int) -> tuple[Span, ...]:
    """All of a volume, for each block of a grid that has so many along its first axis."""
    axes = zip(frame.roi.begin, frame.roi.end, strict=True)
    return tuple(Span(0, (int(b),) * positions, (int(e),) * positions) for b, e in axes)


def readings(volume: Voxels, spans: tuple[Span, ...] | None) -> list[Reading]:
    """What is read of what is stored to answer for parts of a volume, each once.

    Parameters
    ----------
    volume : Volume
    spans : tuple of Span, optional
        The parts; all of it unless given.
    """
    found: dict[tuple[int, tuple[Span, ...] | None], list[Reading]] = {}
    _find(volume, spans, found)
    return [reading for several in found.values() for reading in several]


def _find(
    volume: Voxels,
    spans: tuple[Span, ...] | None,
    found: dict[tuple[int, tuple[Span, ...] | None], list[Reading]],
) -> None:
    key, source = (id(volume), spans), volume.source
    if key in found:
        return
    if isinstance(source, Checkpoint | Stored):
        array = source.stored if isinstance(source, Stored) else None
        found[key] = [Reading(volume, spans, array)]
        return
    found[key] = [Reading(volume, None, array) for array in source.arrays]
    for inner in source.also_reads:
        _find(inner, None, found)
    for inner in source.inputs:
        _find(inner, spans and _needed(volume, inner, spans), found)


def runs_over(
    spans: Sequence[Span], frame: Frame, unit: Index, extent: Index | None = None
) -> tuple[Run, ...]:
    """Which units of an array each block reads.

    Parameters
    ----------
    spans : sequence of Span
    frame : Frame
        Where the array lies.
    unit : tuple of int
        Voxels along all axes but "c".
    extent : tuple of int, optional
        Of the array, likewise; that of the frame unless given.
    """
    axes = zip(spans, frame.offset, frame.voxel_size, unit, extent or frame.extent, strict=True)
    return tuple(
        _run(span, int(first), int(size) * n, -(-whole // n))
        for span, first, size, n, whole in axes
    )


def _run(span: Span, first: int, step: int, units: int) -> Run:
    low = [min(max((b - first) // step, 0), units) for b in span.begin]
    high = [min(max(-((first - e) // step), 0), units) for e in span.end]
    return Run(span.axis, np.array(low, np.int64), np.maximum(low, high).astype(np.int64))


def _needed(volume: Voxels, inner: Voxels, spans: tuple[Span, ...]) -> tuple[Span, ...] | None:
    """What of an input is read to answer for parts of a volume; None for all."""
    if isinstance(volume.source, Turned):
        spans = tuple(spans[n] for n in volume.source.back(tuple(range(len(spans)))))
        return _within(spans, inner.frame, (False,) * len(spans))
    if volume.frame.placement.block_axes != inner.frame.placement.block_axes:
        return None
    reach = own_reach(volume)
    sides = zip(spans, reach.before, reach.after, strict=True)
    grown = tuple(span.grown(int(before), int(after)) for span, before, after in sides)
    return _within(grown, inner.frame, reach.wraps)


def _within(spans: Sequence[Span], frame: Frame, wraps: Sequence[bool]) -> tuple[Span, ...]:
    axes = zip(spans, frame.roi.begin, frame.roi.end, wraps, strict=True)
    return tuple(span.within(int(low), int(high), wrap) for span, low, high, wrap in axes)
