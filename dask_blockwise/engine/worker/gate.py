"""Lets batches run side by side in a process, or one of them alone; and knows whose run here."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Gate", "Inside"]


class Gate:
    """Any number may be inside together, or one that must be alone.

    One that must be alone waits for those inside, and lets nobody in before it.

    Examples
    --------
    >>> gate = Gate()
    >>> with gate.passed(alone=True):
    ...     print("no other is inside")
    no other is inside
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._loners = 0
        self._mine = threading.local()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is inside, or waits to be."""
        with self._changed:
            return not (self._inside or self._loners)

    @contextmanager
    def passed(self, alone: bool) -> Iterator[None]:
        """Wait for admittance, and hold it for the body."""
        self._enter(alone)
        self._mine.alone = alone
        try:
            yield
        finally:
            self._mine.alone = None
            self._leave(alone)

    @contextmanager
    def left(self) -> Iterator[None]:
        """Be outside for the body, and come in again; nothing to a thread that is outside."""
        alone: bool | None = getattr(self._mine, "alone", None)
        if alone is None:
            yield
            return
        self._leave(alone)
        try:
            yield
        finally:
            self._enter(alone)

    def _enter(self, alone: bool) -> None:
        with self._changed:
            self._loners += alone
            self._changed.wait_for(lambda: not (self._inside if alone else self._loners))
            self._inside += 1

    def _leave(self, alone: bool) -> None:
        with self._changed:
            self._inside -= 1
            self._loners -= alone
            self._changed.notify_all()


class Inside:
    """Of which runs batches are in a process.

    Examples
    --------
    >>> inside = Inside()
    >>> with inside.batch_of("a run"):
    ...     print(inside.runs)
    {'a run'}
    >>> inside.runs
    set()
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches: Counter[str] = Counter()

    @property
    def runs(self) -> set[str]:
        """Their names."""
        with self._lock:
            return {run for run, batches in self._batches.items() if batches}

    @contextmanager
    def batch_of(self, run: str) -> Iterator[None]:
        """Within the body, a batch of a run is here."""
        self._count(run, 1)
        try:
            yield
        finally:
            self._count(run, -1)

    def _count(self, run: str, more: int) -> None:
        with self._lock:
            self._batches[run] += more
            self._batches += Counter()  # drops those of which there is none
