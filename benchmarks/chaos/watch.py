"""Notes of what runs where, by the processes of a run themselves, and what they say afterwards."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

from distributed import Worker, WorkerPlugin

from dask_blockwise.engine import reporting
from dask_blockwise.engine.task_state import TaskState
from dask_blockwise.engine.worker import batch
from dask_blockwise.engine.worker.work import Work
from dask_blockwise.storage.stored_array import StoredArray

from .trouble import FOLDER, meet

__all__ = ["Note", "WatchedWorker", "notes", "watch_driver"]

_NOTES = "notes"


class Note(NamedTuple):
    """What happened, when, in which process, in which run, and to what."""

    what: str
    at: float
    process: int
    run: str = ""
    task: str = ""
    block: int = -1
    batch: str = ""
    more: str = ""


def notes(folder: Path) -> Iterator[Note]:
    """All of them, in the order in which they were made."""
    file = folder / _NOTES
    if file.exists():
        for line in file.read_text().splitlines():
            yield Note(*json.loads(line))


def _note(what: str, *told: Any) -> None:
    line = json.dumps(Note(what, time.time(), os.getpid(), *told)) + "\n"
    # Lines of processes don't mix: each is one write to the end of the file.
    file = os.open(Path(os.environ[FOLDER], _NOTES), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, line.encode())
    os.close(file)


class WatchedWorker(WorkerPlugin):
    """Has a worker process note each block that it begins and ends."""

    name = "chaos"

    def setup(self, worker: Worker) -> None:
        _note("worker")
        if worker.nanny is not None and not hasattr(batch, "watched_by"):
            _watch_worker()


def _watch_worker() -> None:
    own = threading.local()
    run_batch, run_block, write = batch.run_batch, batch.run_block, StoredArray.write

    @wraps(run_batch)
    def noted_batch(given: batch.Batch, *others: Any) -> batch.BatchReport:
        own.batch = given
        report = run_batch(given, *others)
        _note("reported", given.run_id, "", -1, given.name)
        return report

    @wraps(run_block)
    def noted_block(work: Work, function: Any, number: int, journal: Any) -> None:
        at = own.batch.run_id, work.task_id.rpartition("-")[0], number, own.batch.name
        _note("begun", *at)
        before = len(journal_of(journal))
        run_block(work, function, number, journal)
        _note("failed" if b'"failures"' in journal_of(journal)[before:] else "done", *at)

    @wraps(write)
    def noted_write(array: StoredArray, region: Any, values: Any) -> None:
        begins = [getattr(side, "start", None) or 0 for side in region]
        name = "-".join(array.path.split("/")[-2:])
        meet(f"write {name}", *begins)
        write(array, region, values)
        meet(f"written {name}", *begins)

    reporting.run_batch, batch.run_block = noted_batch, noted_block
    StoredArray.write = noted_write  # type: ignore[method-assign]
    batch.watched_by = __name__  # type: ignore[attr-defined]


def journal_of(journal: Any) -> bytes:
    """What is noted in it; a position doesn't tell, as others append."""
    return Path(journal._path).read_bytes()


def watch_driver() -> None:
    """Have this process note what it charges blocks with."""
    fail = TaskState._fail

    @wraps(fail)
    def noted_fail(state: TaskState, number: int, failure: Any) -> None:
        task = state.task.task_id.rpartition("-")[0]
        _note("charged", state._context["run_id"], task, number, "", failure.cause)
        fail(state, number, failure)

    TaskState._fail = noted_fail  # type: ignore[method-assign]
    _note("driver")
