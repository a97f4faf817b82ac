"""How a run goes, and how it went."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Protocol

from tqdm.auto import tqdm

from ..tables import html_columns, text_columns

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
)
_SHOWN_BLOCKS = 10
_SECONDS_A_LINE = 30.0


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
    # Seconds that workers spent in its blocks, all together.
    busy_seconds: float = 0.0
    # Largest resident memory of a worker process while it ran the task's blocks, in bytes.
    peak_memory: int = 0
    # None where the task does not say how many voxels a block has.
    voxels_written: int | None = None
    # First traceback of each block that failed for good, by block number.
    errors: dict[int, str] = field(default_factory=dict)
    # Blocks that were not run because one that they depend on failed.
    orphans: tuple[int, ...] = ()
    # File with the traceback of every failed attempt and with what blocks printed, on the machine
    # of the driver; none where there was neither.
    log: str | None = None
    # What tables call the task, unless its id.
    title: str | None = None

    @property
    def name(self) -> str:
        """What tables call the task."""
        return self.title or self.task_id

    @property
    def failed(self) -> int:
        """Blocks that failed for good."""
        return len(self.errors)

    @property
    def orphaned(self) -> int:
        """Blocks that were not run because one that they depend on failed."""
        return len(self.orphans)

    @property
    def succeeded(self) -> bool:
        """Whether every block is done."""
        return self.completed + self.skipped == self.blocks

    @property
    def seconds_per_block(self) -> float:
        """Seconds that a worker spent in a block, on average."""
        return self.busy_seconds / self.completed if self.completed else 0.0

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

    def __bool__(self) -> bool:
        return all(task.succeeded for task in self.tasks)

    def __getitem__(self, task_id: str) -> TaskSummary:
        named = {task.name: task for task in self.tasks}
        return (named | {task.task_id: task for task in self.tasks})[task_id]

    def __str__(self) -> str:
        table = text_columns(_COLUMNS, list(map(_row, self.tasks)))
        return "\n".join([table, *self._faults()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        faults = escape("\n".join(self._faults()))
        table = html_columns(_COLUMNS, list(map(_row, self.tasks)))
        return table + (f"<pre>{faults}</pre>" if faults else "")

    def _faults(self) -> list[str]:
        return [line for task in self.tasks for line in _task_faults(task)]


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
    )


def _task_faults(task: TaskSummary) -> Iterable[str]:
    if task.errors:
        number = min(task.errors)
        yield f"\nTask {task.name!r}: blocks {_listed(sorted(task.errors))} failed."
        yield f"First error of block {number}:\n{task.errors[number].rstrip()}"
    if task.orphans:
        blocks = _listed(task.orphans)
        yield f"\nTask {task.name!r}: blocks {blocks} had no input and did not run."
    if task.log:
        yield f"Task {task.name!r}: failed attempts and printed output are in {task.log}"


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN_BLOCKS]))
    more = len(numbers) - _SHOWN_BLOCKS
    return f"{shown} and {more} more" if more > 0 else shown


class Bar(Protocol):
    """Shows how far a task is."""

    def update(self, blocks: int, failed: int, retries: int) -> None:
        """So many more blocks are done; so many failed and were retried in all."""

    def close(self) -> None:
        """Nothing more will come."""


def open_bar(title: str, blocks: int, done: int, shown: bool) -> Bar:
    """A bar in a terminal or notebook, now and then a line elsewhere, or nothing."""
    if not shown:
        return _NoBar()
    if sys.stderr.isatty() or "ipykernel" in sys.modules:
        return _LiveBar(title, blocks, done)
    return _Lines(title, blocks, done)


class _NoBar:
    def update(self, blocks: int, failed: int, retries: int) -> None:
        pass

    def close(self) -> None:
        pass


class _LiveBar:
    def __init__(self, title: str, blocks: int, done: int) -> None:
        self._bar = tqdm(total=blocks, initial=done, desc=title, unit="block")

    def update(self, blocks: int, failed: int, retries: int) -> None:
        if failed or retries:
            self._bar.set_postfix(failed=failed, retries=retries, refresh=False)
        self._bar.update(blocks)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, title: str, blocks: int, done: int) -> None:
        self._title, self._blocks, self._done, self._before = title, blocks, done, done
        self._begin = time.monotonic()
        self._due = self._begin + _SECONDS_A_LINE
        self._faults = ""

    def update(self, blocks: int, failed: int, retries: int) -> None:
        self._done += blocks
        self._faults = f", {failed} failed, {retries} retries" if failed or retries else ""
        if time.monotonic() > self._due:
            self._write()

    def close(self) -> None:
        self._write()

    def _write(self) -> None:
        now = time.monotonic()
        rate = (self._done - self._before) / max(now - self._begin, 1e-9)
        left = f", {(self._blocks - self._done) / rate:.0f} s left" if rate else ""
        done = f"{self._title}: {self._done} of {self._blocks} blocks"
        sys.stderr.write(f"{done}{self._faults}, {rate:.3g} blocks/s{left}\n")
        self._due = now + _SECONDS_A_LINE
