"""What comes back to a run: reports of batches, what Dask says of them, and signals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from .worker.report import BatchReport

__all__ = ["Arrivals", "Key"]

Key = tuple[Any, ...]
Outcome = BatchReport | BaseException


class Arrivals:
    """A queue that other threads and handlers of signals fill, and the run waits at."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Key, Outcome]] = SimpleQueue()
        self._stop: BaseException | None = None

    def put(self, key: Key, outcome: Outcome) -> None:
        """Say what became of a batch."""
        self._queue.put((key, outcome))

    def put_later(self, seconds: float, key: Key, outcome: Outcome) -> None:
        """Say so in a while."""
        timer = threading.Timer(seconds, self.put, [key, outcome])
        timer.daemon = True
        timer.start()

    def stop(self, stop: BaseException) -> None:
        """Let the run raise an error where it waits; a handler of a signal may call this."""
        self._stop = stop
        self.put((), stop)

    def wait(self, seconds: float) -> Iterator[tuple[Key, Outcome]]:
        """All that has come once something has, or until so many seconds have passed.

        Raises
        ------
        BaseException
            What stops the run.
        """
        with suppress(Empty):
            yield self._next(timeout=seconds)
            while True:
                yield self._next(block=False)

    def _next(self, block: bool = True, timeout: float | None = None) -> tuple[Key, Outcome]:
        arrived = self._queue.get(block, timeout)
        if self._stop is not None:
            raise self._stop
        return arrived
