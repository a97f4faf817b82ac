"""What became of a batch's blocks, in files that outlive the worker process that runs them.

They lie in the user's own folder in the machine's temporary one. After a death they tell which
block was running, which were done already, which were never begun, and what was printed.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

from .deadline import deadline
from .ending import noted_ending
from .failure import Failure, place_of
from .memory import MemoryNote
from .own_folder import own_folder
from .trace import Trace

__all__ = [
    "BatchReport",
    "Journal",
    "kept",
    "memory_note",
    "post_mortem",
    "presence",
    "run_directory",
]

# Of what a block prints, so many bytes are kept: its last ones.
_PRINTED_BYTES = 16_384
_DIED = Failure("The worker process died while it ran the block.")
_CALL = re.compile(r'  File "(.*)", line (\d+) in (.*)')


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
    # What blocks wrote to stdout and stderr, of those that did.
    printed: list[tuple[int, str]] = field(default_factory=list)
    # What each of those that are done left.
    traces: list[Trace] = field(default_factory=list)
    # Seconds that the blocks took, all together.
    seconds: float = 0.0
    # Largest resident memory of the worker process while it ran them, in bytes.
    peak_memory: int = 0
    # The worker died before the first block began, as it loaded the task.
    died_loading: bool = False
    # Of those that failed, the one that ran as its process died, of what isn't known.
    died: list[int] = field(default_factory=list)
    # With why each was broken off, which is not its fault.
    interrupted: list[tuple[int, str]] = field(default_factory=list)
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
        failures = [*self.failures, *((number, _DIED) for number in broken_off)]
        return replace(self, failures=failures, died=[*self.died, *broken_off], interrupted=[])


class Journal:
    """Notes of what becomes of a batch's blocks, line by line.

    Parameters
    ----------
    path
        File of the notes; others that belong to the batch have its name and a suffix.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._given_up = _beside(path, "given-up")
        self._trace: IO[str] | None = None
        with ExitStack() as on_error:
            self._notes = on_error.enter_context(path.open("a+b", buffering=0))
            # Where the process's stdout and stderr may go meanwhile.
            self.output: IO[bytes] = _beside(path, "output").open("a+b", buffering=0)
            on_error.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for file in (self._notes, self.output, self._trace):
            if file is not None:
                file.close()

    def begin(self, number: int) -> bool:
        """Note that a block begins; False where it must not, as the batch was given up."""
        self._note(number, "failures", at=self.output.seek(0, os.SEEK_END))
        return not self._given_up.exists()

    def end(self, number: int, fate: str, what: Failure | Trace | None = None) -> None:
        """Note what became of a block, by the name of the field of ``BatchReport``, and more."""
        self._note(number, fate, what or ())

    def deadline(
        self, seconds: float | None, caller: Callable[..., object]
    ) -> AbstractContextManager[None]:
        """Kill this process if the body takes longer.

        Parameters
        ----------
        seconds
            Time limit of the body, if it has one.
        caller
            Function of ours that calls the block's: of where the block was, the report shows what
            lies within.
        """
        if seconds is None:
            return nullcontext()
        if self._trace is None:
            with kept(self._path):
                self._trace = _beside(self._path, "trace").open("w")
                self._trace.write(f"{threading.get_ident():#018x}\n{_frame_of(caller)}\n\n")
                self._trace.flush()
        return deadline(seconds, self._trace)

    def report(self, numbers: Sequence[int]) -> BatchReport:
        """Sort the blocks of the batch by the last note on each."""
        self._notes.seek(0)
        # The last may be torn, where the disk was full.
        lines = self._notes.read().split(b"\n")[:-1]
        notes: list[Any] = list(map(json.loads, lines))
        fates = {number: (fate, what) for number, fate, what, _ in notes}
        report = BatchReport()
        for number in numbers:
            fate, what = fates.get(number, ("left", ()))
            if fate == "failures":
                failure = Failure(*what) if what else self._last_words()
                report.failures.append((number, failure))
                report.died += [number] if failure == _DIED else []
                continue
            getattr(report, fate).append(number)
            if fate == "done":
                report.traces.append(Trace(*what))
        begun = [(number, at) for number, _, what, at in notes if what is None]
        report.printed = list(_printed(self.output, begun or [(numbers[0], 0)]))
        return report

    def _note(
        self, number: int, fate: str, what: Sequence[str | int] | None = None, at: int = 0
    ) -> None:
        note = json.dumps([number, fate, what, at]).encode() + b"\n"
        with kept(self._path):
            if self._notes.write(note) < len(note):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _last_words(self) -> Failure:
        path = _beside(self._path, "trace")
        head, _, stacks = (path.read_text() if path.exists() else "").partition("\n\n")
        if not stacks:
            return _DIED
        thread, caller = head.splitlines()
        found = (stack for stack in stacks.split("\n\n") if f"Thread {thread}" in stack)
        frames = next(found, stacks).partition("most recent call first):\n")[2]
        ours = re.compile(caller)
        calls = list(takewhile(lambda line: not ours.fullmatch(line), frames.splitlines()))
        cause = "The block took longer than its time limit, so its worker process was killed."
        where = "\n".join([f"{cause} It was in (innermost call first):", *calls])
        return Failure(cause, place_of(_outermost_first(calls)), where)


