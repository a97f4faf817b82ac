"""Lets batches run side by side in a process, or one of them alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Gate"]


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
