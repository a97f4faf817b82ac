"""Labels that a function makes of a volume, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Block, Coordinate, Roi
from ..geometry.boxes import Box, Index, within
from ..labels.ids import compact, numbered_on
from ..volumes.frame import Frame
from ..volumes.map_overlap import apply
from ..volumes.masked import masked_by
from ..volumes.masks import Mask, anything_in, both
from ..volumes.padding import Margin
from ..volumes.reach import Halo, Reach
from ..volumes.source import Source, Voxels
from ..volumes.time_points import each_time_point
from . import components, watershed
from .function import SegmentFunction

__all__ = ["Segmented"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Segmented(Source):
    """Labels made by a function: local to a region request, unique over the volume once stored."""

    frame: Frame
    # What is labelled, and a mask if there is one.
    inputs: tuple[Voxels, ...]
    function: SegmentFunction
    margin: Margin
    # Where the volume begins in its inputs, in voxels along all axes but "c".
    origin: Index
    # What labels are made for; the region that is asked for unless given.
    made_for: Block | None = None
    # Whether touching labels of different values of the input are different objects.
    apart: bool = False
    # Of connected components; None where the function isn't known to make some.
    connectivity: int | None = None

    kind = "SegmentVolume"
    takes_long = True

    @property
    def title(self) -> str:
        """See `Source.title`."""
        return self.function.title

    @property
    def halo(self) -> Halo:
        """Voxels that a block sees before and after itself, along each axis of space."""
        return self.margin.halo

    @property
    def reach(self) -> Reach:
        """The halo, in world units."""
        return self.margin.reach(self.frame)

    def masked(self, mask: Mask) -> Self | None:
        """See `Source.masked`: of functions that are known to label nothing outside."""
        values, *masks = self.inputs
        if self.function.plain is components.segment_function:
            return replace(self, inputs=(masked_by(values, mask), *masks))
        if self.function.plain is not watershed.segment_function:
            return None
        where = mask.over(values)
        return replace(self, inputs=(values, both(where, masks[0]) if masks else where))

    def is_empty(self, begin: Index, end: Index) -> bool:
        """See `Source.is_empty`."""
        low, high = _sum(begin, self.origin), _sum(end, self.origin)
        if self.function.plain is components.segment_function:
            given = self.inputs[0].source
            return given.empty_is_zero and given.is_empty(low, high)
        return any(not anything_in(mask, low, high) for mask in self.masks)

    @property
    def masks(self) -> tuple[Voxels, ...]:
        """See `Source.masks`."""
        if self.function.plain is components.segment_function:
            return self.inputs[0].source.masks
        return self.inputs[1:] if self.function.plain is watershed.segment_function else ()

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        if self.is_empty(begin, end):
            return np.zeros(_less(end, begin), np.uint64)
        low, high = _sum(begin, self.origin), _sum(end, self.origin)
        labels = each_time_point(self.frame, self.inputs, low, high, self._point)
        return numbered_on(list(labels)) if "t" in self.frame.axes else labels

    def block(self, number: int, begin: Index, end: Index) -> NDArray[Any]:
        """Labels numbered on from the voxels of all blocks before, so that none is used twice."""
        labels = self.read(begin, end)
        local, _ = compact(labels, (slice(None),) * labels.ndim)
        first = np.uint64(number * prod(self.frame.block_shape))
        return np.where(local > 0, local + first, np.uint64(0))

    def seen(self, core: Box, seen: Box) -> NDArray[Any]:
        """Labels of what a block sees, made knowing its core."""
        if self.is_empty(*_corners(core)):
            return np.zeros(_less(*reversed(_corners(seen))), np.uint64)
        time = len(core) - len(self.halo)
        begin, end = (_sum(corner, self.origin)[time:] for corner in _corners(core))
        low, high = self._given(begin, end)
        shift = tuple(-n for n in self.origin[time:])
        read = (*core[:time], *map(slice, _sum(low, shift), _sum(high, shift)))
        alone = replace(self.margin, halo=((0, 0),) * len(self.halo))
        made = replace(self, margin=alone, made_for=self._block_of(begin, end))
        return made.read(*_corners(read))[within(seen, read)]

    def _point(self, sources: Sequence[Voxels], begin: Index, end: Index) -> NDArray[Any]:
        block = self.made_for or self._block_of(begin, end)

        def labelled(array: NDArray[Any], *masks: NDArray[Any]) -> NDArray[Any]:
            return self.function(array, block, masks)

        name = self.function.name
        labels = apply(labelled, sources, self.margin, self.frame, begin, end, name=name)
        # Those that a block makes of one time point are numbered anew next, whatever their type.
        if self.made_for is not None and "t" not in self.frame.axes:
            return labels
        return labels.astype(np.uint64, copy=False)

    def _given(self, begin: Index, end: Index) -> tuple[Index, Index]:
        """What the function is given for a box, in voxels of the inputs along space."""
        axes = list(zip(begin, end, self.halo, self.inputs[0].frame.space, strict=True))
        return (
            tuple(max(0, b - before) for b, _, (before, _), _ in axes),
            tuple(min(n, e + after) for _, e, (_, after), n in axes),
        )

    def _block_of(self, begin: Index, end: Index) -> Block:
        """The block that a box is written by, numbered along space."""
        first, shape, step = map(
            self._along_space, (self.origin, self.frame.extent, self.frame.block_shape)
        )
        counts = [-(-n // s) for n, s in zip(shape, step, strict=True)]
        at = [(b - f) // s for b, f, s in zip(begin, first, step, strict=True)]
        return Block(
            self._roi_of(*self._given(first, _sum(first, shape))),
            self._roi_of(*self._given(begin, end)),
            self._roi_of(begin, end),
            ("segment", int(np.ravel_multi_index(at, counts))),
        )

    def _roi_of(self, begin: Index, end: Index) -> Roi:
        source = self.inputs[0].frame
        size = Coordinate(self._along_space(source.voxel_size))
        offset = Coordinate(self._along_space(source.offset))
        return Roi(offset + Coordinate(begin) * size, Coordinate(np.subtract(end, begin)) * size)

    def _along_space(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(values[len(values) - len(self.halo) :])


def _sum(one: Index, other: Index) -> Index:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _less(one: Index, other: Index) -> Index:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def _corners(box: Box) -> tuple[Index, Index]:
    return tuple(s.start for s in box), tuple(s.stop for s in box)
