"""What the stored arrays that a run reads are known by.

An array that was written here is known by the marks of its blocks, as far as what they left is
still there: so the same computed anew is the same. Any other is known by what the store says of its
files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ..engine.evidence import Evidence, FixedEvidence, LedgerOf, OfTask, Run
from ..engine.ledger import Finished, finished
from ..engine.mark import files_of
from ..engine.task import Task
from ..geometry.box_sums import many_box_sums
from ..geometry.boxes import Index
from ..storage.location import can_be_listed, is_only_read
from ..storage.stamps import stamps_of
from ..storage.stored_array import StoredArray
from .frame import Frame
from .spans import Reading, Span, everywhere, runs_over, spans_of

__all__ = [
    "Known",
    "KnownArrays",
    "Verify",
    "array_id",
    "ledger_of",
    "left_empty",
    "new_id",
    "over_blocks",
    "runs_of",
    "sums_of_blocks",
]

Verify = Literal["stamps", "content", "none"]
Numbers = NDArray[np.uint64]


@dataclass(frozen=True)
class Known:
    """What the parts of a stored array are known by: its blocks, shards or chunks."""

    array: StoredArray
    # What the parts are called.
    parts: str
    values: Numbers
    # Voxels of a part, along all axes but "c".
    unit: Index
    # Files that aren't there of its shards or chunks; None where that isn't known.
    absent: int | None = None
    # Of the array as it is stored; None where it isn't read as a volume.
    axes: tuple[str, ...] | None = None


def array_id(array: StoredArray) -> str:
    """By which marks know the array that they vouch for."""
    record = array.attributes.get("dask_blockwise")
    return str(record.get("id", "")) if isinstance(record, Mapping) else ""


def new_id() -> dict[str, Any]:
    """Attributes of a new array that is to be known so."""
    return {"dask_blockwise": {"id": uuid4().hex}}


def ledger_of(array_path: str) -> str:
    """Where the marks of an array's finished blocks lie."""
    return f"{array_path}/.dask_blockwise"


@dataclass
class KnownArrays:
    """The stored arrays that a run reads, looked at once each, before it begins."""

    verify: Verify = "stamps"
    # By location and axes, by which an array may be read in several ways.
    found: dict[tuple[str, tuple[str, ...] | None], Known] = field(default_factory=dict)

    def evidence(
        self, readings: Sequence[Reading], shape: Index, stored_by: Mapping[str, Task]
    ) -> list[Evidence]:
        """What stands for what is read, for blocks of a grid of such a shape.

        Parameters
        ----------
        readings : sequence of Reading
        shape : tuple of int
        stored_by : mapping
            The tasks of the run that store checkpoints, by path, or write arrays, by location.
        """
        if self.verify == "none":
            return []
        return [self._evidence(reading, shape, stored_by) for reading in readings]

    def read_by(self, readings: Sequence[Reading]) -> list[Known]:
        """What is known of the arrays that readings are of, but for what the run writes."""
        if self.verify == "none":
            return []
        last = [reading for reading in readings if not reading.written]
        return [self._known(reading.frame, of) for reading in last if (of := reading.array)]

    def _evidence(self, reading: Reading, shape: Index, stored_by: Mapping[str, Task]) -> Evidence:
        frame, array = reading.frame, reading.array
        if frame is not None and reading.checkpoint is not None:
            runs = runs_of(reading.spans, frame, frame.block_shape, shape)
            return OfTask(stored_by[reading.checkpoint], shape, runs)
        if array is None:
            raise ValueError(f"{reading} is of nothing that is stored.")
        if frame is not None and reading.written and array.location in stored_by:
            runs = runs_of(reading.spans, frame, frame.block_shape, shape)
            return OfTask(stored_by[array.location], shape, runs)
        if frame is not None and reading.written:
            return _Written(frame, array, shape, reading.spans)
        return FixedEvidence(self._sums(frame, array, reading.spans, shape))

    def _sums(
        self,
        frame: Frame | None,
        array: StoredArray,
        spans: tuple[Span, ...] | None,
        shape: Index,
    ) -> Numbers:
        found = self._known(frame, array)
        if frame is None or spans is None:
            return np.full(prod(shape), found.values.sum(dtype=np.uint64))
        return sums_of_blocks(found.values, runs_over(spans, frame, found.unit), shape)

    def _known(self, frame: Frame | None, stored: StoredArray) -> Known:
        key = stored.location, None if frame is None else frame.axes
        if key not in self.found:
            self.found[key] = known_now(frame, stored, self.verify)
        return self.found[key]


