"""Steps: what storing a volume takes, said once, for the run and for its plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from ..geometry.blocks import Block
from ..geometry.boxes import Box, Index
from .reach import Reach

__all__ = ["Output", "StagePlan", "Step", "Target"]


class Target(Protocol):
    """An array, or a part of one, that blocks are written to."""

    @property
    def path(self) -> str:
        """Where the array lies."""

    def write(self, region: Box, values: NDArray[Any]) -> None:
        """Write a box of whole shards or chunks."""


@dataclass(frozen=True)
class Output:
    """Where a volume is stored."""

    # As it was given: of the image.
    path: str
    target: Target


@dataclass(frozen=True)
class StagePlan:
    """Cost of storing one array block by block."""

    name: str
    # Voxels of a block, along all axes but "c".
    block_shape: Index
    # Each is one task of the graph, however long the chain of stages.
    blocks: int
    # Read from what is stored, halos included.
    read_bytes: int
    # Before compression.
    write_bytes: int
    # Arrays of one block on their way through the stages and into the store.
    worker_bytes: int
    # Voxels that the first stage computes for each one that is stored.
    recompute_factor: float = 1.0


@dataclass(frozen=True)
class Step:
    """One pass over blocks on the way to a stored volume: a task of its run, a row of its plan.

    Steps are run in their order, each block as soon as those that it reads are done.
    """

    # What it is called after the volume; empty where it is the only one.
    name: str
    # Voxels of a block, along all axes but "c".
    block: Index
    # Given where the volume goes, what is done with a block.
    process: Callable[[Output], Callable[[Block], None]]
    _: KW_ONLY
    # What a block reads of the step before, or of what the volume is computed from.
    reach: Reach
    # Given where the volume goes, the array that it writes, in which its marks lie. Without one it
    # leaves no marks, and is done anew in each run.
    array: Callable[[Output], str] | None
    # A hash of what its blocks are computed from.
    made_from: str
    # Makes that array anew, unless an earlier run has left marks in it.
    prepare: Callable[[Output], None] | None = None
    # Whether it writes the volume: what follows only tidies up.
    last: bool = False
    # What it costs; None for what only tidies up.
    cost: StagePlan | None = None
