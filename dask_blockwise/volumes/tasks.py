"""The way from a volume to the tasks that store it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..engine.ledger import forget_others, holds
from ..engine.standing import settled
from ..engine.task import Task
from ..engine.worker.trace import Trace
from ..geometry.blocks import Block, Coordinate, Roi
from ..geometry.boxes import Index, bounded, full_box
from .filling import Filling
from .kinds import Checkpoint
from .left import left_in
from .lineage import awaited, check_not_in_place, check_regional, prepared, reach_of
from .marks import fingerprint_of, marked_array, marks_of, vouching_of
from .options import StoreOptions
from .plan import plan_of
from .preparation import Preparation
from .reading import readings
from .source import Voxels
from .spans import spans_of
from .step import Output, Step, Target

__all__ = [
    "check_outputs",
    "checkpoints_of",
    "filling_of",
    "steps_of",
    "tasks_into",
    "tasks_to_mend",
    "tasks_to_store",
    "upstream_tasks",
]

_task_numbers = itertools.count(1)


def steps_of(volume: Voxels, block: Index) -> Sequence[Step]:
    """What storing a volume in such blocks takes: what its source says, or each block by itself."""
    return volume.source.steps(volume.frame, block) or (_only_step(volume, block),)


def check_outputs(
    volume: Voxels, path: str, options: StoreOptions, preparation: Preparation
) -> None:
    """Refuse what can't be stored, and to touch what is stored and no longer holds.

    Raises
    ------
    ValueError, OutputChanged
    """
    block = volume.frame.checked_block(options.block_shape)
    steps_of(volume, block)  # which refuses what can't be stored
    check_not_in_place(volume, path)
    check_regional(volume, stored=True)
    for below in checkpoints_of(volume):
        check_outputs(below.made, below.path, below.options, preparation)
    filling = filling_of(volume, path, options, preparation)
    preparation.claim(filling.ledger)
    filling.check()


def tasks_to_store(
    volume: Voxels, path: str, options: StoreOptions, preparation: Preparation
) -> list[Task]:
    """The tasks that store a volume, and the checkpoints on the way to it; its array is made.

    Parameters
    ----------
    volume : Volume
    path : str
        Absolute, or a URL.
    options : StoreOptions
    preparation : Preparation
        Tasks of this run that store checkpoints are added to it.
    """
    upstream = upstream_tasks(volume, preparation)
    filling = filling_of(volume, path, options, preparation)
    output = Output(path, Target.all_of(filling.array()))
    preparation.at_end.append(filling.end)
    return tasks_into(volume, output, options, upstream, preparation)


def tasks_to_mend(
    volume: Voxels, path: str, options: StoreOptions, preparation: Preparation
) -> list[Task]:
    """Tasks of checkpoints to be run before it is known whether a finished output still holds.

    Where an output takes several steps, these leave nothing behind that would tell which of its
    blocks are touched: all steps would be done again for a checkpoint that lacks one chunk.
    """
    filling = filling_of(volume, path, options, preparation)
    several = len(steps_of(volume, filling.block)) > 1
    complete = filling.goes_on and filling.done is not None and filling.done.done.all()
    if not (several and complete and options.goes_on and options.roi is None):
        return []
    upstream = upstream_tasks(volume, preparation)
    return [] if all(map(settled, upstream)) else upstream


def filling_of(
    volume: Voxels, path: str, options: StoreOptions, preparation: Preparation
) -> Filling:
    """What lies at the path where a volume is about to be stored, looked at once in a run."""

    def look() -> Filling:
        block = volume.frame.checked_block(options.block_shape)
        last = next(step for step in steps_of(volume, block) if step.last)
        return Filling(volume, path, block, options, preparation, tuple(last.readings()))

    return preparation.once(path, volume, look)


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
    if options.resume and last > 0 and options.roi is None:
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


def upstream_tasks(volume: Voxels, preparation: Preparation) -> list[Task]:
    """The tasks that store a checkpoint, or those below a volume; those there are used again."""
    if isinstance(volume.source, Checkpoint):
        return _checkpoint_tasks(volume, volume.source, preparation)
    inner = (upstream_tasks(inner, preparation) for inner in volume.source.inputs)
    return list(dict.fromkeys(task for tasks in inner for task in tasks))


@dataclass(frozen=True)
class _StoreBlock:
    """Store one block of a volume."""

    volume: Voxels
    target: Target

    def __call__(self, block: Block) -> Trace:
        frame = self.volume.frame
        begin, end = frame.voxels(block.write_roi)
        box = bounded(full_box(frame.axes, begin, end), frame.shape)
        return self.target.write(box, self.volume.source.block(block.number, begin, end))


def _only_step(volume: Voxels, block: Index) -> Step:
    return Step(
        "",
        block,
        lambda output: _StoreBlock(prepared(volume), output.target),
        reach=reach_of(volume),
        array=lambda output: output.target.path,
        made_from=volume.token,
        readings=lambda: readings(volume, spans_of(volume.frame, block)),
        left=lambda output: left_in(output.target, volume.frame, block),
        in_region="only",
        last=True,
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
    title = f"{name}: {step.name}" if step.name else name
    write = Roi(frame.offset, Coordinate(step.block) * frame.voxel_size)
    forced = _forced(volume, step, options)
    context = awaited(volume, step.reach) if upstream else (step.reach.before, step.reach.after)
    return Task(
        f"{title.replace(': ', '-')}-{next(_task_numbers)}",
        frame.roi.grow(*context),
        write.grow(*context),
        write,
        step.process(output),
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
        memory=step.cost.worker_bytes if step.cost else None,
        title=title,
    )


def _forced(volume: Voxels, step: Step, options: StoreOptions) -> NDArray[np.bool_] | None:
    """Which blocks of a step are run also if they are done, where a region is repaired."""
    if options.roi is None or (step.in_region == "missing" and not step.again):
        return None
    meeting = _meeting(volume, step, options.roi)
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


def checkpoints_of(volume: Voxels) -> list[Checkpoint]:
    """Those that a volume is computed from, without those further down."""
    if isinstance(volume.source, Checkpoint):
        return [volume.source]
    return [found for inner in volume.source.inputs for found in checkpoints_of(inner)]


def _checkpoint_tasks(
    volume: Voxels, checkpoint: Checkpoint, preparation: Preparation
) -> list[Task]:
    path, made = checkpoint.path, preparation.made
    if path not in made:
        stored = tasks_to_store(checkpoint.made, path, checkpoint.options, preparation)
        made[path] = volume.token, stored
    token, tasks = made[path]
    if token != volume.token:
        raise ValueError(
            f"Two different checkpoints of one run would be stored at {path}: give each "
            "a path of its own."
        )
    return tasks
