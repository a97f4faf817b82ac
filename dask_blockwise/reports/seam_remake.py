"""Windows of labels made anew: as one piece, or put together from two blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..geometry.boxes import Index
from ..relabelling.relabelled import Relabelled
from ..segmentation.segmented import Segmented
from ..volumes.frame import Frame
from ..volumes.kinds import Checkpoint
from ..volumes.lineage import prepared
from ..volumes.map_overlap import Mapped
from ..volumes.views import Cropped
from ..volumes.volume import Volume
from .seam_measures import Labels, parts
from .seam_windows import Window

__all__ = ["Remake", "fragments_of"]


@dataclass(frozen=True)
class Remake:
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
    def like_inside(cls, segments: Volume, block: Index, window: Index, halo: Index) -> Remake:
        """With as much around a window as one in the middle of a block had."""
        sizes = zip(block, window, halo, strict=True)
        return cls(segments, tuple((b - w) // 2 + h for b, w, h in sizes))

    def one_piece(self, window: Window) -> Labels:
        """The window's parts when it is labelled as one piece with what is around it."""
        box = window.grown(self.margin, self.segments.shape)
        labels = _anew(self.segments, box, box.shape, 0)[...]
        return parts(labels[window.slices(box)])

    def two_blocks(self, window: Window, halo: int) -> Labels:
        """The window's parts when two blocks that meet at its face are put together."""
        box = window.grown(self.margin, self.segments.shape)
        axes = enumerate(box.shape)
        block = tuple(n // 2 if axis == window.axis else n for axis, n in axes)
        labels = _anew(self.segments, box, block, halo).data.compute(scheduler="synchronous")
        return parts(labels[window.slices(box)])


def fragments_of(volume: Volume) -> Segmented | None:
    """The labels of single blocks of which a volume is made, if any that can be made anew."""
    source = volume.source
    if isinstance(source, Segmented):
        return source
    if not isinstance(source, Relabelled | Mapped | Checkpoint):
        return None
    below = (fragments_of(inner) for inner in volume.inputs)
    return next((found for found in below if found is not None), None)


def _anew(volume: Volume, box: Window, block: Index, halo: int) -> Volume:
    """A box of a volume, in which blocks of this shape and halo are segmented anew."""
    source = volume.source
    if fragments_of(volume) is None:
        return _crop(volume, box)
    if isinstance(source, Checkpoint):
        return _anew(volume.inputs[0], box, block, halo)
    frame = _frame(volume, box).with_block(block)
    if isinstance(source, Segmented):
        inputs = tuple(_crop(inner, box) for inner in volume.inputs)
        margin = replace(source.margin, halo=((halo, halo),) * len(source.halo))
        return Volume(frame, replace(source, frame=frame, inputs=inputs, margin=margin))
    inputs = tuple(_anew(inner, box, block, halo) for inner in volume.inputs)
    # Either has a frame and inputs.
    made: Any = source
    return Volume(frame, replace(made, frame=frame, inputs=inputs))


def _crop(volume: Volume, box: Window) -> Volume:
    return Volume(_frame(volume, box), Cropped((prepared(volume),), box.begin))


def _frame(volume: Volume, box: Window) -> Frame:
    return volume.frame.box(box.begin, box.shape)
