"""What the blocks of a volume read of what is stored, in voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ..geometry.blocks import Coordinate, Roi
from ..geometry.boxes import Index
from .frame import Frame
from .kinds import Turned
from .lineage import is_stored, own_reach
from .masks import Regions
from .reach import Reach
from .source import Voxels

__all__ = ["Read", "reads_of"]


@dataclass(frozen=True)
class Read:
    """What is read of a stored volume for a region of what is computed from it."""

    volume: Voxels
    # Of that, its axes in the order of what is computed.
    frame: Frame
    # How much around the region.
    reach: Reach
    # Where it ends: what is read for a part of a volume doesn't go beyond what that needs.
    within: Roi

    def voxels(self, frame: Frame, block: Index, filled: bool = False) -> int:
        """How many all blocks of what is computed read together.

        Parameters
        ----------
        frame : Frame
            Of what is computed.
        block : tuple of int
            Voxels along all axes but "c".
        filled : bool
            Whether to count with them what is filled beyond the border.
        """
        step = Coordinate(block) * frame.voxel_size
        ends = [self.within.begin, self.within.end]
        if filled:
            around = frame.roi.grow(self.reach.before, self.reach.after)
            ends = [
                Coordinate(
                    far if fills else near for near, far, fills in zip(*side, self.reach.fills)
                )
                for side in zip(ends, (around.begin, around.end))
            ]
        axes = zip(
            frame.roi.begin, frame.roi.end, step, self.reach.before, self.reach.after,
            *ends, self.frame.voxel_size, strict=True,
        )  # fmt: skip
        return prod(_voxels_along(*axis) for axis in axes)


def reads_of(volume: Voxels) -> Iterator[Read]:
    """What is read from stores for a volume, but for regions of masks, on each way to it."""
    own = own_reach(volume)
    if isinstance(volume.source, Regions):
        return
    if is_stored(volume):
        yield Read(volume, volume.frame, own, volume.frame.roi)
        return
    for inner in volume.source.inputs:
        if not volume.frame.placement.measures_as(inner.frame.placement):
            # A mask in another unit, as if it had the volume's voxels.
            yield Read(inner, volume.frame, own, volume.frame.roi)
            continue
        for read in reads_of(inner):
            ends = inner.frame.roi.grow(read.reach.before, read.reach.after)
            read = replace(read, within=read.within.intersect(ends))
            if isinstance(volume.source, Turned):
                read = _turned(read, volume.source.order)
            yield replace(read, reach=own.beyond([read.reach]))


def _turned(read: Read, order: Index) -> Read:
    shape = Coordinate(read.within.shape[n] for n in order)
    return replace(
        read,
        frame=read.frame.transposed(order),
        reach=read.reach.transposed(order),
        within=Roi((read.within.begin[n] for n in order), shape),
    )


def _voxels_along(
    begin: int, end: int, step: int, before: int, after: int, low: int, high: int, size: int
) -> int:
    firsts = np.arange(begin, end, step)
    lasts = np.minimum(firsts + step, end) + after
    firsts, lasts = np.maximum(firsts - before, low), np.minimum(lasts, high)
    return int((-(-(lasts - low) // size) - (firsts - low) // size).clip(0).sum())
