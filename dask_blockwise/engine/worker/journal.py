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
from itertools import pairwise, takewhile
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

from .deadline import deadline
from .ending import noted_ending
from .failure import Failure, place_of
from .memory import MemoryNote
from .own_folder import own_folder
from .report import DIED, BatchReport
from .trace import Trace

__all__ = [
    "Journal",
    "kept",
    "memory_note",
    "post_mortem",
    "presence",
    "run_directory",
]

# Of what a block prints, so many bytes are kept: its last ones.
_PRINTED_BYTES = 16_384
# A block, the name of a field of ``BatchReport``, what more is said of it (None as it begins), and
# where what it prints begins.
_Note = tuple[int, str, Any, int]
_CALL = re.compile(r'  File "(.*)", line (\d+) in (.*)')


class Journal:
    """Notes of what becomes of a batch's blocks, line by line.

    Parameters
    ----------
    path
        File of the notes; others that belong to the batch have its name and a suffix.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._given_up = str(_beside(path, "given-up"))
        # What this process has noted itself, which needn't be read again.
        self._own: list[_Note] = []
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
        return not os.path.exists(self._given_up)  # noqa: PTH110, a third of the time

    def end(self, number: int, fate: str, what: Failure | Trace | None = None) -> None:
        """Note what became of a block, by the name of the field of ``BatchReport``, and more."""
        self._note(number, fate, what or ())

    def corrupt(self, number: int, chunks: Sequence[str]) -> None:
        """Note damaged chunks that a block read as fill value, before what became of it."""
        self._note(number, "corrupt", chunks)

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
        notes = self._own or self._read()
        fates = {number: (fate, what) for number, fate, what, _ in notes if fate != "corrupt"}
        report = BatchReport()
        report.corrupt = [c for _, fate, what, _ in notes if fate == "corrupt" for c in what]
        for number in numbers:
            fate, what = fates.get(number, ("left", ()))
            if fate == "failures":
                failure = Failure(*what) if what else self._last_words()
                report.failures.append((number, failure))
                report.died += [number] if failure == DIED else []
                continue
            getattr(report, fate).append(number)
            if fate == "done":
                report.traces.append(Trace(*what))
        begun = [(number, at) for number, _, what, at in notes if what is None]
        report.printed = list(_printed(self.output, begun or [(numbers[0], 0)]))
        return report

    def _read(self) -> list[_Note]:
        """What another process has noted."""
        self._notes.seek(0)
        # The last may be torn, where the disk was full.
        lines = self._notes.read().split(b"\n")[:-1]
        notes: list[_Note] = json.loads(b"[" + b",".join(lines) + b"]")
        return notes

    def _note(
        self, number: int, fate: str, what: Sequence[str | int] | None = None, at: int = 0
    ) -> None:
        told = "null" if what is None else json.dumps(what)
        note = f'[{number},"{fate}",{told},{at}]\n'.encode()
        try:
            if self._notes.write(note) < len(note):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise _not_kept(error, self._path) from error
        self._own.append((number, fate, what, at))

    def _last_words(self) -> Failure:
        path = _beside(self._path, "trace")
        head, _, stacks = (path.read_text() if path.exists() else "").partition("\n\n")
        if not stacks:
            return DIED
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
        raise _not_kept(error, path) from error


def _not_kept(error: OSError, path: Path | None) -> OSError:
    if path is not None:
        # A write that fails has no more than a descriptor.
        error.filename = error.filename or str(path)
    return OSError(
        error.errno,
        f"What becomes of blocks is noted in the temporary folder of {platform.node()}, which "
        f"can't be written: {error}. Free some space there, or start workers with TMPDIR set "
        "to a folder on another disk. Blocks that are done are kept",
    )


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
