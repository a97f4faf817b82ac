"""What a worker process does with a batch of blocks, and what it leaves behind when it dies.

A journal in the machine's temporary directory holds each block's fate, so that after a death it
is known which block was running and which were done already.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

import psutil

from .block_client import BlockLoops, Context, Handover, block_function
from .blockwise_task import CheckFunction
from .geometry import Block, BlockGrid
from .watchdog import deadline
from .worker_file import SpawnedWorker

__all__ = ["BatchReport", "Work"]

# The frame between a block's own calls and ours, as faulthandler writes it.
_OUR_FRAME = "in _process"


@dataclass(frozen=True)
class Work:
    """What a worker process needs to know of a task; sent to each process once."""

    task_id: str
    grid: BlockGrid
    process_function: Callable[..., Any]
    pre_check: CheckFunction | None
    post_check: CheckFunction | None
    timeout: float | None
    context: Context


@dataclass
class BatchReport:
    """What became of the blocks of a batch; blocks are given by their numbers."""

    done: list[int] = field(default_factory=list)
    # The pre-check said that they are done already.
    skipped: list[int] = field(default_factory=list)
    # With the traceback of each.
    failures: list[tuple[int, str]] = field(default_factory=list)
    # Never begun.
    left: list[int] = field(default_factory=list)
    # Seconds that the blocks took, all together.
    seconds: float = 0.0
    # Largest resident memory of the worker process while it ran them, in bytes.
    peak_memory: int = 0
    # False when the journal of a dead worker could not be found.
    known: bool = True
    # The worker died before the first block began, as it loaded the task.
    died_loading: bool = False


class _Run:
    """A run as a worker process knows it: its tasks, and the directory of its journals."""

    def __init__(self, run_id: str, blobs: Sequence[bytes]) -> None:
        self._blobs = blobs
        self._functions: dict[int, tuple[Work, Callable[[Block], Any]]] = {}
        self._lock = threading.Lock()
        self.stopped = False
        self.directory = _directory(run_id)

    def task(self, number: int) -> tuple[Work, Callable[[Block], Any]]:
        """A task and its function of a block, unpickled and set up once a process."""
        with self._lock:
            if number not in self._functions:
                self._functions[number] = _unpack(self._blobs[number])
        return self._functions[number]

    def close(self) -> None:
        self.stopped = True
        for _, function in self._functions.values():
            if isinstance(function, (BlockLoops, Handover)):
                function.close()


def _unpack(blob: bytes) -> tuple[Work, Callable[[Block], Any]]:
    work: Work = pickle.loads(blob)
    function = work.process_function
    if isinstance(function, SpawnedWorker):
        function = function.function
    return work, block_function(function, work.context)


_runs: dict[str, _Run] = {}


def open_run(run_id: str, address: str, blobs: Sequence[bytes]) -> None:
    """Make a run's tasks known to this worker process."""
    _directory(run_id).mkdir(exist_ok=True)
    _presence(run_id, address).touch()
    if run_id not in _runs:
        _runs[run_id] = _Run(run_id, blobs)


def close_run(run_id: str) -> None:
    """End a run in this worker process: a batch that is running stops after its present block."""
    run = _runs.pop(run_id, None)
    if run is not None:
        run.close()


def forget_run(run_id: str) -> None:
    """End a run in this worker process and on this machine."""
    close_run(run_id)
    shutil.rmtree(_directory(run_id), ignore_errors=True)


def run_batch(run_id: str, task: int, numbers: Sequence[int], name: str) -> BatchReport:
    """Run blocks one after the other; one that fails leaves the others alone."""
    run = _runs[run_id]
    path = run.directory / name
    # A batch that ran before on a worker that died before it could tell goes on from there.
    report = _read_journal(path, numbers)
    todo, report.left, report.died_loading = report.left, [], False
    with _Journal(path) as journal:
        work, function = run.task(task)
        begin = time.perf_counter()
        _reset_peak_memory()
        for number in todo:
            if run.stopped:
                report.left.append(number)
            else:
                _run_block(work, function, number, journal, report)
        report.seconds = time.perf_counter() - begin
    report.peak_memory = _peak_memory()
    return report


