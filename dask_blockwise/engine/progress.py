"""How a run went."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from ..tables import Table, html_columns, text_columns, without_columns
from .run_document import Shown, as_dict, write_report
from .task_summary import TaskSummary
from .worker.spent import Spent, in_all

__all__ = ["RunSummary", "TaskSummary"]

_SELDOM = "skipped", "empty", "failed", "orphaned", "retries"
_COUNTS = "blocks", "completed", *_SELDOM
_BOUND_BY = "bound by"
# Of blocks that this run has done.
_OF_BLOCKS = "s/block", "peak MB", "Mvoxel/s", _BOUND_BY
_COLUMNS = ("task", *_COUNTS, "seconds", *_OF_BLOCKS)
_SHOWN_BLOCKS = 10


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
    # What is stored, for its report.
    outputs: tuple[Shown, ...] = ()
    # Of the run that did it all, left as it was, since this one had nothing to do.
    kept_report: Path | None = None

    @property
    def spent(self) -> Spent:
        """What workers spent on all tasks."""
        return in_all(task.spent for task in self.tasks)

    @property
    def corrupt(self) -> tuple[str, ...]:
        """Damaged chunks that were read as fill value: array, voxels, file and what is wrong."""
        return tuple(dict.fromkeys(chunk for task in self.tasks for chunk in task.corrupt))

    @property
    def did_nothing(self) -> bool:
        """Whether all was done before."""
        return all(task.skipped == task.blocks for task in self.tasks)

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
        table = html_columns(*_table(self.tasks))
        return table + (f"<pre>{faults}</pre>" if faults else "")

    def _table(self) -> str:
        return text_columns(*_table(self.tasks))

    @property
    def _told(self) -> Iterator[str]:
        if self.spent.seconds:
            again = sum(task.bytes_redundant or 0 for task in self.tasks)
            share = f"{again / self.spent.bytes_read:.0%}" if again else "0%"
            more = "" if share == "0%" else f", {share} of it again"
            yield str(self.spent).replace(" read,", f" read{more},")
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
        if self.kept_report is not None:
            yield (
                f"Nothing had to be run: {self.kept_report}, which tells how it was made, is left "
                "as it is."
            )

    def to_json(self) -> str:
        """All that is known of the run, and of what it stored, as JSON."""
        return json.dumps(self._document(()), indent=1, default=str)

    def report(self, path: str | PathLike[str], *also: Any) -> Path:
        """Write a page that explains the run, with pictures of what it stored.

        Parameters
        ----------
        path : path
            Of HTML that holds all of it, or JSON, by its suffix; an existing file is replaced.
        *also : object
            What else it shows: anything that a notebook shows, such as what ``dbw.seams`` gives.

        Returns
        -------
        Path

        Raises
        ------
        ValueError
            If the suffix is neither ``.html`` nor ``.json``.
        FileNotFoundError
            If its folder isn't there.

        Examples
        --------
        >>> summary = RunSummary((TaskSummary("smooth", blocks=8, completed=8),), 1.5)
        >>> page = summary.report("run.html")
        >>> "All 8 blocks are done" in page.read_text()
        True
        """
        return write_report(path, self._document(also), self.outputs, also)

    def _document(self, also: Sequence[Any]) -> dict[str, Any]:
        told = {"seconds": self.seconds, "threads": self.threads, "notes": list(self._told)}
        return as_dict(self.tasks, told, self.outputs, also)

    def as_error(self, advice: str) -> str:
        """What a run that failed says as an error: the first cause before all else.

        Parameters
        ----------
        advice
            How to go on, in a sentence.
        """
        told = [*_causes(self.tasks), "", advice, *_logs(self.tasks), "", self._table()]
        return "\n".join([*told, *_orphans(self.tasks), *_traceback(self.tasks)])


def _table(tasks: Sequence[TaskSummary]) -> Table:
    """Counts of what didn't happen are left out, so that it fits a terminal."""
    left_out = {name for name in _SELDOM if not any(getattr(task, name) for task in tasks)}
    if all(task.completed == task.blocks for task in tasks):
        left_out.add("completed")
    if not any(task.completed for task in tasks):
        left_out |= {*_OF_BLOCKS}
    if not any(task.spent.is_telling for task in tasks):
        left_out.add(_BOUND_BY)
    return without_columns(left_out, _COLUMNS, list(map(_row, tasks)))


def _row(task: TaskSummary) -> tuple[str, ...]:
    rate = task.mvoxels_per_second
    return (
        task.name,
        *(str(getattr(task, name)) for name in _COUNTS),
        f"{task.seconds:.1f}",
        f"{task.seconds_per_block:.3g}",
        f"{task.peak_memory / 1e6:.0f}",
        "-" if rate is None else f"{rate:.3g}",
        task.spent.bound_in_short,
    )


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
