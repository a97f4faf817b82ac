"""Lets batches run side by side in a process, or one of them alone; and knows whose run here."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Away", "Gate", "Inside"]

# Whether a thread waits for what only the threads of others can do.
Away = Callable[[threading.Thread], bool]
# Between looks whether one is; of that nobody tells.
_LOOK_SECONDS = 0.2


class Gate:
    """Any number may be inside together, or one that must be alone.

    One that must be alone waits for those inside, and lets nobody in before it. One that is inside
    and away holds up nobody.

    Examples
    --------
    >>> gate = Gate()
    >>> with gate.passed(alone=True):
    ...     print("no other is inside")
    no other is inside
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # Which threads are inside, and whether they must be alone.
        self._inside: dict[threading.Thread, bool] = {}
        self._loners_waiting = 0
        self._mine = threading.local()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is inside, or waits to be."""
        with self._changed:
            return not (self._inside or self._loners_waiting)

    @contextmanager
    def passed(self, alone: bool, away: Away = lambda thread: False) -> Iterator[None]:
        """Wait for admittance, and hold it for the body."""
        self._enter(alone, away)
        self._mine.entered = alone, away
        try:
            yield
        finally:
            self._mine.entered = None
            self._leave()

    @contextmanager
    def left(self) -> Iterator[None]:
        """Be outside for the body, and come in again; nothing to a thread that is outside."""
        entered: tuple[bool, Away] | None = getattr(self._mine, "entered", None)
        if entered is None:
            yield
            return
        self._leave()
        try:
            yield
        finally:
            self._enter(*entered)

    def _enter(self, alone: bool, away: Away) -> None:
        with self._changed:
            self._loners_waiting += alone
            while not self._admits(alone, away):
                self._changed.wait(_LOOK_SECONDS)
            self._loners_waiting -= alone
            self._inside[threading.current_thread()] = alone

    def _admits(self, alone: bool, away: Away) -> bool:
        there = [is_alone for thread, is_alone in self._inside.items() if not away(thread)]
        return not there if alone else not (self._loners_waiting or any(there))

    def _leave(self) -> None:
        with self._changed:
            del self._inside[threading.current_thread()]
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
