"""The tasks of a volume's steps: each writes to an array that is there, or will be."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.ledger import forget_others, holds
from ..engine.standing import settled
from ..engine.task import Task
from ..engine.worker.trace import Trace
from ..engine.worker.work import expects
from ..geometry.blocks import Block, Coordinate, Roi
from ..geometry.boxes import Index, bounded, full_box
from ..storage.ahead import READS_AHEAD
from ..storage.fences import Fence, fenced
from .expected import Expected
from .known import ledger_of
from .left import left_in
from .lineage import awaited, prepared, reach_of
from .marks import fingerprint_of, marked_array, marks_of, vouching_of
from .options import StoreOptions
from .plan import empty_blocks, plan_of
from .preparation import Preparation
from .reading import readings
from .skipping import Constant
from .source import Voxels
from .spans import spans_of
from .step import Output, Step, Target

__all__ = ["steps_of", "tasks_into"]

_task_numbers = itertools.count(1)


def steps_of(volume: Voxels, block: Index) -> Sequence[Step]:
    """What storing a volume in such blocks takes: what its source says, or each block by itself."""
    return volume.source.steps(volume, block) or (_only_step(volume, block),)


def tasks_into(
    volume: Voxels,
    output: Output,
    options: StoreOptions,
    upstream: Sequence[Task],
    preparation: Preparation,
) -> list[Task]:
    """The tasks that write a volume to an array that is there, after others.

    Returns
    -------
    list of Task
        The one that writes the volume, upstream of which are those before it, and any after it.
    """
    block = volume.frame.checked_block(options.block_shape)
    steps = steps_of(volume, block)
    last = next(n for n, step in enumerate(steps) if step.last)
    make = partial(_task, volume, output, options, preparation)
    if options.resume and last > 0 and options.roi is None and not steps[last].keeps:
        only = make(steps[last], upstream, None)
        if settled(only):
            tidying = [step for step in steps[last + 1 :] if step.needed and step.needed(output)]
            return [only, *(make(step, [only], None) for step in tidying)]
    before: dict[str, Task] = {}
    for step in steps:
        _prepare(step, output, options)
        before[step.name] = task = make(step, list(before.values())[-1:] or upstream, before)
        if task.ledger and task.vouching:
            # Whether these may be touched was asked before.
            forget_others(task.ledger, task.fingerprint, task.vouching.array)
    return list(before.values())[last:]


@dataclass(frozen=True)
class _StoreBlock:
    """Store one block of a volume."""

    volume: Voxels
    target: Target
    # Voxels of a block, along all axes but "c".
    shape: Index

    def __call__(self, block: Block) -> Trace:
        frame = self.volume.frame
        begin, end = frame.voxels(block.write_roi)
        box = bounded(full_box(frame.axes, begin, end), frame.shape)
        values = self.volume.source.block(block.number, begin, end)
        left = self.target.write(box, values)
        return left.of_nothing() if self._is_empty(values, begin, end) else left

    def _is_empty(self, values: NDArray[Any], begin: Index, end: Index) -> bool:
        """Whether masks say so, which may take long, and were read for the values before.

        So they are asked again only where all values are one.
        """
        source = self.volume.source
        is_one = bool(source.masks) and Constant(values.flat[0])(values)
        return is_one and source.is_empty(begin, end)

    def expect(self, block: Block) -> bool:
        """See `Work.expect`."""
        if not self._expected.parts or self.volume.source.is_empty(
            *self.volume.frame.voxels(block.write_roi)
        ):
            return False
        regions = self._expected.regions(block.number)
        return READS_AHEAD.begin(array.reading_of(region) for array, region in regions)

    @cached_property
    def _expected(self) -> Expected:
        return Expected.of(self.volume, self.shape)


@dataclass(frozen=True)
class _Fenced:
    """What is done with a block, under the claim of its run."""

    process: Callable[[Block], Trace | None]
    fence: Fence

    def __call__(self, block: Block) -> Trace | None:
        with fenced(self.fence):
            return self.process(block)

    def expect(self, block: Block) -> bool:
        """See `Work.expect`."""
        return expects(self.process, block)


def _only_step(volume: Voxels, block: Index) -> Step:
    return Step(
        "",
        block,
        lambda output: _StoreBlock(prepared(volume), output.target, block),
        reach=reach_of(volume),
        array=lambda output: output.target.path,
        made_from=volume.token,
        readings=lambda: readings(volume, spans_of(volume.frame, block)),
        left=lambda output: left_in(output.target, volume.frame, block),
        in_region="only",
        last=True,
        empty=lambda: empty_blocks(volume, block),
        cost=plan_of(volume, block),
    )


def _prepare(step: Step, output: Output, options: StoreOptions) -> None:
    """Make a step's array, unless an earlier run has left marks in it that are of the same."""
    if step.prepare is None:
        return
    same = step.array is not None and holds(
        marks_of(step, output), fingerprint_of(step, options), marked_array(step, output)
    )
    if not (same and options.goes_on):
        step.prepare(output)


