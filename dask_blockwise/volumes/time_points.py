"""Volumes with a time axis, computed one time point after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .frame import Frame
from .source import Source, Voxels

__all__ = ["each_time_point"]

Point = Callable[[Sequence[Voxels], Index, Index], NDArray[Any]]


def each_time_point(
    frame: Frame, inputs: Sequence[Voxels], begin: Index, end: Index, point: Point
) -> NDArray[Any]:
    """Compute a box from inputs that have no time axis, as often as it has time points.

    Parameters
    ----------
    frame : Frame
        Of what is computed.
    inputs : sequence of Volume
    begin, end : tuple of int
        Voxels along all axes but "c".
    point : callable
        Computes a box along the axes of space from the inputs at one time.
    """
    if "t" not in frame.axes:
        return point(inputs, begin, end)
    points = (
        point([_at(volume, time) for volume in inputs], begin[1:], end[1:])
        for time in range(begin[0], end[0])
    )
    return np.stack(list(points))


@dataclass(frozen=True, eq=False)
class _TimePoint(Source):
    """One time point of a volume."""

    inputs: tuple[Voxels]
    time: int

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        (volume,) = self.inputs
        values: NDArray[Any] = volume.source.read((self.time, *begin), (self.time + 1, *end))[0]
        return values


def _at(volume: Voxels, time: int) -> Voxels:
    """A volume at one time; itself if it has no time axis."""
    frame = volume.frame
    if "t" not in frame.axes:
        return volume
    there = frame.placement.along(frame.axes[1:])
    still = Frame(
        shape=frame.shape[1:], dtype=frame.dtype, placement=there, chunks=frame.chunks[1:]
    )
    return replace(volume, frame=still, source=_TimePoint((volume,), time))
