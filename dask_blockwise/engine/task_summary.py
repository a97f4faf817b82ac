"""What became of one task of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from .worker.failure import Failure
from .worker.spent import NOTHING, Spent

__all__ = ["TaskSummary"]


@dataclass(frozen=True)
class TaskSummary:
    """What became of a task's blocks."""

    task_id: str
    blocks: int
    # Blocks that this run processed.
    completed: int = 0
    # Blocks that the ledger or the pre-check said were done already.
    skipped: int = 0
    # Blocks that were skipped as a mask, or ``skip_if``, says that they hold nothing.
    empty: int = 0
    retries: int = 0
    # Seconds from the task's first block to its last.
    seconds: float = 0.0
    # What workers spent on it: seconds of starting, reading, computing, writing and waiting, bytes.
    spent: Spent = NOTHING
    # The same by all runs that worked on what is stored, as its ledger keeps it.
    spent_in_all: Spent = NOTHING
    # What its completed blocks would have read if none read what another one does; None where the
    # task does not say.
    bytes_needed: int | None = None
    # What its functions are given for each byte that is read, as borders are filled.
    filled: float = 1.0
    # Largest resident memory of a worker process while it ran the task's blocks, in bytes.
    peak_memory: int = 0
    # None where the task does not say how many voxels a block has.
    voxels_written: int | None = None
    # Why each block that failed for good failed first, by block number.
    failures: dict[int, Failure] = field(default_factory=dict)
    # Blocks that were not run because one that they depend on failed.
    orphans: tuple[int, ...] = ()
    # File with the traceback of every failed attempt and with what blocks printed, on the machine
    # of the driver; none where there was neither.
    log: str | None = None
    # Damaged chunks that its blocks read as fill value, where they were opened to be read so.
    corrupt: tuple[str, ...] = ()
    # That with the failed attempts alone.
    failure_log: str | None = None
    # What tables call the task, unless its id.
    title: str | None = None

    @property
    def name(self) -> str:
        """What tables call the task."""
        return self.title or self.task_id

    @property
    def errors(self) -> dict[int, str]:
        """First traceback of each block that failed for good, by block number."""
        return {number: str(failure) for number, failure in self.failures.items()}

    @property
    def failed(self) -> int:
        """Blocks that failed for good."""
        return len(self.failures)

    @property
    def orphaned(self) -> int:
        """Blocks that were not run because one that they depend on failed."""
        return len(self.orphans)

    @property
    def done(self) -> int:
        """Blocks that are done, by this run or an earlier one."""
        return self.completed + self.skipped + self.empty

    @property
    def succeeded(self) -> bool:
        """Whether every block is done."""
        return self.done == self.blocks

    @property
    def busy_seconds(self) -> float:
        """Seconds that workers spent in its blocks, all together."""
        return self.spent.seconds_busy

    @property
    def seconds_per_block(self) -> float:
        """Seconds that a worker spent in a block, on average."""
        return self.busy_seconds / self.completed if self.completed else 0.0

    @property
    def bytes_redundant(self) -> int | None:
        """Bytes read beyond that, such as halos and tables; None where that isn't known."""
        if self.bytes_needed is None:
            return None
        return max(0, self.spent.bytes_read - self.bytes_needed)

    @property
    def mvoxels_per_second(self) -> float | None:
        """Million voxels written a second of wall time."""
        if self.voxels_written is None or not self.seconds:
            return None
        return self.voxels_written / self.seconds / 1e6
