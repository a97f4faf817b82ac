"""Why a block failed, told for whoever wrote its function: their own error and line first."""

from __future__ import annotations

import errno
import os
import platform
import re
import sysconfig
import tempfile
import traceback
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from .memory import MENDS

__all__ = ["FailedElsewhere", "Failure", "failure_of", "place_of"]

_OURS = f"{Path(__file__).parents[2]}{os.sep}"
_ENGINE = f"{Path(__file__).parent}{os.sep}"

_NO_CHILDREN = "daemonic processes are not allowed to have children"
_OF_CHILDREN = (
    "The function starts processes, which Dask's workers may not, as they are daemons. Blocks run "
    "side by side as it is, one to a core: have the function use threads, or no more than its own "
    "process (n_jobs=1, num_workers=0, or what its library calls it). Or let workers start "
    'processes: dask.config.set({"distributed.worker.daemon": False}) before the cluster on this '
    'machine is made; job_script_prologue=["export DASK_DISTRIBUTED__WORKER__DAEMON=False"] for '
    "one of jobs."
)
# Of a longer text, so many from either end are kept.
_LETTERS = 8_000
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OF_PATHS = (
    *(FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError),
    PermissionError,
)


class Failure(NamedTuple):
    """Why a block failed; as text it is the traceback, where there is one."""

    # Type and text of the exception, or what else became of it.
    cause: str
    # Function, file and line, of the user's own code where that was reached.
    place: str = ""
    traceback: str = ""
    # How to mend it, where the exception does not say so itself.
    advice: str = ""
    # Whether it may go well a little later, as where a store did not answer.
    may_pass: bool = False

    def __str__(self) -> str:
        told = self.traceback or self.cause
        return f"{told}\n{self.advice}" if self.advice else told


class FailedElsewhere(RuntimeError):
    """A block failed in another thread, which has told why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class _Call(NamedTuple):
    file: str
    line: int
    function: str


def failure_of(error: BaseException) -> Failure:
    """What an exception that came out of a block says.

    Calls of ours at the top of its traceback are left out, where a user's function was called.

    Examples
    --------
    >>> try:
    ...     {}["key"]
    ... except KeyError as error:
    ...     failure_of(error).cause
    "KeyError: 'key'"
    """
    if isinstance(error, FailedElsewhere):
        return error.failure
    calls = [
        _Call(frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    shown = _without_top(error.__traceback__, _calls_before_users(calls))
    told = traceback.TracebackException(type(error), error, shown)
    cause = _sendable("".join(told.format_exception_only()).strip())
    text = _sendable("".join(told.format()).rstrip())
    return Failure(cause, place_of(calls), text, _advice(error), _may_pass(error))


def _sendable(text: str) -> str:
    """Names of files may have bytes that are no text, which can't be sent or written.

    Of an array that was put into a message, the beginning and the end are enough.
    """
    text = text.encode(errors="backslashreplace").decode()
    if len(text) <= 2 * _LETTERS:
        return text
    return f"{text[:_LETTERS]}\n... {len(text) - 2 * _LETTERS} letters ...\n{text[-_LETTERS:]}"


def _advice(error: BaseException | None) -> str:
    """What is known of an exception, or of one that it came of."""
    while error is not None:
        if _NO_CHILDREN in traceback.format_exception_only(error)[-1]:
            return _OF_CHILDREN
        if isinstance(error, OSError) and error.errno in _FULL and not error.filename:
            return _of_a_full_disk(error)
        if isinstance(error, MemoryError):
            return MENDS
        error = error.__cause__ or error.__context__
    return ""


def _may_pass(error: BaseException | None) -> bool:
    """Whether it came of the system or a store, but for what is wrong with a path."""
    while error is not None:
        if isinstance(error, OSError):
            return not isinstance(error, _OF_PATHS)
        error = error.__cause__ or error.__context__
    return False


def _of_a_full_disk(error: OSError) -> str:
    """Where that may be, if the error is the system's, which doesn't tell."""
    if error.strerror != os.strerror(error.errno or 0):
        return ""
    return (
        f"A disk of {platform.node()} is full: that which the function writes to, or that of "
        f"{tempfile.gettempdir()}, where what blocks print is kept. Free some space, and the same "
        "call goes on from there."
    )


def place_of(calls: Iterable[tuple[str, int, str]]) -> str:
    """Where something happened, as a person would say it.

    Parameters
    ----------
    calls
        File, line and function, the outermost first.

    Returns
    -------
    str
        The innermost call of a user's function; else the first of what a library's does; empty
        where it was all ours.

    Examples
    --------
    >>> place_of([(__file__, 1, "_run"), ("/home/me/smooth.py", 8, "smooth")])
    'smooth (/home/me/smooth.py:8)'
    """
    called = [_Call(*call) for call in calls]
    users = [call for call in called if _is_users(call.file)]
    ours = max((n for n, call in enumerate(called) if _is_ours(call.file)), default=-1)
    at = users[-1:] or called[ours + 1 :]
    return f"{at[0].function} ({at[0].file}:{at[0].line})" if at else ""


def _calls_before_users(calls: list[_Call]) -> int:
    """How many calls at the top tell nothing of the block."""
    ours = next((n for n, call in enumerate(calls) if not _is_ours(call.file)), len(calls))
    if ours < len(calls) and _is_users(calls[ours].file):
        return ours
    # A library complains of what a stage of ours gave it: which stage that was must be seen.
    return next((n for n, call in enumerate(calls) if not call.file.startswith(_ENGINE)), ours)


def _without_top(shown: TracebackType | None, calls: int) -> TracebackType | None:
    for _ in range(calls):
        shown = shown.tb_next if shown else None
    return shown


def _is_ours(file: str) -> bool:
    return file.startswith(_OURS)


def _is_users(file: str) -> bool:
    """Whether code is neither ours nor an installed library's nor Python's."""
    installed = re.search(r"[/\\](site|dist)-packages[/\\]", file) or file.startswith("<frozen")
    return not (_is_ours(file) or installed or file.startswith(_standard_library()))


@cache
def _standard_library() -> tuple[str, ...]:
    return tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