@dataclass(frozen=True)
class _Written:
    """What other tasks of the run write, by its files, once they are done."""

    frame: Frame
    stored: StoredArray
    # Of the blocks' grid.
    shape: Index
    spans: tuple[Span, ...] | None
    fixed = False

    def of(self, blocks: NDArray[np.int64], ledger_of: LedgerOf) -> Numbers:
        """See `Evidence.of`."""
        frame = self.frame
        runs = runs_of(self.spans, frame, (1,) * len(frame.extent), self.shape)
        at = np.unravel_index(blocks, self.shape)
        boxes = zip(*(zip(r.first[at[r.axis]], r.stop[at[r.axis]], strict=True) for r in runs))
        stamps = (self._stamp(box) for box in boxes)
        return np.fromiter(stamps, np.uint64, len(blocks))

    def _stamp(self, box: Sequence[tuple[int, int]]) -> int:
        rest, frame = iter(box), self.frame
        spans = ((0, n) if axis == "c" else next(rest) for axis, n in zip(frame.axes, frame.shape))
        return self.stored.stamp(tuple(slice(int(b), int(e)) for b, e in spans))[1]


def runs_of(
    spans: tuple[Span, ...] | None, frame: Frame, unit: Index, shape: Index
) -> tuple[Run, ...]:
    """Which units of a volume each block of a grid of such a shape reads; all unless given."""
    return runs_over(spans or everywhere(frame, shape[0]), frame, unit)


def known_now(frame: Frame | None, stored: StoredArray, verify: Verify) -> Known:
    """What the parts of a stored array are known by now."""
    stamps = stamps_of(stored, "content" if verify == "content" else "stamps")
    parts = "shards" if stored.shards else "chunks"
    is_told = stored.units.names is not None and can_be_listed(stored.location)
    absent = int(np.count_nonzero(stamps.values == 0)) if is_told else None
    if frame is None:
        return Known(stored, parts, stamps.values, stamps.unit, absent)
    values, unit = over_blocks(stamps.values, frame), frame.without_channels(stamps.unit)
    order = stored.order or range(len(frame.axes))
    axes = tuple(frame.axes[place] for place in np.argsort(order))
    done = _marks_of(frame, stored)
    if done is not None and absent:
        absent = max(0, absent - _left_empty(stored, done))
    if done is None or verify != "stamps":
        return Known(stored, parts, values, unit, absent, axes)
    return replace(_by_marks(stored, frame, values, unit, done), absent=absent, axes=axes)


def left_empty(frame: Frame | None, stored: StoredArray) -> int:
    """How many shards or chunks have no file since a run has found nothing but fill value for them.

    None, as far as is known, of what wasn't written here or isn't done, or is an error to read.
    """
    done = None if frame is None else _marks_of(frame, stored)
    return 0 if done is None else _left_empty(stored, done)


def _left_empty(stored: StoredArray, done: Finished) -> int:
    if not (stored.fills and done.done.all()):
        return 0
    return prod(stored.units.grid) - int(files_of(done.marks).sum())


def _marks_of(frame: Frame, stored: StoredArray) -> Finished | None:
    """Marks that vouch for an array as a volume; None in what is only read, where they may lie."""
    if is_only_read(stored.location):
        return None
    done = finished(ledger_of(stored.location), array_id(stored))
    if done is None or not done.done.any() or done.grid.writable_roi != frame.roi:
        return None
    return done


def _by_marks(
    stored: StoredArray, frame: Frame, values: Numbers, unit: Index, done: Finished
) -> Known:
    """By marks where what they vouch for is there, by files where it isn't."""
    block = tuple(map(int, done.grid.write_roi.shape / frame.voxel_size))
    runs = runs_over(spans_of(frame, block), frame, unit)
    stamps = sums_of_blocks(values, runs, done.grid.shape)
    holds = done.done & (stamps == done.marks["stamp"])
    by_block = np.where(holds, done.identities, stamps)
    return Known(stored, "blocks", by_block.reshape(done.grid.shape), block)


def over_blocks(values: Numbers, frame: Frame) -> Numbers:
    """Numbers along all axes, summed over the channels."""
    channels = tuple(n for n, axis in enumerate(frame.axes) if axis == "c")
    return values.sum(channels, dtype=np.uint64) if channels else values


def sums_of_blocks(values: Numbers, runs: Sequence[Run], shape: Index) -> Numbers:
    """For each block of a grid, the sum of its units' numbers."""
    at = np.unravel_index(np.arange(prod(shape)), shape)
    begin = [run.first[at[run.axis]] for run in runs]
    end = [run.stop[at[run.axis]] for run in runs]
    return many_box_sums(values, begin, end)
