"""Which blocks may run now: counters, not objects, so that a million blocks cost a few bytes each.

A block waits for the blocks of upstream tasks whose write ROI meets its read ROI and, in a task
with read/write conflicts, for conflicting blocks of a lower level. Everything is a product over
the axes, so no pair of blocks is ever listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from heapq import heappop, heappush
from itertools import chain, islice
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import BlockGrid
from ..geometry.boxes import Box, Index
from .conflicts import Conflicts, Integers, along
from .order import Order

# Releases larger than this stay one array that is walked lazily instead of entries in a heap.
_LARGE_RELEASE = 4096
# Blocks whose positions along all axes are held at once.
_AT_ONCE = 1 << 20


class Frontier:
    """Hands out the blocks that may run, and learns which are done.

    Parameters
    ----------
    grids
        One grid a task.
    conflicts
        Whether blocks of the task conflict where one reads what another writes.
    upstream
        For each task, the positions of the tasks it reads from.

    Raises
    ------
    ValueError
        If a task and its upstream task differ in their number of axes.

    Examples
    --------
    >>> from dask_blockwise.geometry.blocks import Roi
    >>> grid = BlockGrid(Roi((0,), (40,)), Roi((0,), (10,)), Roi((0,), (10,)))
    >>> frontier = Frontier([grid, grid], [False, False], [[], [0]])
    >>> frontier.take(0, 2), frontier.take(1, 2)
    ([0, 1], [])
    >>> frontier.done(0, 1)
    >>> frontier.take(1, 2)
    [1]
    """

    def __init__(
        self,
        grids: Sequence[BlockGrid],
        conflicts: Sequence[bool],
        upstream: Sequence[Sequence[int]],
    ) -> None:
        self._grids = grids
        self._feeds: list[list[tuple[_Feed, _Waiting]]] = [[] for _ in grids]
        self._waiting: list[_Waiting] = []
        for grid, conflict, sources in zip(grids, conflicts, upstream):
            feeds = [_Feed(grids[source], grid) for source in sources]
            waiting = _Waiting(grid, Conflicts.of(grid) if conflict else None, feeds)
            self._waiting.append(waiting)
            for source, feed in zip(sources, feeds):
                self._feeds[source].append((feed, waiting))

    def ready(self, task: int) -> int:
        """How many blocks of the task may run now."""
        return self._waiting[task].ready

    def take(self, task: int, count: int) -> list[int]:
        """Up to ``count`` blocks that may run now, neighbours soon after one another."""
        return self._waiting[task].take(count)

    def done(self, task: int, number: int) -> None:
        """Let go of the blocks that waited for this one alone."""
        waiting, feeds = self._waiting[task], self._feeds[task]
        if not waiting.ordered and not feeds:
            return
        index = self._grids[task].index(number)
        waiting.pass_turn(index)
        for feed, fed in feeds:
            for box in feed.done(index):
                fed.release(box)


class _Waiting:
    """Blocks of one task: how many conditions each waits for, and those that wait for none."""

    def __init__(
        self, grid: BlockGrid, conflicts: Conflicts | None, feeds: Sequence[_Feed]
    ) -> None:
        self._conflicts = conflicts if conflicts and any(conflicts.reach) else None
        self._order = Order(grid)
        self.ordered = self._conflicts is not None and len(grid) > 1
        self.ready = 0
        # Keys in the order.
        self._heap: list[int] = []
        self._backlog: Iterator[int] = iter(())
        if self.ordered or feeds:
            self._count(grid.shape, feeds)
        else:
            self.ready, self._backlog = len(grid), iter(self._order)

    def _count(self, shape: Index, feeds: Sequence[_Feed]) -> None:
        """Set the counters: one condition a feed, one a conflicting block of lower level."""
        most = len(feeds) + (self._conflicts.most if self.ordered and self._conflicts else 0)
        self._conditions = np.full(shape, len(feeds), np.min_scalar_type(most))
        if self.ordered and self._conflicts:
            self._conditions += self._conflicts.earlier()
        free = np.flatnonzero(self._conditions == 0)
        parts = np.array_split(free, 1 + free.size // _AT_ONCE)
        keys = (self._order.keys(np.unravel_index(part, shape)) for part in parts)
        self._append(np.concatenate(list(keys)))
        # What reads no block at all of an upstream task will never be told that one is done.
        for feed in feeds:
            for box in feed.unfed():
                self.release(box)

    def take(self, count: int) -> list[int]:
        taken = [heappop(self._heap) for _ in range(min(count, len(self._heap)))]
        taken.extend(islice(self._backlog, count - len(taken)))
        self.ready -= len(taken)
        return self._order.numbers(taken)

    def pass_turn(self, index: Index) -> None:
        """Tell conflicting blocks of higher level that this one is done."""
        if not (self.ordered and self._conflicts):
            return
        levels, near, reach = self._conflicts.levels, self._conflicts.near, self._conflicts.reach
        box = tuple(slice(max(0, i - r), i + r + 1) for i, r in zip(index, reach))
        later = levels[box] > levels[index]
        if near is not None:
            cut = (slice(max(0, r - i), None) for i, r in zip(index, reach))
            later &= near[tuple(cut)][tuple(map(slice, later.shape))]
        # A slice is a view: this counts down in the array itself. All of `later` waited for this
        # very block, so none goes below 0.
        conditions = self._conditions[box]
        conditions -= later
        self._push(box, later & (conditions == 0))

    def release(self, box: Box) -> None:
        """One condition less for every block of the box."""
        conditions = self._conditions[box]
        conditions -= 1
        self._push(box, conditions == 0)

    def _push(self, box: Box, which: NDArray[np.bool_]) -> None:
        """Let go of some blocks of a box."""
        if not which.any():
            return
        at = which.nonzero()
        keys = self._order.keys([inside + side.start for inside, side in zip(at, box)])
        if keys.size > _LARGE_RELEASE:
            self._append(keys)
            return
        self.ready += keys.size
        for key in keys.tolist():
            heappush(self._heap, key)

    def _append(self, keys: Integers) -> None:
        self.ready += len(keys)
        # Links that have been walked fall off the chain.
        self._backlog = chain(self._backlog, map(int, np.sort(keys)))


class _Feed:
    """Counts, for blocks of a downstream grid, the upstream blocks that they still wait for.

    Along each axis a block reads a run of upstream blocks. Blocks that read the same runs share
    one counter, so a block that reads everything costs one counter, not one entry a pair.
    """

    def __init__(self, upstream: BlockGrid, downstream: BlockGrid) -> None:
        _check_axes(upstream, downstream)
        axes = range(downstream.total_roi.dims)
        runs = [_AxisRuns(upstream, downstream, axis) for axis in axes]
        self._boxes = [run.blocks for run in runs]
        self._readers = [run.readers for run in runs]
        most = prod(int(run.length.max(initial=0)) for run in runs)
        lengths = [run.length.astype(np.min_scalar_type(max(1, most))) for run in runs]
        counts = (along(length, axis, len(axes)) for axis, length in enumerate(lengths))
        self._waiting = np.asarray(reduce(np.multiply, counts))

    def unfed(self) -> Iterator[Box]:
        """Boxes of blocks that read no upstream block at all."""
        return map(self._box, np.argwhere(self._waiting == 0).tolist())

    def done(self, index: Index) -> Iterator[Box]:
        """Boxes of blocks whose last upstream block this was."""
        readers = tuple(spans[i] for spans, i in zip(self._readers, index))
        waiting = self._waiting[readers]
        waiting -= 1
        if waiting.all():
            return iter(())
        corner = [span.start for span in readers]
        fed = zip(*(axis.tolist() for axis in (waiting == 0).nonzero()))
        return (self._box([i + j for i, j in zip(at, corner)]) for at in fed)

    def _box(self, at: Sequence[int]) -> Box:
        return tuple(spans[i] for spans, i in zip(self._boxes, at))


class _AxisRuns:
    """Along one axis: the distinct runs of upstream blocks that downstream blocks read."""

    def __init__(self, upstream: BlockGrid, downstream: BlockGrid, axis: int) -> None:
        read_begin, read_end = _extent(downstream, axis, read=True)
        write_begin, write_end = _extent(upstream, axis, read=False)
        first = np.searchsorted(write_end, read_begin, "right")
        # Where a block reads none, its run is empty, not negative.
        last = np.maximum(first, np.searchsorted(write_begin, read_end, "left"))
        new = np.ones(len(first), bool)
        new[1:] = (np.diff(first) != 0) | (np.diff(last) != 0)
        starts = np.flatnonzero(new)
        first, last = first[starts], last[starts]
        # Both ends of the runs only grow along the axis, so the runs that hold a block are
        # neighbours: from the first that ends after it to the last that begins at or before it.
        number = np.arange(len(write_begin))
        self.length: Integers = last - first
        self.blocks = _slices(starts, np.append(starts[1:], len(new)))
        self.readers = _slices(
            np.searchsorted(last, number, "right"), np.searchsorted(first, number, "right")
        )


def _extent(grid: BlockGrid, axis: int, read: bool) -> tuple[Integers, Integers]:
    """Begin and end of every block's read or write ROI along one axis."""
    roi, whole = (grid.read_roi, grid.total_roi) if read else (grid.write_roi, grid.writable_roi)
    begin = whole.begin[axis] + np.arange(grid.shape[axis]) * grid.write_roi.shape[axis]
    end = begin + roi.shape[axis]
    return begin, np.minimum(end, whole.end[axis]) if grid.fit == "shrink" else end


def _slices(starts: Integers, stops: Integers) -> list[slice]:
    return [slice(start, stop) for start, stop in zip(starts.tolist(), stops.tolist())]


def _check_axes(upstream: BlockGrid, downstream: BlockGrid) -> None:
    if upstream.total_roi.dims != downstream.total_roi.dims:
        raise ValueError(
            f"A task over {downstream.total_roi.dims} axes reads from an upstream task over "
            f"{upstream.total_roi.dims}: give both ROIs the same axes, so that it is known which "
            "blocks feed which."
        )
