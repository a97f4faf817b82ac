"""Threads of a library that computes, shared by calls at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from distributed import get_worker

__all__ = ["SharedThreads"]


@dataclass
class SharedThreads:
    """The threads that a library may take, set for the time of a call alone.

    Examples
    --------
    >>> held = [4]
    >>> threads = SharedThreads(lambda: held[0], lambda n: held.__setitem__(0, n))
    >>> with threads.share() as one, threads.share() as other:
    ...     one, other
    (4, 2)
    >>> held
    [4]
    """

    # How many the library takes, and sets that.
    get: Callable[[], int]
    set: Callable[[int], None]
    _running: int = field(default=0, init=False)
    # What to go back to: what was set when no call ran.
    _before: int = field(default=1, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @contextmanager
    def share(self) -> Iterator[int]:
        """Take a fair part: of those of the Dask worker, else of those that the user has set."""
        with self._lock:
            # A thread new to torch begins with what another has just set, so it can't be asked.
            self._before = self._before if self._running else self.get()
            self._running += 1
            part = max(1, self._all() // self._running)
            self.set(part)
        try:
            yield part
        finally:
            with self._lock:
                self._running -= 1
                self.set(self._before)

    def _all(self) -> int:
        try:
            return int(get_worker().state.nthreads)
        except ValueError:
            return self._before
