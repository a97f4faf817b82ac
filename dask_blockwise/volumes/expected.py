"""What blocks will read of distant arrays, so that it can be read ahead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from ..geometry.boxes import Box, Index, bounded, full_box
from ..storage.location import is_remote
from ..storage.stored_array import StoredArray
from .frame import Frame
from .reading import readings
from .source import Voxels
from .spans import Span, spans_of

__all__ = ["Expected"]


@dataclass(frozen=True)
class _Part:
    array: StoredArray
    frame: Frame
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Expected:
    """What each block of a volume will read of arrays in distant stores.

    What lies on this machine's disks isn't told: to read it takes a core, not time.
    """

    # Positions of blocks along each axis but "c".
    positions: Index
    parts: tuple[_Part, ...]

    @classmethod
    def of(cls, volume: Voxels, block: Index) -> Self:
        """Of blocks of such a shape."""
        spans = spans_of(volume.frame, block)
        parts = (
            _Part(found.array, found.frame, found.spans)
            for found in readings(volume, spans)
            if found.array and found.frame and found.spans and not found.written
        )
        distant = tuple(part for part in parts if _may_be_read_ahead(part.array))
        return cls(tuple(len(span.begin) for span in spans), distant)

    def regions(self, number: int) -> Iterator[tuple[StoredArray, Box]]:
        """Each array, and the region of it that a block will read."""
        at = [int(n) for n in np.unravel_index(number, self.positions)]
        for part in self.parts:
            frame = part.frame
            axes = zip(part.spans, frame.offset, frame.voxel_size, strict=True)
            sides = [_voxels(span, at[span.axis], int(first), int(n)) for span, first, n in axes]
            if all(begin < end for begin, end in sides):
                begin, end = zip(*sides, strict=True)
                yield part.array, bounded(full_box(frame.axes, begin, end), part.array.shape)


def _may_be_read_ahead(array: StoredArray) -> bool:
    """Not where somebody may write meanwhile, nor where a block notes what it can't decode."""
    return is_remote(array.location) and not (array.rechecks or array.fills_corrupt)


def _voxels(span: Span, position: int, first: int, size: int) -> tuple[int, int]:
    begin, end = span.begin[position], span.end[position]
    return (begin - first) // size, -((first - end) // size)
