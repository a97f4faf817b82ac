"""Windows of labels made anew: as one piece, or put together from two blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from ..segmentation.segmented import SegmentVolume
from ..volumes.volume import Checkpoint, Volume
from .seam_measures import parts
from .seam_windows import Window

__all__ = ["Pieces", "fragments_of"]


@dataclass(frozen=True)
class Pieces:
    """Makes windows anew by the functions that made the whole.

    Parameters
    ----------
    segments
        What ``relabel`` returned.
    margin
        Voxels that are seen around a window, along each axis.
    """

    segments: Volume
    margin: Index

    @classmethod
    def like_inside(cls, segments: Volume, block: Index, window: Index, halo: Index) -> Pieces:
        """With as much around a window as one in the middle of a block had."""
        sizes = zip(block, window, halo, strict=True)
        return cls(segments, tuple((b - w) // 2 + h for b, w, h in sizes))

    def one_piece(self, window: Window) -> NDArray[np.int64]:
        """The window's parts when it is labelled as one piece with what is around it."""
        box = window.grown(self.margin, self.segments.shape)
        labels = _anew(self.segments, box, box.shape, 0)[...]
        return parts(labels[window.slices(box)])

    def two_blocks(self, window: Window, halo: int) -> NDArray[np.int64]:
        """The window's parts when two blocks that meet at its face are put together."""
        box = window.grown(self.margin, self.segments.shape)
        axes = enumerate(box.shape)
        block = tuple(n // 2 if axis == window.axis else n for axis, n in axes)
        labels = _anew(self.segments, box, block, halo).data.compute(scheduler="synchronous")
        return parts(labels[window.slices(box)])


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class _Crop(Volume):
    """A box of a volume, as if there were nothing around it."""

    begin: Index

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        low, high = (
            tuple(i + first for i, first in zip(side, self.begin, strict=True))
            for side in (begin, end)
        )
        return self.inputs[0]._region(low, high)


def fragments_of(volume: Volume) -> SegmentVolume | None:
    """The labels of single blocks of which a volume is made, if any."""
    if isinstance(volume, SegmentVolume):
        return volume
    below = (fragments_of(inner) for inner in volume.inputs)
    return next((found for found in below if found is not None), None)


def _anew(volume: Volume, box: Window, block: Index, halo: int) -> Volume:
    """A box of a volume, in which blocks of this shape and halo are segmented anew."""
    if isinstance(volume, Checkpoint) and fragments_of(volume) is not None:
        return _anew(volume.inputs[0], box, block, halo)
    if isinstance(volume, SegmentVolume):
        inputs = tuple(_crop(source, box) for source in volume.inputs)
        volume = replace(volume, halo=((halo, halo),) * len(volume.halo))
    elif fragments_of(volume) is not None:
        inputs = tuple(_anew(source, box, block, halo) for source in volume.inputs)
    else:
        return _crop(volume, box)
    return replace(volume, inputs=inputs, chunks=block, shards=None, **_place(volume, box))


def _crop(volume: Volume, box: Window) -> Volume:
    place, source = _place(volume, box), volume._from_stores()
    return _Crop(
        **place, dtype=volume.dtype, chunks=place["shape"], inputs=(source,), begin=box.begin
    )


def _place(volume: Volume, box: Window) -> dict[str, Any]:
    offset = volume.offset + Coordinate(box.begin) * volume.voxel_size
    placement = replace(volume.placement, offset=tuple(int(o) for o in offset))
    return {"shape": volume._with_channels(box.shape), "placement": placement}
