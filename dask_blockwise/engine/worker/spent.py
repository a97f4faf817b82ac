"""What workers spend on blocks: how long they read, compute, write and wait, and how much moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

from dask.utils import format_bytes

from ...storage.traffic import Traffic, counted

__all__ = ["NOTHING", "Clock", "Spent", "in_all"]

# In blocks: of less, how processes began is most of it, and says nothing of a run.
_ENOUGH_SECONDS = 1.0
# Of all seconds: less of starting isn't worth a word.
_WORTH_A_WORD = 0.1


class Spent(NamedTuple):
    """What workers have spent on blocks, all of them together.

    The five kinds of seconds are all that a worker has from the moment when it knows of a run
    until its last block of it has ended. Blocks of processes that died aren't in it.

    Examples
    --------
    >>> one = Spent(seconds_reading=3.0, seconds_computing=1.0, bytes_read=8)
    >>> one.plus(one).seconds, one.bound_by
    (8.0, ('reading', 0.75))
    >>> print(one)
    Bound by reading: 75% (computing 25%, writing 0%, waiting 0%); 8 B read, 0 B written
    >>> print(one.plus(Spent(seconds_starting=4.0)))
    Bound by reading: 75% (computing 25%, writing 0%, waiting 0%), but for starting, which took 50%
    of workers' time; 8 B read, 0 B written
    >>> print(Spent(seconds_reading=0.1, seconds_waiting=0.7, bytes_read=8))
    8 B read, 0 B written
    """

    # In reads of arrays from stores, decoding included.
    seconds_reading: float = 0.0
    # All else that blocks do.
    seconds_computing: float = 0.0
    # In writes to arrays, encoding included, until the store has told what lies there.
    seconds_writing: float = 0.0
    # Between batches of blocks: for blocks that may run, for the scheduler and the driver, for a
    # store that was busy, to be alone in the process, and while a further task was loaded.
    seconds_waiting: float = 0.0
    # Before compression, as often as blocks asked for them.
    bytes_read: int = 0
    # Before compression.
    bytes_written: int = 0
    # Before a thread's first batch: until its process has imported and loaded what that needs, and
    # there is a block for it.
    seconds_starting: float = 0.0

    @property
    def by_name(self) -> dict[str, float]:
        """Its numbers by name."""
        return dict(zip(Spent.__annotations__, self, strict=True))

    @classmethod
    def of_names(cls, numbers: Mapping[str, Any]) -> Spent:
        """Of numbers by name.

        Raises
        ------
        KeyError, TypeError, ValueError
            If one isn't there, or is none.
        """
        # Each of the kind that it is where nothing was spent.
        kinds: dict[str, Any] = {name: type(none) for name, none in cls().by_name.items()}
        return cls(**{name: kind(numbers[name]) for name, kind in kinds.items()})

    @property
    def seconds_busy(self) -> float:
        """In blocks."""
        return self.seconds_reading + self.seconds_computing + self.seconds_writing

    @property
    def seconds(self) -> float:
        """In blocks, between them and before them."""
        return self.seconds_busy + self.seconds_waiting + self.seconds_starting

    @property
    def shares(self) -> dict[str, float]:
        """Of all seconds but those of starting, how much went into what, the most first."""
        kinds = {
            "reading": self.seconds_reading,
            "computing": self.seconds_computing,
            "writing": self.seconds_writing,
            "waiting": self.seconds_waiting,
        }
        ordered = sorted(kinds.items(), key=lambda kind: -kind[1])
        whole = sum(kinds.values())
        return {kind: seconds / whole if whole else 0.0 for kind, seconds in ordered}

    @property
    def is_telling(self) -> bool:
        """Whether it is enough to tell what a run was bound by."""
        return self.seconds_busy >= _ENOUGH_SECONDS

    @property
    def bound_by(self) -> tuple[str, float]:
        """What most seconds went into, and its share of them."""
        return next(iter(self.shares.items()))

    @property
    def bound_in_short(self) -> str:
        """The same for tables; a dash where it isn't enough to tell.

        Examples
        --------
        >>> Spent(3.0, 1.0).bound_in_short, Spent(0.3, 0.1).bound_in_short
        ('reading 75%', '-')
        """
        what, share = self.bound_by
        return f"{what} {share:.0%}" if self.is_telling else "-"

    def __str__(self) -> str:
        read, written = format_bytes(self.bytes_read), format_bytes(self.bytes_written)
        moved = f"{read} read, {written} written"
        if not self.is_telling:
            return moved
        (most, share), *others = self.shares.items()
        less = ", ".join(f"{kind} {part:.0%}" for kind, part in others)
        return f"Bound by {most}: {share:.0%} ({less}){self._started}; {moved}"

    @property
    def _started(self) -> str:
        part = self.seconds_starting / self.seconds
        if part < _WORTH_A_WORD:
            return ""
        return f", but for starting, which took {part:.0%} of workers' time"

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(
            self.seconds_reading + other.seconds_reading,
            self.seconds_computing + other.seconds_computing,
            self.seconds_writing + other.seconds_writing,
            self.seconds_waiting + other.seconds_waiting,
            self.bytes_read + other.bytes_read,
            self.bytes_written + other.bytes_written,
            self.seconds_starting + other.seconds_starting,
        )


NOTHING = Spent()


def in_all(each: Iterable[Spent]) -> Spent:
    """All of them together.

    Examples
    --------
    >>> in_all([Spent(1.0), Spent(2.0)]).seconds_reading
    3.0
    """
    return reduce(Spent.plus, each, NOTHING)


@dataclass
class _Batch:
    spent: Spent = NOTHING


class Clock:
    """Tells what each thread of a process spends on the batches of a run."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._mine = threading.local()

    @contextmanager
    def batch(self) -> Iterator[_Batch]:
        """A batch whose blocks run in the body; what they took is known when it ends."""
        batch, begin = _Batch(), time.perf_counter()
        last = getattr(self._mine, "end", None)
        waited = begin - (self._begin if last is None else last)
        try:
            with counted() as traffic:
                yield batch
        finally:
            self._mine.end = time.perf_counter()
            between = Spent(seconds_starting=waited)
            if last is not None:
                between = Spent(seconds_waiting=waited)
            batch.spent = _spent(traffic, self._mine.end - begin).plus(between)


def _spent(traffic: Traffic, busy: float) -> Spent:
    # Threads that work for one another count side by side.
    computing = max(0.0, busy - traffic.seconds_reading - traffic.seconds_writing)
    return Spent(
        seconds_reading=traffic.seconds_reading,
        seconds_computing=computing,
        seconds_writing=traffic.seconds_writing,
        bytes_read=traffic.bytes_read,
        bytes_written=traffic.bytes_written,
    )
