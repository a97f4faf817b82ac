"""Reads that begin before they are wanted: a worker computes while a distant store answers."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

from numpy.typing import NDArray

__all__ = ["READS_AHEAD", "Reading", "ReadsAhead"]

# By what it is known, an array and a region of it, and what reads it.
Reading = tuple[tuple[Hashable, Hashable], Callable[[], NDArray[Any]]]

# Reads at once of one process.
_THREADS = 16
# So often in a row nothing was read that had been read ahead of an array: what is read of it isn't
# known beforehand, and would be read twice.
_MOST_IN_VAIN = 2


class ReadsAhead(threading.local):
    """Reads that a thread has begun for the block that it runs, and for the next one.

    Examples
    --------
    >>> ahead, values = ReadsAhead(), iter(["first", "second"])
    >>> reading = ("array", 0), lambda: next(values)
    >>> ahead.begin([reading])
    True
    >>> ahead.result(reading), ahead.result(reading)
    ('first', 'second')
    """

    def __init__(self) -> None:
        # Of the block that runs, and of the next.
        self._begun: deque[dict[tuple[Hashable, Hashable], Future[NDArray[Any]]]] = deque()
        self._in_vain: Counter[Hashable] = Counter()

    def begin(self, readings: Iterable[Reading]) -> bool:
        """Begin what the next block will read, and say whether there is anything.

        What was begun for a block that has ended, and wasn't read by it, is dropped.
        """
        while len(self._begun) > 1:
            self._in_vain.update({array for array, _ in self._begun.popleft()})
        wanted = [(key, read) for key, read in readings if self._in_vain[key[0]] < _MOST_IN_VAIN]
        self._begun.append({key: _pool().submit(read) for key, read in wanted})
        return bool(wanted)

    def result(self, reading: Reading) -> NDArray[Any]:
        """What was read ahead, once; what is read now where nothing was, or that failed."""
        key, read = reading
        for begun in self._begun:
            if (future := begun.pop(key, None)) is not None:
                self._in_vain.pop(key[0], None)
                return read() if future.exception() is not None else future.result()
        return read()

    def drop(self) -> None:
        """Forget what was begun: a later block is to see what lies in the store by then."""
        self._begun.clear()


READS_AHEAD = ReadsAhead()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "dask-blockwise-reads-ahead")
