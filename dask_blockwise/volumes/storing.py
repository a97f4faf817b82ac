"""What storing a volume is for a person: checkpoint, to_zarr and plan, methods of every volume."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributed import Client

from ..engine.progress import RunSummary
from ..engine.run import run
from ..engine.task import Task
from ..geometry.blocks import Roi
from ..storage.location import location_of
from .kinds import Checkpoint
from .known import Verify
from .lineage import AnyVoxels, as_it_is_now
from .options import OnChange, StoreOptions
from .plan import Plan
from .preparation import Preparation
from .source import Voxels
from .step import StagePlan
from .tasks import check_outputs, steps_of, tasks_to_mend, tasks_to_store

__all__ = ["BlocksFailed", "checkpoint", "plan", "run_all", "to_zarr"]


class BlocksFailed(RuntimeError):
    """Some blocks of a run failed for good; all others are done and kept.

    Parameters
    ----------
    summary : RunSummary
        Which blocks, and why each failed first.
    """

    exit_code = 1

    def __init__(self, summary: RunSummary) -> None:
        super().__init__(
            summary.as_error(
                "All other blocks that had their input are done and kept. The same call does only "
                "what is missing; with a changed function it is another computation, and asks what "
                "becomes of the finished blocks (on_change, overwrite)."
            )
        )
        self.summary = summary

    def __reduce__(self) -> tuple[type[BlocksFailed], tuple[RunSummary]]:
        # It may go from a worker to whoever waits for it, and is not made of its text alone.
        return type(self), (self.summary,)


def run_all(
    tasks: Task | Sequence[Task],
    client: Client | None,
    progress: bool,
    resume: bool,
    at_end: Sequence[Callable[[], None]] = (),
) -> RunSummary:
    """Run tasks, of which no block may fail, and then do what is to be done at the end.

    Raises
    ------
    BlocksFailed
        If blocks failed for good, after all others are done.
    """
    summary = run(tasks, client, progress, resume)
    if not summary:
        raise BlocksFailed(summary)
    for end in at_end:
        end()
    return summary


def checkpoint(
    volume: AnyVoxels,
    /,
    path: str | os.PathLike[str],
    *,
    block_shape: Sequence[int] | None = None,
    zarr_format: int = 3,
    overwrite: bool = False,
    resume: bool = True,
    num_workers: int | None = None,
    max_retries: int = 2,
    timeout: float | None = None,
    on_change: OnChange | None = None,
    version: str | None = None,
) -> AnyVoxels:
    """The same volume, stored on the way when something made from it is stored.

    Parameters
    ----------
    path : path or URL
    block_shape, zarr_format, overwrite, resume, num_workers, max_retries, timeout, version
        As for ``to_zarr``.
    on_change : "ask" or "redo", optional
        As for ``to_zarr``; unless given, as the run is told.

    Returns
    -------
    Volume
        Previews compute it.
    """
    options = StoreOptions(
        block_shape=block_shape,
        zarr_format=zarr_format,
        overwrite=overwrite,
        resume=resume,
        num_workers=num_workers,
        max_retries=max_retries,
        timeout=timeout,
        on_change=on_change,
        version=version,
    )
    block = volume.frame.checked_block(options.block_shape)
    steps_of(volume, block)  # which refuses what can't be stored
    source = Checkpoint((volume,), location_of(path), options)
    return replace(volume, frame=volume.frame.with_block(block), source=source)


def to_zarr(
    volume: Voxels,
    /,
    path: str | os.PathLike[str],
    *,
    client: Client | None = None,
    resume: bool = True,
    progress: bool = True,
    block_shape: Sequence[int] | None = None,
    zarr_format: int = 3,
    overwrite: bool = False,
    num_workers: int | None = None,
    max_retries: int = 2,
    timeout: float | None = None,
    on_change: OnChange = "ask",
    verify: Verify = "stamps",
    version: str | None = None,
    notes: Any = None,
    roi: Roi | None = None,
) -> RunSummary:
    """Compute the volume block by block and store it as OME-Zarr.

    Parameters
    ----------
    path : path or URL
        Such as ``"out.zarr/segments"``.
    client : distributed.Client, optional
        The present one, else a cluster on this machine, unless given.
    resume : bool
        Whether to go on with what an earlier run of the same computation stored there.
    progress : bool
        Whether to show a bar.
    block_shape : sequence of int, optional
        Voxels of a block along all axes but "c", as one shard; the volume's own unless given.
    zarr_format : int
        3, or 2 for older readers.
    overwrite : bool
        Whether something else that is stored there is replaced.
    num_workers : int, optional
        At most so many blocks of a task at once; as many as the cluster runs unless given.
    max_retries : int
        A block runs at most ``max_retries + 1`` times.
    timeout : float, optional
        Seconds that a block may take.
    on_change : "ask" or "redo"
        What becomes of blocks that an earlier run finished and that no longer hold, as what they
        were computed by, or from, has changed, or they were altered: refuse, and say what has
        changed, or compute again just these. Blocks that are missing are always computed.
    verify : "stamps", "content" or "none"
        How it is seen that what was read and written is what it was: by size, time and inode of
        files or the tags of a bucket; by reading all of it, where times say nothing, as in copies;
        or not at all.
    version : str, optional
        States what a digest of the computation can't see, such as a compiled extension: blocks of
        another version don't hold.
    notes : optional
        For the record that is stored with the volume; what JSON can hold.
    roi : Roi, optional
        Compute the blocks that meet this region alone, again if they are done, and touch no others.
        Of what ``relabel`` or ``agglomerate`` makes, the region is segmented and stitched again,
        and objects keep their ids as far as that can be: ``changed_ids`` of the summary, and
        ``<path>.changed.csv``, say which don't.

    Returns
    -------
    RunSummary

    Raises
    ------
    FileExistsError
        If something else is stored there, unless ``overwrite=True``; ``OutputChanged`` if it is of
        this volume, but its blocks no longer hold.
    BlockingIOError
        If another run is writing to the same output.
    BlocksFailed
        If blocks failed for good, after all others are done.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, open_volume
    >>> volume = Volume.from_array(np.eye(4))
    >>> bool(volume.to_zarr("eye.zarr/copy", progress=False))
    True
    >>> open_volume("eye.zarr/copy")[1, :2]
    array([0., 1.])
    """
    options = StoreOptions(
        block_shape=block_shape,
        zarr_format=zarr_format,
        overwrite=overwrite,
        resume=resume,
        num_workers=num_workers,
        max_retries=max_retries,
        timeout=timeout,
        on_change=on_change,
        version=version,
        notes=notes,
        roi=roi,
    )
    volume = as_it_is_now(volume, anew=verify == "content")
    if roi is not None:
        volume = replace(volume, source=volume.source.repairing())
    with Preparation(verify, on_change) as preparation:
        what = volume, location_of(path), options
        check_outputs(*what, preparation)
        how = client, progress, resume
        first = run_all(tasks, *how) if (tasks := tasks_to_mend(*what, preparation)) else None
        if first is not None:
            preparation.look_again()
        tasks = tasks_to_store(*what, preparation)
        summary = run_all(tasks, *how, preparation.at_end)
    if first is not None:
        summary = _after(first, summary)
    return replace(summary, changed_ids=volume.source.changed(location_of(path)))


def _after(first: RunSummary, second: RunSummary) -> RunSummary:
    """What became of two runs, of which the second found done what the first did."""
    done = {task.name: task for task in first.tasks}
    tasks = tuple(done.get(task.name, task) for task in second.tasks)
    return replace(second, tasks=tasks, seconds=first.seconds + second.seconds)


def plan(volume: Voxels, /, block_shape: Sequence[int] | None = None) -> Plan:
    """What storing the volume, and the checkpoints on the way to it, would take; runs nothing.

    Parameters
    ----------
    block_shape : sequence of int, optional
        Voxels of a block along each axis but "c"; the volume's own unless given.

    Returns
    -------
    Plan
        A row for each task of the run, as its summary will have.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.zeros((64, 64), np.uint8), chunks=(32, 32))
    >>> print(volume.checkpoint("a.zarr/copy").plan())
    stage     block  blocks      read   written  a worker holds  recompute factor
    ------  -------  ------  --------  --------  --------------  ----------------
    copy    32 x 32       4  4.00 kiB  4.00 kiB        2.00 kiB              1.00
    result  32 x 32       4  4.00 kiB  4.00 kiB        2.00 kiB              1.00
    in all                8  8.00 kiB  8.00 kiB        2.00 kiB
    """
    stages = *_checkpoint_plans(volume).values(), *_plans(volume, "result", block_shape)
    return Plan(stages)


def _checkpoint_plans(volume: Voxels) -> dict[tuple[str, str], StagePlan]:
    """What is stored on the way, by the path of the checkpoint and the name of the step."""
    plans: dict[tuple[str, str], StagePlan] = {}
    for inner in volume.source.inputs:
        plans |= _checkpoint_plans(inner)
    if isinstance(volume.source, Checkpoint):
        path, made = volume.source.path, volume.source.made
        own = _plans(made, Path(path).name, volume.source.options.block_shape)
        plans |= {(path, plan.name): plan for plan in own}
    return plans


def _plans(volume: Voxels, name: str, block_shape: Sequence[int] | None) -> list[StagePlan]:
    steps = steps_of(volume, volume.frame.checked_block(block_shape))
    return [
        replace(step.cost, name=f"{name}: {step.name}" if step.name else name)
        for step in steps
        if step.cost is not None
    ]
