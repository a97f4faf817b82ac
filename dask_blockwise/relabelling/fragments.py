"""What a relabelling takes in: grid and pieces of the labels of single blocks, and other values.

What is known of how labels were made is known through a checkpoint or another type too, not of what
is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, within
from ..segmentation.between import Between
from ..segmentation.mutex_fragments import MutexFragments
from ..segmentation.segmented import Segmented
from ..volumes.arithmetic import Pointwise
from ..volumes.frame import Frame
from ..volumes.kinds import Checkpoint, InMemory, Stored, Turned
from ..volumes.lineage import call_of
from ..volumes.masked import Masked
from ..volumes.reach import Halo
from ..volumes.source import LabelSource, Source, Voxels
from ..volumes.views import Cropped
from ..volumes.volume import Volume
from .grid import LabelGrid
from .kept import Kept
from .mutex_row import most_numbers, within_block
from .pieces import Pieces, cut, ids_of
from .rule import Values

__all__ = [
    "are_as_stored",
    "came_with_ids",
    "channels_first",
    "connectivity_of",
    "filled_up",
    "grid_of",
    "halo_of",
    "is_empty",
    "kept_apart_by",
    "label_block",
    "labelled_by",
    "most_within",
    "values_of",
]


def came_with_ids(fragments: Voxels) -> bool:
    """Whether ids of labels say more than which voxels of one block are alike."""
    return not isinstance(fragments.source, LabelSource | Kept)


def are_as_stored(fragments: Voxels) -> bool:
    """Whether labels are taken voxel by voxel from where they lie, with the ids they have there."""
    source = fragments.source
    if isinstance(source, Kept):
        return source.as_stored
    if isinstance(source, Masked):
        return are_as_stored(source.inputs[0])
    if isinstance(source, Cropped | Turned | Pointwise):
        return all(map(are_as_stored, source.inputs))
    return isinstance(source, Stored | InMemory | Checkpoint)


def connectivity_of(fragments: Voxels) -> int | None:
    """Of the connected components that they are; None where they aren't known to be some."""
    source = _made_by(fragments)
    return source.connectivity if isinstance(source, Kept | Segmented) else None


def kept_apart_by(fragments: Voxels) -> Voxels | None:
    """What must be equal where labels touch, if anything."""
    source = _made_by(fragments)
    if not isinstance(source, LabelSource) or not source.apart:
        return None
    values: Voxels = source.inputs[0]
    return labelled_by(source) if isinstance(source, Segmented) else values


def labelled_by(source: Segmented) -> Voxels:
    """What is labelled, where its labels lie."""
    values = source.inputs[0]
    if not any(source.origin):
        return values
    frame = values.frame.box(source.origin, source.frame.extent)
    return Volume(frame, Cropped((values,), source.origin))


def _made_by(fragments: Voxels) -> Source:
    source, call = fragments.source, call_of(fragments)
    cast = isinstance(source, Pointwise) and call is not None and call.stage == "astype"
    return _made_by(source.inputs[0]) if cast or isinstance(source, Checkpoint | Masked) else source


def halo_of(fragments: Voxels) -> Halo:
    """Voxels that a block sees before and after itself, along all axes."""
    source = fragments.source
    if isinstance(source, Kept):
        return source.grid.halo
    if isinstance(source, LabelSource):
        return (*((0, 0),) * ("t" in fragments.frame.axes), *source.halo)
    return ((0, 0),) * fragments.frame.ndim


def grid_of(fragments: Voxels, block: Index) -> LabelGrid:
    """Blocks of such a shape, and what they see.

    Raises
    ------
    ValueError
        If labels were kept for blocks of another shape, or can't be told apart over so many.
    """
    frame, source = fragments.frame, fragments.source
    if isinstance(source, Kept):
        if block != frame.block_shape:
            raise ValueError(
                f"block_shape must be {frame.block_shape}, that of the blocks whose labels were "
                f"kept, got {block}: leave it out, or segment again."
            )
        return source.grid
    stitched = tuple(axis != "t" for axis in frame.axes)
    return LabelGrid(frame.shape, block, halo_of(fragments), stitched)


def label_block(fragments: Voxels, grid: LabelGrid, number: int) -> Pieces:
    """Pieces of all labels that a block sees.

    Parameters
    ----------
    fragments : Volume of int
    grid : LabelGrid
    number : int
        The block's, in raster order.

    Returns
    -------
    Pieces
        From the beginning of the block's frame, 0 where that leaves the volume.
    """
    source = fragments.source
    if isinstance(source, Kept):
        return source.pieces(number)
    core, seen, frame = (at(number) for at in (grid.core, grid.seen, grid.frame))
    between: list[Between] | None = None
    if isinstance(source, MutexFragments):
        labels, between = source.parts(core)
    elif is_empty(fragments, grid, number):
        labels = np.zeros([s.stop - s.start for s in seen], np.uint64)
    elif isinstance(source, LabelSource):
        labels = source.seen(core, seen)
    else:
        labels = source.read(tuple(s.start for s in seen), tuple(s.stop for s in seen))
    pieces = cut(labels, within(core, seen), points="t" in fragments.frame.axes)
    ids = ids_of(pieces, labels) if came_with_ids(fragments) else None
    framed = filled_up(pieces.values, grid.frame_shape, within(seen, frame))
    if between is None:
        return Pieces(framed, pieces.owners, pieces.sizes, ids)
    row = within_block(between, pieces.values, core, grid.shape, number)
    return Pieces(framed, pieces.owners, pieces.sizes, within=row)


def filled_up(
    values: NDArray[np.uint32], shape: Index, where: Box | None = None
) -> NDArray[np.uint32]:
    """Values within a larger array of zeros, at its beginning unless said; themselves if as large.

    Examples
    --------
    >>> filled_up(np.array([[5, 6]], np.uint32), (2, 3))
    array([[5, 6, 0],
           [0, 0, 0]], dtype=uint32)
    """
    if values.shape == shape:
        return values
    filled = np.zeros(shape, np.uint32)
    filled[where or tuple(map(slice, values.shape))] = values
    return filled


def most_within(fragments: Voxels, grid: LabelGrid) -> int | None:
    """How many numbers a block finds at most as it is labelled; None where labels come alone."""
    if not isinstance(fragments.source, MutexFragments):
        return None
    offsets, voxels = len(fragments.source.edges.offsets), prod(grid.block_shape)
    return most_numbers(len(grid.shape), 1, offsets * voxels, voxels)


def is_empty(fragments: Voxels, grid: LabelGrid, number: int) -> bool:
    """Whether a block is known to have no labels of its own, without making them."""
    core = grid.core(number)
    begin, end = tuple(s.start for s in core), tuple(s.stop for s in core)
    return fragments.source.empty_is_zero and fragments.source.is_empty(begin, end)


@dataclass(frozen=True)
class _ReadValues:
    """Reads a box of a volume; its channels, if it has any, come first."""

    volume: Voxels

    def __call__(self, box: Box) -> NDArray[Any]:
        begin, end = tuple(s.start for s in box), tuple(s.stop for s in box)
        return channels_first(self.volume.source.read(begin, end), self.volume.frame)


def values_of(inputs: Sequence[Voxels]) -> Values | None:
    """What gives the values of the second of the inputs of a relabelling, if it has two."""
    return _ReadValues(inputs[1]) if len(inputs) > 1 else None


def channels_first(values: NDArray[Any], frame: Frame) -> NDArray[Any]:
    """Values with the channels as the first axis, if there are any."""
    return np.moveaxis(values, frame.axes.index("c"), 0) if "c" in frame.axes else values
