"""Labels that a function makes of a volume, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Block, Coordinate, Roi
from ..geometry.boxes import Box, Index, within
from ..labels.ids import compact
from ..volumes.map_overlap import MappedVolume

__all__ = ["SegmentVolume"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SegmentVolume(MappedVolume):
    """Labels made by a function: local to a region request, unique over the volume once stored."""

    # Where the volume begins in its inputs, in voxels along all axes but "c".
    origin: Index
    # What labels are made for; the region that is asked for unless given.
    block: Block | None = None
    # Whether touching labels of different values of the input are different objects.
    apart: bool = False

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        labels = super()._region(_sum(begin, self.origin), _sum(end, self.origin))
        return _numbered_on(labels) if "t" in self.axes else labels

    def _block(self, number: int, begin: Index, end: Index) -> NDArray[Any]:
        """Labels numbered on from the voxels of all blocks before, so that none is used twice."""
        labels = self._region(begin, end)
        local, _ = compact(labels, (slice(None),) * labels.ndim)
        first = np.uint64(number * prod(self.block_shape))
        return np.where(local > 0, local + first, np.uint64(0))

    def _seen(self, core: Box, seen: Box) -> NDArray[Any]:
        """Labels of what a block sees, made knowing its core."""
        time = len(core) - len(self.halo)
        begin, end = (_sum(corner, self.origin)[time:] for corner in _corners(core))
        low, high = self._read(begin, end)
        shift = tuple(-n for n in self.origin[time:])
        read = (*core[:time], *map(slice, _sum(low, shift), _sum(high, shift)))
        block, halo = self._block_of(begin, end), ((0, 0),) * len(self.halo)
        labels = replace(self, halo=halo, block=block)._region(*_corners(read))
        return labels[within(seen, read)]

    def _values(self, arrays: Sequence[NDArray[Any]], begin: Index, end: Index) -> NDArray[Any]:
        array, *masks = arrays
        return self.function(array, self.block or self._block_of(begin, end), masks)

    def _read(self, begin: Index, end: Index) -> tuple[Index, Index]:
        """What the function is given for a box, in voxels of the inputs along space."""
        sizes = self._along_space(self.inputs[0]._without_channels(self.inputs[0].shape))
        axes = list(zip(begin, end, self.halo, sizes, strict=True))
        return (
            tuple(max(0, b - before) for b, _, (before, _), _ in axes),
            tuple(min(n, e + after) for _, e, (_, after), n in axes),
        )

    def _block_of(self, begin: Index, end: Index) -> Block:
        """The block that a box is written by, numbered along space."""
        first, shape, step = (
            self._along_space(values)
            for values in (self.origin, self._without_channels(self.shape), self.block_shape)
        )
        counts = [-(-n // s) for n, s in zip(shape, step, strict=True)]
        at = [(b - f) // s for b, f, s in zip(begin, first, step, strict=True)]
        return Block(
            self._roi_of(*self._read(first, _sum(first, shape))),
            self._roi_of(*self._read(begin, end)),
            self._roi_of(begin, end),
            ("segment", int(np.ravel_multi_index(at, counts))),
        )

    def _roi_of(self, begin: Index, end: Index) -> Roi:
        source = self.inputs[0]
        size = Coordinate(self._along_space(source.voxel_size))
        offset = Coordinate(self._along_space(source.offset))
        return Roi(offset + Coordinate(begin) * size, Coordinate(np.subtract(end, begin)) * size)

    def _along_space(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(values[len(values) - len(self.halo) :])


def _sum(one: Index, other: Index) -> Index:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _corners(box: Box) -> tuple[Index, Index]:
    return tuple(s.start for s in box), tuple(s.stop for s in box)


def _numbered_on(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels of several time points, each of which began at 1, made different."""
    points, first = [], np.uint64(0)
    for point in labels:
        points.append(np.where(point > 0, point + first, np.uint64(0)))
        first = max(first, points[-1].max(initial=0))
    return np.stack(points)
