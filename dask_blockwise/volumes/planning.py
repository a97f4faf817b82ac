"""What storing a volume would take, told before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..geometry.boxes import Index
from ..storage.chunking import chunks_and_shards
from .absent_inputs import absent_inputs
from .kinds import Checkpoint
from .levels import asked_for, coarser
from .options import StoreOptions
from .plan import Plan, plan_of
from .source import Voxels
from .step import StagePlan, Step
from .step_tasks import steps_of
from .stored_as import HowStored, StoredAs, stored_as

__all__ = ["plan"]


def plan(volume: Voxels, /, block_shape: Sequence[int] | None = None, pyramid: Any = False) -> Plan:
    """What storing the volume, and the checkpoints on the way to it, would take; runs nothing.

    Parameters
    ----------
    block_shape : sequence of int, optional
        Voxels of a block along each axis but "c"; the volume's own unless given.
    pyramid : bool, int, sequence or Pyramid
        As for ``to_zarr``.

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
    own = StoreOptions(block_shape=block_shape, stored_as=stored_as(volume, pyramid=pyramid))
    stages = *_checkpoint_plans(volume).values(), *_plans(volume, "result", own)
    return Plan(stages, absent_inputs(volume))


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
    version = stored.zarr_format if isinstance(stored, StoredAs) else None
    chunks, _ = chunks_and_shards(frame.with_channels(block), frame.axes, version or 3)
    below: Any = replace(volume, frame=frame, source=Checkpoint((volume,), name))
    for number, step in enumerate(asked_for(stored.pyramid, below, chunks), 1):
        level = coarser(below, step)
        cost = plan_of(level, level.frame.block_shape)
        yield replace(cost, name=f"{name}: s{number}")
        below = replace(level, source=Checkpoint((level,), name))
