"""A block past its time limit: its worker process is killed, even where it holds the GIL.

The first line is a timer in the worker process itself, kept by a C thread (faulthandler). The
second is a plugin on the scheduler, which has the worker restarted by its nanny.
"""

from __future__ import annotations

import faulthandler
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

__all__ = ["deadline"]


class _Deadlines:
    """The deadlines of a process's threads; the one timer that there is keeps the earliest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = itertools.count()
        self._pending: dict[int, tuple[float, IO[str]]] = {}

    def add(self, seconds: float, trace: IO[str]) -> int:
        with self._lock:
            token = next(self._tokens)
            self._pending[token] = (time.monotonic() + seconds, trace)
            self._arm()
        return token

    def remove(self, token: int) -> None:
        with self._lock:
            del self._pending[token]
            self._arm()

    def _arm(self) -> None:
        if not self._pending:
            faulthandler.cancel_dump_traceback_later()
            return
        # Arming anew takes the place of what was armed. The first that passes ends the process, so
        # later ones are never missed.
        due, trace = min(self._pending.values(), key=lambda pending: pending[0])
        left = max(0.001, due - time.monotonic())  # 0 is refused
        # It ends the process from C, at once, with no clean-up and no waiting for the GIL.
        faulthandler.dump_traceback_later(left, exit=True, file=trace)


_deadlines = _Deadlines()


@contextmanager
def deadline(seconds: float, trace: IO[str]) -> Iterator[None]:
    """Kill this process if the body takes longer, leaving the stacks of its threads in a file.

    Parameters
    ----------
    seconds
        Time limit of the body.
    trace
        A file with a descriptor, which must stay open: all that is kept of it is the descriptor.
    """
    token = _deadlines.add(seconds, trace)
    try:
        yield
    finally:
        _deadlines.remove(token)
