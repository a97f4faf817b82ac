"""What can be stored block by block, after the checkpoints on the way to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..engine.task import Task
from ..geometry.boxes import Index
from ..storage.arrays import StoredArray
from .plan import StagePlan
from .region import Context, Regions
from .storing import Made, StoreBlock, StoreOptions, Storing

__all__ = ["Storable"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Storable(Regions):
    """Voxels in the world, and the tasks that store them."""

    inputs: tuple[Storable, ...] = ()

    def _upstream_plans(self) -> dict[tuple[str, str], StagePlan]:
        """What is stored on the way, by the path of the checkpoint and the name of the stage."""
        plans: dict[tuple[str, str], StagePlan] = {}
        for volume in self.inputs:
            plans |= volume._upstream_plans()
        return plans

    def _own_plans(self, name: str, block: Index) -> list[StagePlan]:
        return [StagePlan.of(name, self, block)]

    def _from_stores(self) -> Any:
        """The volume as workers compute it: checkpoints are read from where they are stored."""
        if not self.inputs:
            return self
        return replace(self, inputs=tuple(volume._from_stores() for volume in self.inputs))

    def _upstream(self, made: Made) -> list[Task]:
        """The tasks that store the checkpoints below; those made already are used again."""
        return [task for volume in self.inputs for task in volume._upstream(made)]

    def _stored_at(self, path: str, options: StoreOptions, made: Made) -> list[Task]:
        """The tasks that store the volume at a path; its array is made."""
        block = self._checked_block(options.block_shape)
        self._check_not_in_place(path)
        for volume in self.inputs:
            volume._check_regional(stored=True)
        upstream = self._upstream(made)
        target = Storing(self, block, options).target(path)
        return self._tasks(path, target, block, options, upstream)

    def _tasks(
        self,
        path: str,
        target: StoredArray,
        block: Index,
        options: StoreOptions,
        upstream: list[Task],
    ) -> list[Task]:
        process = StoreBlock(self._from_stores(), target)
        title, context = Path(path).name, self.context
        return [self._task(title, process, context, block, options, upstream, target.path)]

    def _task(
        self,
        title: str,
        process: Any,
        context: Context,
        block: Index,
        options: StoreOptions,
        upstream: Sequence[Task],
        ledger: str,
    ) -> Task:
        """A task over the volume's blocks, of which each reads so much context."""
        return Storing(self, block, options).task(title, process, context, upstream, ledger)

    def _check_not_in_place(self, path: str) -> None:
        for volume in self.inputs:
            volume._check_not_in_place(path)
