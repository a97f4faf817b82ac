"""Volumes that hold something within a mask alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Roi
from ..geometry.boxes import Box, Index, within
from ..pipelines.stages import stage
from .kinds import AnyVoxels
from .masks import Mask, anything_in, as_mask
from .reach import Halo
from .source import LabelSource, Source, Voxels
from .stored_as import checked_fill

__all__ = ["Masked", "MaskedLabels", "masked", "masked_by"]


@dataclass(frozen=True, eq=False)
class Masked(Source):
    """A volume within a mask, and a constant outside; where there is no mask it isn't computed."""

    # The volume, and which of its voxels count.
    inputs: tuple[Voxels, Voxels]
    fill: Any = 0

    kind = "MaskedVolume"

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        return self._within(begin, end, None)

    def block(self, number: int, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.block`."""
        return self._within(begin, end, number)

    def is_empty(self, begin: Index, end: Index) -> bool:
        """See `Source.is_empty`."""
        volume, where = self.inputs
        return not anything_in(where, begin, end) or volume.source.is_empty(begin, end)

    @property
    def empty_is_zero(self) -> bool:
        """See `Source.empty_is_zero`."""
        return bool(self.fill == 0) and self.inputs[0].source.empty_is_zero

    @property
    def masks(self) -> tuple[Any, ...]:
        """See `Source.masks`."""
        volume, where = self.inputs
        return where, *volume.source.masks

    @property
    def largest_id(self) -> int | None:
        """See `Source.largest_id`."""
        return self.inputs[0].source.largest_id

    def _within(self, begin: Index, end: Index, number: int | None) -> NDArray[Any]:
        volume, where = self.inputs
        counts = where.source.read(begin, end)
        if not counts.any():
            shape = tuple(e - b for b, e in zip(begin, end, strict=True))
            return np.full(volume.frame.with_channels(shape), self.fill, volume.frame.dtype)
        source = volume.source
        values = source.read(begin, end) if number is None else source.block(number, begin, end)
        if counts.all():
            return values
        if "c" in volume.frame.axes:
            counts = np.expand_dims(counts, volume.frame.axes.index("c"))
        return np.where(counts, values, values.dtype.type(self.fill))


class MaskedLabels(Masked):
    """Labels that blocks make by themselves, within a mask."""

    @property
    def labels(self) -> LabelSource:
        """What makes them."""
        source = self.inputs[0].source
        if not isinstance(source, LabelSource):
            raise TypeError(f"{self.inputs[0]!r} has no labels that blocks make by themselves.")
        return source

    @property
    def halo(self) -> Halo:
        """See `LabelSource.halo`."""
        return self.labels.halo

    @property
    def apart(self) -> bool:
        """See `LabelSource.apart`."""
        return self.labels.apart

    def seen(self, core: Box, seen: Box) -> NDArray[Any]:
        """See `LabelSource.seen`."""
        counts = self.inputs[1].source.read(*_corners(seen))
        if not counts[within(core, seen)].any():
            return np.zeros(counts.shape, np.uint64)
        return np.where(counts, self.labels.seen(core, seen), 0)


def masked_by(volume: AnyVoxels, mask: Mask, fill: Any = 0) -> AnyVoxels:
    """A volume within a mask, by what its source makes of that, or else voxel by voxel."""
    source = volume.source.masked(mask)
    if source is None:
        kind = MaskedLabels if isinstance(volume.source, LabelSource) else Masked
        source = kind((volume, mask.over(volume)), fill)
    elif fill != 0:
        raise ValueError(
            f"What labels have outside of a mask is background, 0, and not {fill!r}: leave "
            "fill_value out."
        )
    return replace(volume, source=source)


@stage("masked")
def masked(volume: AnyVoxels, /, mask: AnyVoxels | Roi | Sequence[Roi], fill: Any = 0) -> AnyVoxels:
    """The volume where there is something, and a constant elsewhere, lazily.

    Where a region has no voxel within the mask, nothing but the mask is read: of a volume that is
    empty for the most part, that part costs next to nothing, and is counted as empty. Voxels
    outside have the constant whatever the blocks are.

    Labels of ``watershed`` and ``connected_components`` are those of a volume that has background
    outside; a segment function sees what lies outside, and its labels are cut at the mask, unless
    what it segments is masked, or it takes the mask itself (``segment(volume, function, mask=)``).
    Objects of ``relabel`` and ``agglomerate`` are made of labels so masked, with ids 1..n.

    Parameters
    ----------
    mask : Volume of bool or int, Roi, or list of Roi
        Of any voxel size and known unit; a voxel is within if it meets one that isn't 0, or a
        region. What the mask doesn't cover is outside.
    fill : number
        What is outside; of labels it is 0.

    Returns
    -------
    Volume

    Raises
    ------
    TypeError
        If it isn't a mask.
    ValueError
        If it doesn't meet the volume, or has other axes, or a unit that can't be compared.

    Examples
    --------
    >>> from dask_blockwise import Volume, Roi
    >>> volume = Volume.from_array(np.arange(8).reshape(2, 4), voxel_size=(1, 2))
    >>> mask = Volume.from_array(np.array([[True, False]]), voxel_size=(2, 4))
    >>> volume.masked(mask)[:].tolist(), volume.masked(Roi((0, 3), (1, 2)), fill=9)[:].tolist()
    ([[0, 1, 0, 0], [4, 5, 0, 0]], [[9, 1, 2, 9], [9, 9, 9, 9]])
    """
    frame = volume.frame
    return masked_by(volume, as_mask(mask), checked_fill(fill, frame.dtype))


def _corners(box: Box) -> tuple[Index, Index]:
    return tuple(s.start for s in box), tuple(s.stop for s in box)
