"""What became of a batch's blocks, as a worker tells the driver or its journal does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .failure import Failure
from .spent import NOTHING, Spent
from .trace import Trace

__all__ = ["DIED", "BatchReport"]

# Of a block that ran as its process died, of what isn't known.
DIED = Failure("The worker process died while it ran the block.")


@dataclass
class BatchReport:
    """What became of the blocks of a batch; blocks are given by their numbers."""

    done: list[int] = field(default_factory=list)
    # The pre-check said that they are done already.
    skipped: list[int] = field(default_factory=list)
    # With why each failed.
    failures: list[tuple[int, Failure]] = field(default_factory=list)
    # Never begun, and never will be by this batch.
    left: list[int] = field(default_factory=list)
    # Perhaps begun: the batch's worker is gone, and its journal with it.
    lost: list[int] = field(default_factory=list)
    # Of those that failed, the one that ran as its process died, of what isn't known.
    died: list[int] = field(default_factory=list)
    # With why each was broken off, which is not its fault.
    interrupted: list[tuple[int, str]] = field(default_factory=list)
    # What blocks wrote to stdout and stderr, of those that did.
    printed: list[tuple[int, str]] = field(default_factory=list)
    # What each of those that are done left.
    traces: list[Trace] = field(default_factory=list)
    # Damaged chunks that they read as fill value.
    corrupt: list[str] = field(default_factory=list)
    # What the blocks took, all together.
    spent: Spent = NOTHING
    # Largest resident memory of the worker process while it ran them, in bytes.
    peak_memory: int = 0
    # The worker died before the first block began, as it loaded the task.
    died_loading: bool = False
    # What the process noted as it ended.
    told: str = ""
    # The kernel killed a process there for memory meanwhile; as much as those of its group may
    # have, in bytes, where that is limited.
    kernel_killed: bool = False
    group_limit: int | None = None

    def __post_init__(self) -> None:
        # Which are plain tuples when they come as an event or from a file.
        self.failures = [(number, Failure(*failure)) for number, failure in self.failures]
        self.traces = [Trace(*trace) for trace in self.traces]
        self.spent = Spent(*self.spent)

    @property
    def empty(self) -> int:
        """How many of those that are done were skipped, as they are known to hold nothing."""
        return sum(trace.empty for trace in self.traces)

    def excused(self, reason: str) -> BatchReport:
        """The same, where the process, or its machine, ended for a reason of its own."""
        broken_off = [*self.died, *self.lost]
        return replace(
            self,
            failures=[failure for failure in self.failures if failure[0] not in self.died],
            lost=[],
            died=[],
            interrupted=[*self.interrupted, *((number, reason) for number in broken_off)],
        )

    def blamed(self, why: Failure) -> BatchReport:
        """The same, with what the process died of."""
        told = [(n, why if n in self.died else other) for n, other in self.failures]
        return replace(self, failures=told, died=[])

    def unexcused(self) -> BatchReport:
        """The same, where blocks that were broken off may be the cause after all."""
        broken_off = [number for number, _ in self.interrupted]
        failures = [*self.failures, *((number, DIED) for number in broken_off)]
        return replace(self, failures=failures, died=[*self.died, *broken_off], interrupted=[])
