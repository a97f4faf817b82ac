"""How worker processes get memory from the system: what is freed is kept for the next array.

Dask has glibc give memory back beyond 64 kB (``MALLOC_TRIM_THRESHOLD_``), which also keeps its
threshold for single mappings from growing: every large array is then mapped, and its pages zeroed,
anew. Arithmetic on blocks took 1.5 to 3 times as long.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Nanny

__all__ = ["KeepingNanny", "memory_settings"]

# Arrays of blocks come from the heap, whose top is given back where more than that is free.
_KEEP = {"MALLOC_TRIM_THRESHOLD_": 1 << 28, "MALLOC_MMAP_THRESHOLD_": 1 << 27}
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


class KeepingNanny(Nanny):
    """One whose worker process keeps memory."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        settings = memory_settings()
        self.pre_spawn_env |= settings
        self.env |= settings
        # Ctrl-C in a terminal reaches worker processes too, which it is the driver's to stop: those
        # that this thread starts are deaf to it from the first.
        if threading.current_thread() is not threading.main_thread():
            # Which, as it starts, has its thread hear signals again.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