def read_journal(run_id: str, address: str, numbers: Sequence[int], name: str) -> BatchReport:
    """After a worker's death: what became of a batch, if this machine is the one it ran on."""
    if not _presence(run_id, address).exists():
        return BatchReport(left=list(numbers), known=False)
    return _read_journal(_directory(run_id) / name, numbers)


def _run_block(
    work: Work,
    function: Callable[[Block], Any],
    number: int,
    journal: _Journal,
    report: BatchReport,
) -> None:
    journal.note(number, "started")
    try:
        with journal.deadline(work.timeout):
            skipped = _process(work, function, work.grid.block(work.task_id, number))
    except BaseException:
        error = traceback.format_exc()
        journal.note(number, "failed", error)
        report.failures.append((number, error))
    else:
        journal.note(number, "skipped" if skipped else "done")
        (report.skipped if skipped else report.done).append(number)


def _process(work: Work, function: Callable[[Block], Any], block: Block) -> bool:
    """Process a block unless its pre-check says that it is done; whether it was skipped."""
    if work.pre_check is not None and work.pre_check(block):
        return True
    function(block)
    if work.post_check is not None and not work.post_check(block):
        raise RuntimeError(
            f"The check after block {block.block_id} was not true: its process function returned, "
            "but left something else than the check expects."
        )
    return False


class _Journal:
    """What became of a batch's blocks, line by line, in a file that outlives its process."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._trace_path = _trace_of(path)
        self._trace: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        if self._trace is not None:
            self._trace.close()

    def note(self, number: int, fate: str, error: str = "") -> None:
        self._file.write(json.dumps([number, fate, error]).encode() + b"\n")

    def deadline(self, seconds: float | None) -> AbstractContextManager[None]:
        if seconds is None:
            return nullcontext()
        if self._trace is None:
            self._trace = self._trace_path.open("w")
        return deadline(seconds, self._trace)


def _read_journal(path: Path, numbers: Sequence[int]) -> BatchReport:
    """Sort the blocks by the last line that the journal has on each."""
    lines = path.read_text().splitlines() if path.exists() else []
    fates = {number: (fate, error) for number, fate, error in map(json.loads, lines)}
    report = BatchReport(died_loading=path.exists() and not fates)
    for number in numbers:
        fate, error = fates.get(number, ("left", ""))
        if fate == "started":
            report.failures.append((number, _last_words(path)))
        elif fate == "failed":
            report.failures.append((number, error))
        else:
            getattr(report, fate).append(number)
    return report


def _last_words(path: Path) -> str:
    trace = _trace_of(path).read_text() if _trace_of(path).exists() else ""
    if not trace:
        return "The worker process died while it ran the block."
    stack = next((stack for stack in trace.split("\n\n") if _OUR_FRAME in stack), trace)
    frames = stack.partition("most recent call first):\n")[2] or stack
    where = "\n".join(takewhile(lambda line: _OUR_FRAME not in line, frames.splitlines()))
    return (
        "The block took longer than its time limit, so its worker process was killed. It was in "
        f"(innermost call first):\n{where}"
    )


def _trace_of(path: Path) -> Path:
    return path.with_name(path.name + ".trace")


def _directory(run_id: str) -> Path:
    return Path(tempfile.gettempdir()) / f"dask-blockwise-{run_id}"


def _presence(run_id: str, address: str) -> Path:
    """A file that says that a worker runs, or ran, on this machine."""
    return _directory(run_id) / f"worker-{quote(address, safe='')}"


@cache
def _keeps_peak_memory() -> bool:
    return os.access("/proc/self/clear_refs", os.W_OK)


def _reset_peak_memory() -> None:
    if _keeps_peak_memory():
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory() -> int:
    """Largest resident memory since the last reset, where the system keeps it; else the present."""
    if _keeps_peak_memory():
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])
    return int(psutil.Process().memory_info().rss)
