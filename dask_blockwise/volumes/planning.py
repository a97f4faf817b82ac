"""What storing a volume would take, told before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .kinds import Checkpoint
from .plan import Plan
from .source import Voxels
from .step import StagePlan
from .step_tasks import steps_of

__all__ = ["plan"]


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
