"""What a worker process does with a batch of blocks."""

from __future__ import annotations

import asyncio
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

from ...geometry.blocks import Block
from ...storage.ahead import READS_AHEAD
from .allocator import KeptMemory
from .client import BlockLoops, Handover
from .ending import Ending, note_ending
from .gate import Away, Gate, Inside
from .job_end import may_begin
from .journal import Journal, kept, memory_note, presence, run_directory
from .litter import sweep_meanwhile
from .memory import MemoryNote
from .output import captured, unbuffer
from .own_code import OwnCode
from .peak_memory import peak_memory, reset_peak_memory
from .presence import Presence
from .report import BatchReport
from .spent import Clock
from .work import Work, run_block, unpacked

__all__ = [
    "Batch",
    "beside_batches",
    "check_code",
    "close_run",
    "end_process",
    "forget_run",
    "is_held_by_a_past_run",
    "is_idle",
    "open_run",
    "run_batch",
]

_HEARD_WITHIN = 10.0


@dataclass(frozen=True)
class Batch:
    """Blocks that one process runs one after the other."""

    run_id: str
    # Position of the task in the run.
    task: int
    numbers: list[int]
    # Name of its journal.
    name: str
    # Whether nothing else of ours may run in the process meanwhile.
    alone: bool
    # After which it begins no block any more, but the first.
    seconds: float
    # What a block takes, as far as that is known.
    block_seconds: float = 0.0
    # Seconds to wait before it.
    pause: float = 0.0


class _Run:
    """A run as a worker process knows it: its tasks, and the directory of its journals."""

    def __init__(
        self,
        presence: Presence,
        blobs: Sequence[bytes],
        code: OwnCode,
        captures: bool,
        memory: Path,
        keeps: KeptMemory,
    ) -> None:
        self._presence = presence
        self._memory = memory
        self._blobs = blobs
        self.code = code
        self._functions: dict[int, tuple[Work, Callable[[Block], object]]] = {}
        self._lock = threading.Lock()
        self.clock = Clock()
        self.stopped = False
        self.captures = captures
        self.keeps = keeps
        # A journal that can't be kept is told of with the first block.
        with suppress(OSError):
            presence.mark()

    def journal(self, name: str) -> Journal:
        """A new journal, beside what says that this worker runs."""
        with kept():
            journal = Journal(self._presence.mark().with_name(name))
        MemoryNote.now().write(self._memory)
        return journal

    def task(self, number: int) -> tuple[Work, Callable[[Block], object]]:
        """A task and its function of a block, unpickled and set up once a process."""
        with self._lock:
            if number not in self._functions:
                self._functions[number] = unpacked(self._blobs[number], self.code)
        return self._functions[number]

    def close(self) -> None:
        self.stopped = True
        for _, function in self._functions.values():
            if isinstance(function, (BlockLoops, Handover)):
                function.close()
        self.keeps.give_back()

    def forget(self) -> None:
        self.close()
        self._presence.end()

    def note_ending(self, ending: Ending) -> None:
        """Say why the process ends, to whoever looks for its blocks."""
        with suppress(OSError):
            note_ending(self._presence.mark(), ending)


_runs: dict[str, _Run] = {}
# Those that are over: their last batches may be on their way yet.
_forgotten: set[str] = set()
_gate, _inside = Gate(), Inside()


def open_run(
    run_id: str,
    address: str,
    blobs: Sequence[bytes],
    code: OwnCode,
    owned: bool,
    limit: float | None,
) -> None:
    """Make a run's tasks known to this worker process.

    Parameters
    ----------
    run_id
        Name of the run.
    address
        Address of the worker.
    blobs
        The ``Work`` of each task, pickled.
    code
        What they find by name.
    owned
        Whether the process is the worker's own, so that what it prints may be collected.
    limit
        Bytes that the process may take.
    """
    _forgotten.discard(run_id)
    if run_id not in _runs:
        here = Presence(partial(presence, run_id, address))
        _runs[run_id] = _Run(
            here, blobs, code, owned, memory_note(run_id, address), KeptMemory(limit)
        )
        sweep_meanwhile()
    if owned:
        unbuffer()
        # Ctrl-C reaches every process of a terminal, and it is the driver that stops the workers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


async def check_code(run_id: str) -> None:
    """See that this worker process has a run's code, beside its event loop: imports take long."""
    if run_id in _runs:
        await asyncio.to_thread(_runs[run_id].code.check)


def close_run(run_id: str) -> None:
    """End a run in this worker process: a batch that is running stops after its present block.

    A worker that is closing may be sent another; that one stops before its first.
    """
    if run_id in _runs:
        _runs[run_id].close()


def end_process(ending: Ending) -> None:
    """End all runs in this worker process, which is about to end, and say why."""
    for run in list(_runs.values()):
        run.note_ending(ending)
        run.stopped = True


def is_idle() -> bool:
    """Whether no batch runs in this process."""
    return _gate.is_empty


def is_held_by_a_past_run() -> bool:
    """Whether a batch runs in this process whose run is over, maybe as its driver was killed."""
    return any(run not in _runs or _runs[run].stopped for run in _inside.runs)


def forget_run(run_id: str) -> None:
    """End a run in this worker process and on this machine."""
    _forgotten.add(run_id)
    if run_id in _runs:
        _runs.pop(run_id).forget()
    with suppress(OSError):
        shutil.rmtree(run_directory(run_id), ignore_errors=True)


def beside_batches() -> AbstractContextManager[None]:
    """Within the body, what is waited for may run in this process, be it that of a lone block."""
    return _gate.left()


def run_batch(batch: Batch, begun: Callable[[], None], away: Away) -> BatchReport:
    """Run blocks one after the other; one that fails leaves the others alone.

    Parameters
    ----------
    batch
    begun
        Called when the task is loaded and the first block is about to run.
    away
        Whether a thread of another batch waits for what is computed by Dask.
    """
    with ExitStack() as stack:
        stack.enter_context(_gate.passed(batch.alone, away))
        _wait_to_hear_of(batch.run_id)
        if batch.run_id in _forgotten:
            return BatchReport(left=batch.numbers)
        stack.enter_context(_inside.batch_of(batch.run_id))
        run = _runs[batch.run_id]
        journal = stack.enter_context(run.journal(batch.name))
        if run.captures:
            stack.enter_context(captured(journal.output.fileno()))
        stack.enter_context(run.keeps.of_batch(batch.task))
        stack.callback(READS_AHEAD.drop)
        work, function = run.task(batch.task)
        begun()
        reset_peak_memory()
        with run.clock.batch() as clocked:
            for number in _until_over(batch, work):
                if run.stopped or not may_begin(batch.block_seconds) or not journal.begin(number):
                    break
                run_block(work, function, number, journal)
            report = journal.report(batch.numbers)
        report.spent, report.peak_memory = clocked.spent, peak_memory()
    return report


def _until_over(batch: Batch, work: Work) -> Iterator[int]:
    """Blocks, the first of them in any case, until their time is over.

    What is read ahead isn't read in vain: its block is run even so.
    """
    end = time.monotonic() + batch.seconds
    is_read_ahead = True
    for number, following in zip_longest(batch.numbers, batch.numbers[1:]):
        is_late = time.monotonic() > end
        if is_late and not is_read_ahead:
            return
        is_read_ahead = following is not None and not is_late and work.expect(following)
        yield number


def _wait_to_hear_of(run_id: str) -> None:
    """A process that stood still may get a batch a moment before it hears of the run."""
    end = time.monotonic() + _HEARD_WITHIN
    while run_id not in _runs and run_id not in _forgotten and time.monotonic() < end:
        time.sleep(0.05)
