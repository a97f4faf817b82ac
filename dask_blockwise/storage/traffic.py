"""How long reads and writes of arrays take, and how much they move, told to whoever counts it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Traffic", "count_here", "counted", "counted_here", "reading", "writing"]


@dataclass
class Traffic:
    """What was read from arrays in stores and written to them; bytes are before compression."""

    seconds_reading: float = 0.0
    # Until the store has all of it, and has told what lies there now.
    seconds_writing: float = 0.0
    bytes_read: int = 0
    bytes_written: int = 0


_counted: ContextVar[Traffic | None] = ContextVar("_counted", default=None)


@contextmanager
def counted() -> Iterator[Traffic]:
    """Within the body, and on its thread, what is read and written.

    Examples
    --------
    >>> with counted() as traffic:
    ...     with reading() as read:
    ...         read.bytes_read += 8
    >>> traffic.bytes_read, traffic.bytes_written
    (8, 0)
    """
    traffic = Traffic()
    token = _counted.set(traffic)
    try:
        yield traffic
    finally:
        _counted.reset(token)


def counted_here() -> Traffic | None:
    """What this thread counts, for `count_here` on another one that works for it."""
    return _counted.get()


def count_here(traffic: Traffic | None) -> None:
    """Count from now on what this thread reads and writes for another, which waits for it."""
    _counted.set(traffic)


@contextmanager
def reading() -> Iterator[Traffic]:
    """Count the body's seconds as those of a read; its bytes are added within."""
    traffic, begin = _counted.get() or Traffic(), time.perf_counter()
    try:
        yield traffic
    finally:
        traffic.seconds_reading += time.perf_counter() - begin


@contextmanager
def writing() -> Iterator[Traffic]:
    """Count the body's seconds as those of a write; its bytes are added within."""
    traffic, begin = _counted.get() or Traffic(), time.perf_counter()
    try:
        yield traffic
    finally:
        traffic.seconds_writing += time.perf_counter() - begin
