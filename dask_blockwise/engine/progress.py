"""How a run went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from ..tables import html_columns, text_columns
from .worker.failure import Failure
from .worker.spent import NOTHING, Spent, in_all

__all__ = ["RunSummary", "TaskSummary"]

_COLUMNS = (
    "task",
    "blocks",
    "completed",
    "skipped",
    "failed",
    "orphaned",
    "retries",
    "seconds",
    "s/block",
    "peak MB",
    "Mvoxel/s",
    "bound by",
)
_SHOWN_BLOCKS = 10


@dataclass(frozen=True)
class TaskSummary:
    """What became of a task's blocks."""

    task_id: str
    blocks: int
    # Blocks that this run processed.
    completed: int = 0
    # Blocks that the ledger or the pre-check said were done already.
    skipped: int = 0
    retries: int = 0
    # Seconds from the task's first block to its last.
    seconds: float = 0.0
    # What workers spent on it: seconds of reading, computing, writing and waiting, bytes.
    spent: Spent = NOTHING
    # The same by all runs that worked on what is stored, as its ledger keeps it.
    spent_in_all: Spent = NOTHING
    # What its completed blocks would have read if none read what another one does; None where the
    # task does not say.
    bytes_needed: int | None = None
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
    def succeeded(self) -> bool:
        """Whether every block is done."""
        return self.completed + self.skipped == self.blocks

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


@dataclass(frozen=True, repr=False)
class RunSummary:
    """What became of a run; true only if every block of every task is done.

    Examples
    --------
    >>> summary = RunSummary((TaskSummary("smooth", blocks=8, completed=6, skipped=2),), 1.5)
    >>> bool(summary), summary["smooth"].skipped
    (True, 2)
    """

    tasks: tuple[TaskSummary, ...]
    # Wall time of the run.
    seconds: float = 0.0
    # Of workers, that there were at once: so many blocks ran side by side.
    threads: int = 0
    # With which blocks it would have taken less, where that is worth it.
    advice: str = ""
    # Where a region of objects was repaired: a table of the ids that voxels had and have.
    changed_ids: Any = None
    # Of which inputs chunks are absent, and what they are read as.
    absent: tuple[str, ...] = ()

    @property
    def spent(self) -> Spent:
        """What workers spent on all tasks."""
        return in_all(task.spent for task in self.tasks)

    @property
    def corrupt(self) -> tuple[str, ...]:
        """Damaged chunks that were read as fill value: array, voxels, file and what is wrong."""
        return tuple(dict.fromkeys(chunk for task in self.tasks for chunk in task.corrupt))

    def __bool__(self) -> bool:
        return all(task.succeeded for task in self.tasks)

    def __getitem__(self, task_id: str) -> TaskSummary:
        named = {task.name: task for task in self.tasks}
        return (named | {task.task_id: task for task in self.tasks})[task_id]

    def __str__(self) -> str:
        return "\n".join([self._table(), *self._told, *_faults(self.tasks)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        faults = escape("\n".join([*self._told, *_faults(self.tasks)]).strip())
        table = html_columns(_COLUMNS, list(map(_row, self.tasks)))
        return table + (f"<pre>{faults}</pre>" if faults else "")

    def _table(self) -> str:
        return text_columns(_COLUMNS, list(map(_row, self.tasks)))

    @property
    def _told(self) -> Iterator[str]:
        if self.spent.seconds:
            again = sum(task.bytes_redundant or 0 for task in self.tasks)
            share = f", {again / self.spent.bytes_read:.0%} of it again" if again else ""
            yield str(self.spent).replace(" read,", f" read{share},")
        if self.advice:
            yield self.advice
        yield from self.notes

    @property
    def notes(self) -> Iterator[str]:
        """What was read otherwise than as it is, for people; what is damaged first."""
        if self.corrupt:
            were = "chunk was" if len(self.corrupt) == 1 else "chunks were"
            yield (
                f"{len(self.corrupt)} damaged {were} read as fill value, which "
                f"summary.corrupt lists, such as {self.corrupt[0]}"
            )
        yield from self.absent

    def as_error(self, advice: str) -> str:
        """What a run that failed says as an error: the first cause before all else.

        Parameters
        ----------
        advice
            How to go on, in a sentence.
        """
        told = [*_causes(self.tasks), "", advice, *_logs(self.tasks), "", self._table()]
        return "\n".join([*told, *_orphans(self.tasks), *_traceback(self.tasks)])


def _row(task: TaskSummary) -> tuple[str, ...]:
    rate = task.mvoxels_per_second
    counts = (
        task.blocks,
        task.completed,
        task.skipped,
        task.failed,
        task.orphaned,
        task.retries,
    )
    return (
        task.name,
        *map(str, counts),
        f"{task.seconds:.1f}",
        f"{task.seconds_per_block:.3g}",
        f"{task.peak_memory / 1e6:.0f}",
        "-" if rate is None else f"{rate:.3g}",
        _bound_by(task.spent),
    )


def _bound_by(spent: Spent) -> str:
    what, share = spent.bound_by
    return f"{what}: {share:.0%}" if spent.seconds else "-"


def _faults(tasks: Sequence[TaskSummary]) -> Iterator[str]:
    """What went wrong, below a table; its traceback comes last, where a terminal shows it."""
    if any(task.failures for task in tasks):
        yield ""
    yield from _causes(tasks)
    yield from _orphans(tasks)
    yield from _logs(tasks)
    yield from _traceback(tasks)


def _causes(tasks: Sequence[TaskSummary]) -> Iterator[str]:
    """Of each task in which blocks failed, why the first of them did."""
    for task in tasks:
        if task.failures:
            number = min(task.failures)
            cause, place, _, advice, _ = task.failures[number]
            where = f"in {place}, on block {number}" if place else f"on block {number}"
            failed = f"blocks {_listed(sorted(task.failures))} failed, {task.failed} of"
            yield cause
            yield f"{where} of task {task.name!r}: {failed} {task.blocks}."
            if advice:
                yield advice


def _orphans(tasks: Sequence[TaskSummary]) -> Iterator[str]:
    """Blocks that could not run, in one line: there may be many tasks below one that failed."""
    idle = [task for task in tasks if task.orphans]
    if idle:
        first, *later = idle
        also = ", ".join(f"{task.orphaned} of {task.name!r}" for task in later)
        blocks = (
            f"Task {first.name!r}: blocks {_listed(first.orphans)} had no input and did not run"
        )
        yield f"\n{blocks}; nor did blocks of later steps: {also}." if also else f"\n{blocks}."


def _logs(tasks: Sequence[TaskSummary]) -> Iterator[str]:
    for task in tasks:
        if task.log:
            failed = (
                f"what failed or was broken off is in {task.failure_log}, and "
                if task.failure_log
                else ""
            )
            yield f"Task {task.name!r}: {failed}what blocks printed is in {task.log}"


def _traceback(tasks: Sequence[TaskSummary]) -> Iterator[str]:
    """All of the first error, where its cause alone is not all there is."""
    failed = next((task for task in tasks if task.failures), None)
    if failed:
        number = min(failed.failures)
        first = failed.failures[number]
        if first.traceback:
            yield f"\nFirst error of block {number} of task {failed.name!r}:\n{first.traceback}"


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN_BLOCKS]))
    more = len(numbers) - _SHOWN_BLOCKS
    return f"{shown} and {more} more" if more > 0 else shown
