"""What blocks will read of distant arrays, so that it can be read ahead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import lt
from typing import Self

import numpy as np

from ..engine.evidence import Run
from ..geometry.boxes import Box, Index, bounded, full_box
from ..storage.location import is_remote
from ..storage.stored_array import StoredArray
from .reading import readings
from .source import Voxels
from .spans import runs_over, spans_of

__all__ = ["Expected"]


@dataclass(frozen=True)
class _Part:
    array: StoredArray
    axes: tuple[str, ...]
    # Voxels along each of them but "c".
    runs: tuple[Run, ...]


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
            _Part(found.array, frame.axes, runs_over(found.spans, frame, (1,) * len(frame.extent)))
            for found in readings(volume, spans)
            if found.array and (frame := found.frame) and found.spans and not found.written
            if _may_be_read_ahead(found.array)
        )
        return cls(tuple(len(span.begin) for span in spans), tuple(parts))

    def regions(self, number: int) -> Iterator[tuple[StoredArray, Box]]:
        """Each array, and the region of it that a block will read."""
        at = np.unravel_index(number, self.positions)
        for part in self.parts:
            begin = tuple(int(run.first[at[run.axis]]) for run in part.runs)
            end = tuple(int(run.stop[at[run.axis]]) for run in part.runs)
            if all(map(lt, begin, end)):
                yield part.array, bounded(full_box(part.axes, begin, end), part.array.shape)


def _may_be_read_ahead(array: StoredArray) -> bool:
    """Not where somebody may write meanwhile, nor where a block notes what it can't decode."""
    return is_remote(array.location) and not (array.rechecks or array.fills_corrupt)