@contextmanager
def kept(path: Path | None = None) -> Iterator[None]:
    """Within the body, an error of a file says what that is for, and how to mend it."""
    try:
        yield
    except OSError as error:
        if path is not None:
            # A write that fails has no more than a descriptor.
            error.filename = error.filename or str(path)
        raise OSError(
            error.errno,
            f"What becomes of blocks is noted in the temporary folder of {platform.node()}, which "
            f"can't be written: {error}. Free some space there, or start workers with TMPDIR set "
            "to a folder on another disk. Blocks that are done are kept",
        ) from error


def post_mortem(run_id: str, address: str, name: str, numbers: Sequence[int]) -> BatchReport:
    """After a worker's death: what became of a batch, if this machine is the one it ran on.

    The batch is given up first. A worker that lives on although Dask lost it notes a block before
    it looks whether the batch was given up: so a block is either in the journal, or never runs.
    """
    path = run_directory(run_id) / name
    if not (presence(run_id, address).exists() or path.exists()):
        return BatchReport(lost=list(numbers))
    _beside(path, "given-up").touch()
    if not path.exists():
        return BatchReport(left=list(numbers))
    with Journal(path) as journal:
        report = journal.report(numbers)
    ending = noted_ending(presence(run_id, address))
    if ending is not None and ending.is_blameless:
        return report.excused(ending.reason)
    report.told = ending.reason if ending else ""
    report.died_loading = len(report.left) == len(numbers)
    if note := MemoryNote.at(memory_note(run_id, address)):
        report.kernel_killed, report.group_limit = note.kernel_killed, note.group_limit
    return report


def run_directory(run_id: str) -> Path:
    """Where a run's journals are on this machine."""
    return own_folder() / f"run-{run_id}"


def presence(run_id: str, address: str) -> Path:
    """A file that says that a worker runs, or ran, on this machine."""
    return run_directory(run_id) / f"worker-{quote(address, safe='')}"


def memory_note(run_id: str, address: str) -> Path:
    """A file that says what a worker on this machine knows of its memory."""
    return run_directory(run_id) / f"memory-{quote(address, safe='')}"


def _printed(file: IO[bytes], begun: Sequence[tuple[int, int]]) -> Iterator[tuple[int, str]]:
    """What each block printed, given where in the file it began to."""
    # What was printed before the first block, as the task was loaded, goes to that block.
    edges = [0, *(at for _, at in begun[1:]), file.seek(0, os.SEEK_END)]
    for (number, _), (start, stop) in zip(begun, pairwise(edges)):
        if stop > start:
            yield number, _tail(file, start, stop)


def _tail(file: IO[bytes], start: int, stop: int) -> str:
    left_out = max(0, stop - start - _PRINTED_BYTES)
    file.seek(start + left_out)
    text = file.read(stop - start - left_out).decode(errors="replace")
    return f"[{left_out} bytes left out]\n{text}" if left_out else text


def _frame_of(function: Callable[..., object]) -> str:
    """A pattern of the line that faulthandler writes of a call of a function."""
    code = function.__code__
    file = code.co_filename.encode("ascii", "backslashreplace").decode()
    return rf'  File "{re.escape(file)}", line \d+ in {code.co_name}'


def _outermost_first(lines: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """File, line and function of calls, from what faulthandler writes of them."""
    for line in reversed(lines):
        if call := _CALL.fullmatch(line):
            yield call[1], int(call[2]), call[3]


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")
