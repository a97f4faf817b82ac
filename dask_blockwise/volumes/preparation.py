"""What the tasks of one run share while they are made: checkpoints, inputs, what is asked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar, get_args

from ..engine.task import Task
from ..storage.claims import Claim
from ..storage.fences import Fence
from ..storage.location import location_of
from .known import KnownArrays, Verify
from .options import OnChange
from .source import Voxels
from .step import Left

__all__ = ["Preparation"]

Looked = TypeVar("Looked")


@dataclass
class Preparation:
    """What the tasks of one run share while they are made."""

    verify: Verify = "stamps"
    # What becomes of finished blocks that no longer hold, unless an output says it for itself.
    on_change: OnChange = "ask"
    # The token of each checkpoint and the tasks that store it, by path.
    made: dict[str, tuple[str, list[Task]]] = field(default_factory=dict)
    # Tasks that nothing of the run waits for: further levels of what it stores.
    beside: list[Task] = field(default_factory=list)
    # The task that writes an array of which another task is to read, by its location.
    writers: dict[str, Task] = field(default_factory=dict)
    # Called when all blocks of the run are done.
    at_end: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.verify not in get_args(Verify):
            raise ValueError(
                f"verify must be one of {', '.join(get_args(Verify))}, got {self.verify!r}."
            )
        self.known = KnownArrays(self.verify)
        self._left: dict[str, Left] = {}
        # With the volume, whose id then is of no other.
        self._looked_at: dict[tuple[str, int], tuple[Voxels, Any]] = {}
        self._claims = ExitStack()
        # By where they lie.
        self._claimed: dict[str, Claim] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._claims.close()

    def claim(self, ledger: str) -> None:
        """Have an output to itself until the run is over.

        Raises
        ------
        BlockingIOError
            If another run writes to it.
        """
        location = location_of(ledger)
        if location not in self._claimed:
            self._claimed[location] = self._claims.enter_context(Claim(ledger))

    def fence(self, ledger: str) -> Fence | None:
        """What workers ask before they write to an output; None unless it is claimed."""
        claim = self._claimed.get(location_of(ledger))
        return None if claim is None else claim.fence

    @property
    def may_be_written_to(self) -> bool:
        """Whether a worker of a run that died may have written to an output meanwhile."""
        return any(claim.may_be_written_to for claim in self._claimed.values())

    def left(self, ledger: str, find: Callable[[], Left]) -> Left:
        """What lies of the blocks that a ledger has, found once."""
        if ledger not in self._left:
            self._left[ledger] = find()
        return self._left[ledger]

    def once(self, path: str, volume: Voxels, look: Callable[[], Looked]) -> Looked:
        """What is found of a volume at a path, the first time that it is asked for."""
        key = path, id(volume)
        if key not in self._looked_at:
            self._looked_at[key] = volume, look()
        found: Looked = self._looked_at[key][1]
        return found

    def look_again(self) -> None:
        """Forget tasks, and what was seen of inputs and outputs, since blocks were run."""
        self.made.clear()
        self.beside.clear()
        self.writers.clear()
        self.at_end.clear()
        self._left.clear()
        self._looked_at.clear()
        self.known = KnownArrays(self.verify)

    @property
    def stored_by(self) -> dict[str, Task]:
        """The task that writes each checkpoint, by path, and each array, by location."""
        return {path: tasks[0] for path, (_, tasks) in self.made.items()} | self.writers