def _task(
    volume: Voxels,
    output: Output,
    options: StoreOptions,
    preparation: Preparation,
    step: Step,
    upstream: Sequence[Task],
    before: Mapping[str, Task] | None,
) -> Task:
    """A task over the volume's blocks; steps before it are in the run unless that isn't given."""
    frame, name = volume.frame, Path(output.path).name
    title = ": ".join(filter(None, (name, output.part, step.name)))
    write = Roi(frame.offset, Coordinate(step.block) * frame.voxel_size)
    forced = _forced(volume, step, options)
    process, fence = step.process(output), preparation.fence(ledger_of(output.target.path))
    # The same whether the steps before it are in the run or not, as marks tell of it.
    waits = upstream or step.after
    context = awaited(volume, step.reach) if waits else (step.reach.before, step.reach.after)
    return Task(
        f"{title.replace(': ', '-')}-{next(_task_numbers)}",
        frame.roi.grow(*context),
        write.grow(*context),
        write,
        process if fence is None else _Fenced(process, fence),
        read_write_conflict=False,
        fit="shrink",
        num_workers=options.num_workers,
        max_retries=options.max_retries,
        timeout=options.timeout,
        upstream_tasks=list(upstream) or None,
        ledger=marks_of(step, output) if step.array else None,
        fingerprint=fingerprint_of(step, options),
        vouching=vouching_of(volume, output, options, preparation, step, before),
        only=forced if step.in_region == "only" else None,
        again=None if step.in_region == "only" else forced,
        voxels_per_block=prod(step.block),
        bytes_needed=step.cost.needed_bytes if step.cost else None,
        filled=step.cost.filled if step.cost else 1.0,
        memory=step.cost.worker_bytes if step.cost else None,
        title=title,
    )


def _forced(volume: Voxels, step: Step, options: StoreOptions) -> NDArray[np.bool_] | None:
    """Which blocks of a step are run also if they are done, where a region is repaired."""
    if options.roi is None or (step.in_region == "missing" and not step.again):
        return None
    around = (step.reach.before, step.reach.after) if step.in_region == "around" else ()
    meeting = _meeting(volume, step, options.roi.grow(*around))
    return np.ones_like(meeting) if step.again else meeting


def _meeting(volume: Voxels, step: Step, roi: Roi) -> NDArray[np.bool_]:
    """Which blocks meet a region."""
    spans = spans_of(volume.frame, step.block)
    by_axis = [
        (np.array(span.begin) < int(end)) & (np.array(span.end) > int(begin))
        for span, begin, end in zip(spans, roi.begin, roi.end, strict=True)
    ]
    meeting: NDArray[np.bool_] = reduce(np.logical_and.outer, by_axis).ravel()
    return meeting
