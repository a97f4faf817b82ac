"""How worker processes get memory from the system: what is freed is kept for the next block.

Dask has glibc give memory back beyond 64 kB (``MALLOC_TRIM_THRESHOLD_``), which also keeps its
threshold for single mappings from growing: every large array is then mapped, and its pages zeroed,
anew. Arithmetic on blocks took 1.5 to 3 times as long, and so did networks on a CPU, whose arrays
are larger than what glibc has threads other than the first keep (``MALLOC_ARENA_MAX``).

At the end of a run, where little is left of what a worker may take, and between tasks unless it
takes but little of it, all that is free goes back.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress

import dask
import psutil

__all__ = ["KeptMemory", "memory_settings"]

# Arrays come from the one heap, whose top is given back where more than that is free.
_KEEP = {
    "MALLOC_ARENA_MAX": 1,
    "MALLOC_TRIM_THRESHOLD_": 1 << 32,
    "MALLOC_MMAP_THRESHOLD_": 1 << 31,
}
# Of what a worker may take: beyond that, nothing is kept (at 0.8 Dask has it pause), and beyond the
# second nothing from one task to the next: less isn't worth the time that pages take anew.
_FULL, _MUCH = 0.5, 0.1
# What Dask sets, where nobody has configured it.
_USUAL = {"MALLOC_TRIM_THRESHOLD_": 65536}


def memory_settings() -> Mapping[str, str]:
    """Variables for the environment of worker processes; none that a person has set.

    Examples
    --------
    >>> with dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1024}):
    ...     memory_settings()
    {}
    """
    configured = dask.config.get("distributed.nanny.pre-spawn-environ", None) or {}
    for name, size in _KEEP.items():
        # A nanny leaves in its own environment what it gave to its worker.
        nobodys = (None, str(size), str(_USUAL.get(name)))
        if os.environ.get(name) not in nobodys or configured.get(name) != _USUAL.get(name):
            return {}
    return {name: str(size) for name, size in _KEEP.items()}


class KeptMemory:
    """What a worker process keeps for its next block.

    Parameters
    ----------
    limit : float, optional
        Bytes that the process may take.
    """

    def __init__(self, limit: float | None = None) -> None:
        self._limit = limit
        self._task: Hashable = None

    @contextmanager
    def of_batch(self, task: Hashable) -> Iterator[None]:
        """Around a batch of a task: it begins without what another has left, where that is much."""
        if task != self._task:
            self._task = task
            if not self._limit or self._takes(_MUCH * self._limit):
                self.give_back()
        yield
        if self._limit and self._takes(_FULL * self._limit):
            self.give_back()

    @staticmethod
    def _takes(most: float) -> bool:
        return psutil.Process().memory_info().rss > most

    def give_back(self) -> None:
        """Give all that is free back to the system, where glibc is what has it."""
        with suppress(AttributeError, TypeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
