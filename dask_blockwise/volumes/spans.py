"""What blocks read along each axis, and which parts of a stored array that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..engine.evidence import Run
from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from ..storage.stored_array import StoredArray
from .frame import Frame

__all__ = ["Reading", "Span", "everywhere", "runs_over", "spans_of"]


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

    # Where it lies; None for an array that a source reads by itself, as a whole.
    frame: Frame | None
    # Along each of its axes but "c"; None where each block reads all of it.
    spans: tuple[Span, ...] | None
    # The array that is read, unless it is still to be stored.
    array: StoredArray | None = None
    # Path of the checkpoint that will store it.
    checkpoint: str | None = None
    # Whether other tasks of the run write the array.
    written: bool = False


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
