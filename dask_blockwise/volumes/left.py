"""What lies in a store of what each block of a volume left, against the marks of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index
from ..storage.stamps import stamps_of
from ..storage.stored_array import StoredArray
from .frame import Frame
from .known import over_blocks, sums_of_blocks
from .spans import Span, runs_over, spans_of
from .step import Left, Target, content_of

__all__ = ["differ_in_content", "left_in", "left_in_rows"]

_READERS = 8


def left_in(target: Target, frame: Frame, block: Index) -> Left:
    """What lies of each block of a volume that is stored in an array, or in a part of one."""
    stamps = stamps_of(target.stored)
    spans = _spans_in(target, frame, block)
    extent = frame.without_channels(target.stored.shape)
    runs = runs_over(spans, frame, frame.without_channels(stamps.unit), extent)
    shape = tuple(len(span.begin) for span in spans)
    there = (stamps.values != 0).astype(np.uint64)
    files, sums = (
        sums_of_blocks(over_blocks(values, frame), runs, shape) for values in (there, stamps.values)
    )
    return Left(files, sums)


def left_in_rows(arrays: Sequence[StoredArray]) -> Left:
    """What lies of each block in arrays that have a row for each of them."""
    by_row = [values.reshape(len(values), -1) for values in (stamps_of(a).values for a in arrays)]
    files = sum((np.count_nonzero(rows, 1) for rows in by_row), np.zeros(len(by_row[0]), np.int64))
    sums = sum((rows.sum(1, dtype=np.uint64) for rows in by_row), np.zeros(len(files), np.uint64))
    return Left(files.astype(np.uint64), sums)


def differ_in_content(
    target: Target, frame: Frame, block: Index, marks: NDArray[np.void]
) -> NDArray[np.bool_]:
    """Of which blocks the values aren't those that were left; reads all that are marked."""
    spans = spans_of(frame, block)
    numbers = np.flatnonzero(marks["check"])
    with ThreadPoolExecutor(_READERS) as pool:
        found = list(pool.map(partial(_content, target, frame, spans), numbers.tolist()))
    differ = np.zeros(len(marks), bool)
    differ[numbers] = marks["content"][numbers] != np.array(found, np.uint64)
    return differ


def _spans_in(target: Target, frame: Frame, block: Index) -> list[Span]:
    """Blocks of a volume, as if it lay from the first voxel of the array on."""
    first = frame.without_channels(target.begin)
    axes = zip(spans_of(frame, block), first, frame.voxel_size, strict=True)
    return [span.grown(int(-b * size), int(b * size)) for span, b, size in axes]


def _content(target: Target, frame: Frame, spans: Sequence[Span], number: int) -> int:
    at = np.unravel_index(number, [len(span.begin) for span in spans])
    axes = zip(spans, at, frame.offset, frame.voxel_size, strict=True)
    box = iter(
        slice(int(s.begin[n] - first) // int(size), int(s.end[n] - first) // int(size))
        for s, n, first, size in axes
    )
    region: Box = tuple(
        slice(0, n) if axis == "c" else next(box)
        for axis, n in zip(frame.axes, frame.shape, strict=True)
    )
    return content_of(target.read(region))
