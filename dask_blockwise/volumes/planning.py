"""What storing a volume would take, told before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from ..engine.progress import RunSummary
from ..geometry.boxes import Index
from .absent_inputs import absent_inputs
from .auto_checkpoints import Automatic, with_checkpoints
from .estimate import estimate
from .kinds import Checkpoint, checkpointed
from .levels import asked_for, coarser
from .options import StoreOptions
from .plan import Plan, plan_of
from .precomputed_as import precomputed_as
from .source import Voxels
from .step import StagePlan, Step
from .step_tasks import steps_of
from .stored_as import HowStored, stored_as
from .suggestion import suggestion

__all__ = ["Kept", "plan", "plan_without_files"]

Kept = Literal["ome-zarr", "precomputed"]


def plan(
    volume: Voxels,
    /,
    block_shape: Sequence[int] | None = None,
    pyramid: Any = None,
    *,
    to: Kept = "ome-zarr",
    dtype: Any = None,
    checkpoint: Automatic | None = None,
    measured: RunSummary | None = None,
    suggest: bool = False,
    memory: str | int | None = None,
    workers: int | None = None,
) -> Plan:
    """What storing the volume, and the checkpoints on the way to it, would take; runs nothing.

    Parameters
    ----------
    block_shape : sequence of int, optional
        Voxels of a block along each axis but "c"; the volume's own unless given.
    pyramid : bool, int, sequence or Pyramid
        As for ``to_zarr``, or ``to_precomputed``, which has all levels unless given.
    to : "ome-zarr" or "precomputed"
        As what it would be stored.
    dtype : dtype or "smallest", optional
        As for ``to_zarr``.
    checkpoint : "auto", optional
        As for ``to_zarr``: with what that would store on the way.
    measured : RunSummary, optional
        Of a run of the same stages, such as over a part of the volume or with other blocks: then
        it is said how long workers will take, and what they will be bound by.
    suggest : bool
        Whether to say, too, with which blocks it would be stored soonest.
    memory : str or int, optional
        For that, what a worker may have, such as "8GB"; this machine's, divided by its cores,
        unless given.
    workers : int, optional
        For that, how many there may be; as many as this machine has cores unless given.

    Returns
    -------
    Plan
        A row for each task of the run, as its summary will have.

    Raises
    ------
    ValueError
        If what was measured isn't of these stages, is missing, or no blocks fit.

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
    own = StoreOptions(block_shape=block_shape, stored_as=_kept_as(volume, to, pyramid, dtype))
    block = volume.frame.checked_block(block_shape)
    if checkpoint is not None:
        volume = with_checkpoints(volume, "result", block, _kept_on_the_way, checkpoint)
    checkpoints = tuple(_checkpoint_plans(volume).values())
    stages = *checkpoints, *_plans(volume, "result", own)
    if measured is None:
        _check_measured(suggest, memory, workers)
        return Plan(stages, absent_inputs(volume))

    def plan_of(block: Index) -> tuple[StagePlan, ...]:
        return *checkpoints, *_plans(volume, "result", replace(own, block_shape=block))

    of_limits = measured, memory, workers
    return Plan(
        stages,
        absent_inputs(volume),
        estimate(stages, measured),
        suggestion(volume.frame, block, plan_of, *of_limits) if suggest else None,
        measured.spent,
    )


def _kept_on_the_way(volume: Voxels, path: str) -> Voxels:
    return checkpointed(volume, path, StoreOptions())


def _kept_as(volume: Voxels, to: str, pyramid: Any, dtype: Any) -> HowStored:
    if to not in get_args(Kept):
        raise ValueError(f"to is one of {', '.join(get_args(Kept))}, got {to!r}.")
    if to == "precomputed":
        if dtype is not None:
            raise ValueError("Precomputed data have the dtype of the volume: leave dtype out.")
        return precomputed_as(volume.frame, pyramid=True if pyramid is None else pyramid)
    return stored_as(volume, pyramid=False if pyramid is None else pyramid, dtype=dtype)


def plan_without_files(volume: Voxels) -> Plan:
    """The same without a look at which chunks are absent of what is stored."""
    own = _plans(volume, "result", StoreOptions())
    return Plan((*_checkpoint_plans(volume).values(), *own))


def _check_measured(suggest: bool, memory: object, workers: object) -> None:
    if suggest or memory is not None or workers is not None:
        raise ValueError(
            "Which blocks are best goes by how fast the stages run: give measured=, the summary of "
            "a run of them, which may be over a part, volume.crop(roi).to_zarr(path)."
        )


def _checkpoint_plans(volume: Voxels) -> dict[tuple[str, str], StagePlan]:
    """What is stored on the way, by the path of the checkpoint and the name of the step."""
    plans: dict[tuple[str, str], StagePlan] = {}
    for inner in volume.source.inputs:
        plans |= _checkpoint_plans(inner)
    if isinstance(volume.source, Checkpoint):
        path, made = volume.source.path, volume.source.made
        own = _plans(made, Path(path).name, volume.source.options)
        plans |= {(path, plan.name): plan for plan in own}
    return plans


def _plans(volume: Voxels, name: str, options: StoreOptions) -> list[StagePlan]:
    block = volume.frame.checked_block(options.block_shape)
    own = [
        _without_empty(replace(step.cost, name=f"{name}: {step.name}" if step.name else name), step)
        for step in steps_of(volume, block)
        if step.cost is not None
    ]
    stored, frame = options.stored_as.of(volume.frame), volume.frame
    written = own[-1].write_bytes * stored.itemsize // frame.dtype.itemsize
    own[-1] = replace(own[-1], write_bytes=written)
    return own + list(_level_plans(volume, name, block, options.stored_as))


def _without_empty(cost: StagePlan, step: Step) -> StagePlan:
    """A step's cost, where blocks that hold nothing are skipped."""
    empty = step.empty() if step.empty else 0
    share = 1 - (empty or 0) / cost.blocks
    read, written = round(cost.read_bytes * share), round(cost.write_bytes * share)
    return replace(cost, read_bytes=read, write_bytes=written, empty=empty)


def _level_plans(volume: Voxels, name: str, block: Index, stored: HowStored) -> Iterator[StagePlan]:
    """Of coarser levels, each made of the one before as it is stored."""
    if stored.pyramid is None:
        return
    frame = replace(volume.frame.with_block(block), dtype=stored.of(volume.frame))
    chunks = stored.chunks(frame, block)
    below: Any = replace(volume, frame=frame, source=Checkpoint((volume,), name))
    for number, step in enumerate(asked_for(stored.pyramid, below, chunks), 1):
        level = coarser(below, step, stored.aligned)
        cost = plan_of(level, level.frame.block_shape)
        yield replace(cost, name=f"{name}: {stored.level_name(number, level.frame)}")
        below = replace(level, source=Checkpoint((level,), name))
