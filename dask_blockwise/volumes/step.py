"""Steps: what storing a volume takes, said once, for the run and for its plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..engine.evidence import Evidence
from ..engine.mark import files_of
from ..engine.worker.trace import Trace
from ..geometry.blocks import Block
from ..geometry.boxes import Box, Index
from ..recipes import content_digest
from ..storage.fences import while_claimed
from ..storage.stored_array import StoredArray
from .reach import Reach
from .spans import Reading

__all__ = ["Left", "Output", "StagePlan", "Step", "Target", "content_of", "write_all"]


@dataclass(frozen=True)
class Target:
    """An array in a store, or a part of one, that blocks are written to."""

    stored: StoredArray
    # Where the part begins, in voxels along all axes.
    begin: Index

    @classmethod
    def all_of(cls, stored: StoredArray) -> Target:
        """A whole array."""
        return cls(stored, (0,) * len(stored.shape))

    @property
    def path(self) -> str:
        """Where the array lies."""
        return self.stored.path

    def write(self, region: Box, values: NDArray[Any]) -> Trace:
        """Write a box of whole shards or chunks, given in voxels of the part."""
        return write_all([(self.stored, self._box(region), values)])

    def read(self, region: Box) -> NDArray[Any]:
        """Read a box."""
        return self.stored.read(self._box(region))

    def _box(self, region: Box) -> Box:
        axes = zip(region, self.begin, strict=True)
        return tuple(slice(s.start + b, s.stop + b) for s, b in axes)


def write_all(written: Iterable[tuple[StoredArray, Box, NDArray[Any]]]) -> Trace:
    """Write to boxes of arrays, as long as they are the run's; what a block leaves so.

    Raises
    ------
    ClaimLost
        If another run has claimed the output, or this one is over.
    """
    files = stamps = content = 0
    for array, box, values in written:
        with while_claimed():
            array.write(box, values)
        count, stamp = array.stamp(box)
        files, stamps = files + count, stamps + stamp
        content = content * 3 + content_of(values.astype(array.dtype, copy=False))
    return Trace(files, stamps % 2**64, content % 2**64)


def content_of(values: NDArray[Any]) -> int:
    """A hash of values, of 64 bits."""
    return int(content_digest(values)[:16], 16)


@dataclass(frozen=True)
class Left:
    """What lies in a store of what each block of a task left."""

    # How many files, and the sum of their stamps, modulo 2**64.
    files: NDArray[np.uint64]
    stamps: NDArray[np.uint64]

    def differs(self, marks: NDArray[Any]) -> NDArray[np.bool_]:
        """Of which blocks that isn't what they left, by their marks."""
        differs: NDArray[np.bool_] = (self.files != files_of(marks)) | (
            self.stamps != marks["stamp"]
        )
        return differs

    def lacks(self, marks: NDArray[Any]) -> NDArray[np.bool_]:
        """Of which blocks files are missing."""
        lacks: NDArray[np.bool_] = self.files < files_of(marks)
        return lacks


@dataclass(frozen=True)
class Output:
    """Where a volume is stored."""

    # As it was given: of the image.
    path: str
    target: Target
    # Which part of the image the target is, where that isn't its first level.
    part: str = ""


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
    # What functions are given for each voxel that is read: more, where borders are filled.
    filled: float = 1.0
    # What would be read if no block read what another one does; None where that isn't known.
    needed_bytes: int | None = None
    # Blocks that a mask, or ``skip_if``, says hold nothing; None where these weren't counted.
    empty: int | None = 0


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
    process: Callable[[Output], Callable[[Block], Trace | None]]
    _: KW_ONLY
    # What a block waits for of the step before, or of what the volume is computed from.
    reach: Reach
    # Given where the volume goes, the array that it writes, in which its marks lie. Without one it
    # leaves no marks, and is done anew in each run.
    array: Callable[[Output], str] | None
    # A hash of how its blocks are computed.
    made_from: str
    # What blocks read of what is stored, or will be by checkpoints.
    readings: Callable[[], Sequence[Reading]] = tuple
    # Steps before it, by name, that blocks depend on within what they wait for, or on all of them.
    after: tuple[tuple[str, bool], ...] = ()
    # Given where the volume goes, what else its blocks have from what the run alone holds.
    also: Callable[[Output], Sequence[Evidence]] | None = None
    # Where a region is repaired: whether it alone is done, or done again beside what is missing,
    # or with it what waits for something in it.
    in_region: Literal["only", "again", "around", "missing"] = "missing"
    # Whether all blocks are done again in any case.
    again: bool = False
    # Given where the volume goes, what lies there of each block.
    left: Callable[[Output], Left] | None = None
    # Folder below the array where its marks lie, where another step's lie in the array itself.
    beside: str = ""
    # Makes that array anew, unless an earlier run has left marks in it.
    prepare: Callable[[Output], None] | None = None
    # Whether it writes the volume: what follows only tidies up.
    last: bool = False
    # Whether what steps before it write stays beside the volume, so that it is looked at as well.
    keeps: bool = False
    # Whether there is something to tidy up after a run that was broken off at its very end.
    needed: Callable[[Output], bool] | None = None
    # Counts the blocks that are known to hold nothing; None where none is.
    empty: Callable[[], int | None] | None = None
    # What it costs; None for what only tidies up.
    cost: StagePlan | None = None
