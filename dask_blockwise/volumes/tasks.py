"""The way from a volume to the tasks that store it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from dask.base import tokenize

from ..engine.ledger import Ledger, holds
from ..engine.task import Task
from ..geometry.blocks import Block, Coordinate, Roi
from ..geometry.boxes import Index, bounded, full_box
from ..storage.arrays import StoredArray, create_image, exists, open_array
from ..storage.chunking import chunks_and_shards
from .kinds import Checkpoint
from .lineage import (
    all_under,
    check_not_in_place,
    check_regional,
    is_turned,
    prepared,
    reach_of,
)
from .meaning import attributes_of
from .options import StoreOptions
from .plan import plan_of
from .reach import Reach
from .source import Voxels
from .step import Output, Step, Target

__all__ = [
    "array_to_fill",
    "awaited",
    "ledger_of",
    "steps_of",
    "tasks_into",
    "tasks_to_store",
    "upstream_tasks",
]

# The tasks that store the checkpoints of one run, by location.
Made = dict[str, tuple[str, list[Task]]]

_task_numbers = itertools.count(1)


def steps_of(volume: Voxels, block: Index) -> Sequence[Step]:
    """What storing a volume in such blocks takes: what its source says, or each block by itself."""
    return volume.source.steps(volume.frame, block) or (_only_step(volume, block),)


def tasks_to_store(volume: Voxels, path: str, options: StoreOptions, made: Made) -> list[Task]:
    """The tasks that store a volume, and the checkpoints on the way to it; its array is made.

    Parameters
    ----------
    volume : Volume
    path : str
        Absolute, or a URL.
    options : StoreOptions
    made : dict
        Tasks of this run that store checkpoints already; those that come on top are added.
    """
    block = volume.frame.checked_block(options.block_shape)
    steps_of(volume, block)  # which refuses what can't be stored
    check_not_in_place(volume, path)
    check_regional(volume, stored=True)
    upstream = upstream_tasks(volume, made)
    output = Output(path, array_to_fill(volume, path, block, options))
    return tasks_into(volume, output, options, upstream)


def tasks_into(
    volume: Voxels, output: Output, options: StoreOptions, upstream: Sequence[Task]
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
    if options.resume and last > 0:
        only = _task(volume, steps[last], output, options, upstream)
        if _complete(only):
            return [only]
    tasks: list[Task] = []
    for step in steps:
        task = _task(volume, step, output, options, tasks[-1:] or upstream)
        goes_on = options.goes_on and task.ledger is not None
        if step.prepare and not (goes_on and holds(str(task.ledger), task.fingerprint)):
            step.prepare(output)
        tasks.append(task)
    return tasks[last:]


def upstream_tasks(volume: Voxels, made: Made) -> list[Task]:
    """The tasks that store a checkpoint, or those below a volume; those there are used again."""
    if isinstance(volume.source, Checkpoint):
        return _checkpoint_tasks(volume, volume.source, made)
    return [task for inner in volume.source.inputs for task in upstream_tasks(inner, made)]


def array_to_fill(volume: Voxels, path: str, block: Index, options: StoreOptions) -> StoredArray:
    """The array to store at: that of an earlier run of the same, or a new one."""
    goes_on = options.goes_on and exists(path)
    if goes_on and holds(ledger_of(f"{path}/s0"), _fingerprint(volume.token, block)):
        return open_array(path, writable=True)
    frame = volume.frame
    chunks, shards = chunks_and_shards(frame.with_channels(block), frame.axes, options.zarr_format)
    return create_image(
        path,
        frame.placement,
        frame.shape,
        frame.dtype,
        chunks=chunks,
        shards=shards,
        zarr_format=options.zarr_format,
        overwrite=options.overwrite,
        attributes=attributes_of(frame.stands_for),
    )


def ledger_of(array_path: str) -> str:
    """Where the marks of an array's finished blocks lie."""
    return f"{array_path}/.dask_blockwise"


@dataclass(frozen=True)
class _StoreBlock:
    """Store one block of a volume."""

    volume: Voxels
    target: Target

    def __call__(self, block: Block) -> None:
        frame = self.volume.frame
        begin, end = frame.voxels(block.write_roi)
        box = bounded(full_box(frame.axes, begin, end), frame.shape)
        self.target.write(box, self.volume.source.block(block.number, begin, end))


def _only_step(volume: Voxels, block: Index) -> Step:
    return Step(
        "",
        block,
        lambda output: _StoreBlock(prepared(volume), output.target),
        reach=reach_of(volume),
        array=lambda output: output.target.path,
        made_from=volume.token,
        last=True,
        cost=plan_of(volume, block),
    )


def _task(
    volume: Voxels, step: Step, output: Output, options: StoreOptions, upstream: Sequence[Task]
) -> Task:
    """A task over the volume's blocks."""
    frame, name = volume.frame, Path(output.path).name
    title = f"{name}: {step.name}" if step.name else name
    write = Roi(frame.offset, Coordinate(step.block) * frame.voxel_size)
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
        ledger=ledger_of(step.array(output)) if step.array else None,
        fingerprint=_fingerprint(step.made_from, step.block),
        voxels_per_block=prod(step.block),
        title=title,
    )


def _fingerprint(token: str, block: Index) -> str:
    """What the content of the blocks depends on."""
    return str(tokenize(token, block))


def awaited(volume: Voxels, reach: Reach) -> tuple[Coordinate, Coordinate]:
    """What a block waits for: its reach, and all of an axis along which it reads at the far end.

    Where axes are turned on the way, it isn't said which blocks those are: it waits for all.
    """
    # A part of what is larger may read at the far end of that.
    everything = all_under(volume)
    if is_turned(volume):
        return _around_all(everything, reach)
    axes = list(zip(reach_of(volume).wraps, everything.shape))
    before, after = (
        Coordinate(whole if wraps else side for side, (wraps, whole) in zip(sides, axes))
        for sides in (reach.before, reach.after)
    )
    return before, after


def _around_all(roi: Roi, reach: Reach) -> tuple[Coordinate, Coordinate]:
    """As much around a block as holds a region, in whichever order its axes are."""
    length = max(roi.end) - min(roi.begin) + max((*reach.before, *reach.after))
    everywhere = Coordinate((length,) * roi.dims)
    return everywhere, everywhere


def _complete(task: Task) -> bool:
    """Whether an earlier run has done all blocks."""
    if task.ledger is None or not holds(task.ledger, task.fingerprint):
        return False
    ledger = Ledger(task.ledger, task.grid, task.fingerprint)
    ledger.close()
    return bool(ledger.done.all())


def _checkpoint_tasks(volume: Voxels, checkpoint: Checkpoint, made: Made) -> list[Task]:
    path = checkpoint.path
    if path not in made:
        stored = tasks_to_store(checkpoint.made, path, checkpoint.options, made)
        made[path] = volume.token, stored
    token, tasks = made[path]
    if token != volume.token:
        raise ValueError(
            f"Two different checkpoints of one run would be stored at {path}: give each "
            "a path of its own."
        )
    return tasks
