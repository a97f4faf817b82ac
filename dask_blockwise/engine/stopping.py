"""How a process ends whose run is stopped, or fails: in order, and with a code that a shell knows.

Batch systems, and whoever sends SIGTERM, want a process to end by itself; Python's way is to drop
all, so that no cluster is closed and no job cancelled.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

__all__ = [
    "STOPPED",
    "NoWorkers",
    "exit_codes",
    "heard",
    "stoppable",
    "stopped",
    "told_in_a_sentence",
]

# EX_TEMPFAIL of sysexits.h: stopped, and the same call goes on from there.
STOPPED = 75
_USAGE = 2


class NoWorkers(RuntimeError):
    """A run has no worker, and waits for none any longer."""

    exit_code = STOPPED


class _ToldToEnd(SystemExit):
    """SIGTERM came."""


def _end(*_: object) -> None:
    raise _ToldToEnd(STOPPED)


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the body, SIGTERM ends the process in order, unless it means something else here."""
    if not _is_main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        _put_back(signal.SIGTERM, signal.SIG_DFL, instead_of=_end)


@contextmanager
def heard(hear: Callable[[BaseException], object]) -> Iterator[None]:
    """Within the body, what Ctrl-C and SIGTERM raise is told to a function, and raised at its end.

    Raised wherever the process stands, it may be within a weakref's callback or a ``__del__``,
    where Python drops it. The next of a kind is raised at once: the body may hang.

    Parameters
    ----------
    hear
        Called with what is to be raised, within whatever the body does at that moment. It should
        see to it that the body ends soon.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    raising = {number: handler for number, handler in before.items() if callable(handler)}
    if not _is_main_thread():
        raising = {}
    kept: list[BaseException] = []
    keeping = {number: partial(_keep, of, kept, hear) for number, of in raising.items()}
    for number, keep in keeping.items():
        signal.signal(number, keep)
    try:
        yield
    finally:
        for number, keep in keeping.items():
            _put_back(number, raising[number], instead_of=keep)
        if kept:
            raise kept[0]


def _keep(
    handler: Callable[..., Any],
    kept: list[BaseException],
    hear: Callable[[BaseException], object],
    number: int,
    frame: FrameType | None,
) -> None:
    # Meanwhile the next is raised at once, as the handler may wait for an answer.
    ours = signal.signal(number, handler)
    try:
        handler(number, frame)
    except BaseException as stop:
        kept.append(stop)
        hear(stop)
    else:
        _put_back(number, ours, instead_of=handler)


def _put_back(number: int, handler: Any, instead_of: Any) -> None:
    """Let a signal mean what it did, unless somebody has given it a meaning meanwhile."""
    if signal.getsignal(number) is instead_of:
        signal.signal(number, handler)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def stopped(stop: BaseException, how_to_go_on: str) -> BaseException:
    """What ends a process whose run was stopped: the same, saying how to go on.

    Parameters
    ----------
    stop
        What stopped it.
    how_to_go_on
        In a sentence or two.
    """
    if isinstance(stop, _ToldToEnd):
        sys.stderr.write(f"{how_to_go_on}\n")
        sys.stderr.flush()
        return stop
    return type(stop)(how_to_go_on)


@contextmanager
def exit_codes(speaker: str = "") -> Iterator[None]:
    """Within the body, a run that fails or is stopped ends the process with a code of its own.

    1 where blocks failed, 2 where a call makes no sense, and 75 where it was stopped, by Ctrl-C,
    SIGTERM or for want of workers, and the same call goes on from there; 0 where all is done. What
    there is to say is said without a traceback, but for errors of other kinds.

    Parameters
    ----------
    speaker
        What it begins with.

    Examples
    --------
    >>> with exit_codes():
    ...     raise ValueError("halo must be 0 or more, got -1.")
    Traceback (most recent call last):
    SystemExit: 2
    """
    try:
        with stoppable():
            yield
    except Exception as error:
        code = _code_of(error)
        if code is None:
            raise
        sys.stderr.write(f"{speaker}{error}\n")
        raise SystemExit(code) from error
    except KeyboardInterrupt as error:
        sys.stderr.write(f"{speaker}{str(error) or 'Stopped.'}\n")
        raise SystemExit(STOPPED) from None


def _code_of(error: Exception) -> int | None:
    given: int | None = getattr(error, "exit_code", None)
    if given is not None:
        return given
    return _USAGE if isinstance(error, ValueError | TypeError | OSError | ImportError) else None


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Within the body, Ctrl-C says that the run has stopped, unless it says so already."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if stop.args:
            raise
        raise KeyboardInterrupt("Stopped. Blocks in the ledger are kept.") from None
