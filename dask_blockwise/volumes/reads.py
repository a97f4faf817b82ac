"""What the blocks of a volume read of what is stored, in voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ..geometry.blocks import Coordinate
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

    def voxels(self, frame: Frame, block: Index) -> int:
        """How many all blocks of what is computed read together.

        Parameters
        ----------
        frame : Frame
            Of what is computed.
        block : tuple of int
            Voxels along all axes but "c".
        """
        step = Coordinate(block) * frame.voxel_size
        axes = zip(
            frame.roi.begin, frame.roi.end, step, self.reach.before, self.reach.after,
            self.frame.roi.begin, self.frame.roi.end, self.frame.voxel_size, strict=True,
        )  # fmt: skip
        return prod(_voxels_along(*axis) for axis in axes)


def reads_of(volume: Voxels) -> Iterator[Read]:
    """What is read from stores for a volume, but for regions of masks, on each way to it."""
    own = own_reach(volume)
    if isinstance(volume.source, Regions):
        return
    if is_stored(volume):
        yield Read(volume, volume.frame, own)
        return
    for inner in volume.source.inputs:
        if not volume.frame.placement.measures_as(inner.frame.placement):
            # A mask in another unit, as if it had the volume's voxels.
            yield Read(inner, volume.frame, own)
            continue
        for read in reads_of(inner):
            if isinstance(volume.source, Turned):
                read = _turned(read, volume.source.order)
            yield replace(read, reach=own.beyond([read.reach]))


def _turned(read: Read, order: Index) -> Read:
    return replace(read, frame=read.frame.transposed(order), reach=read.reach.transposed(order))


def _voxels_along(
    begin: int, end: int, step: int, before: int, after: int, low: int, high: int, size: int
) -> int:
    firsts = np.arange(begin, end, step)
    lasts = np.minimum(firsts + step, end) + after
    firsts, lasts = np.maximum(firsts - before, low), np.minimum(lasts, high)
    return int((-(-(lasts - low) // size) - (firsts - low) // size).clip(0).sum())
