"""What starts a worker process of this machine, and starts it again when it dies."""

from __future__ import annotations

import signal
import threading
from multiprocessing import resource_tracker
from typing import Any

from distributed import Nanny, Status

from .worker.allocator import memory_settings

__all__ = ["LocalNanny"]


class LocalNanny(Nanny):
    """One whose worker process keeps memory, and is started again only if it has ever run.

    Parameters
    ----------
    *args, **options
        As of Dask's.
    draws_pages : bool
        Whether the worker has a dashboard of its own beside the scheduler's: it takes a third of a
        second to start.
    """

    def __init__(self, *args: Any, draws_pages: bool = True, **options: Any) -> None:
        if not draws_pages:
            options["dashboard"] = False
        super().__init__(*args, **options)
        self._has_begun = self._has_run = False
        settings = memory_settings()
        self.pre_spawn_env |= settings
        self.env |= settings
        # Ctrl-C in a terminal reaches worker processes too, which it is the driver's to stop: those
        # that this thread starts are deaf to it from the first.
        if threading.current_thread() is not threading.main_thread():
            # Which, as it starts, has its thread hear signals again.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])

    async def instantiate(self) -> Status:
        """See `distributed.Nanny.instantiate`.

        Dask before 2026.8 starts a process again without end that can't even begin, as where it
        imports a script that would start a cluster itself.

        Raises
        ------
        RuntimeError
            If the first process of all ends before it runs.
        """
        if self._has_begun and not self._has_run:
            raise RuntimeError("a worker process ended before it ran, and so would another")
        self._has_begun = True
        status: Status = await super().instantiate()
        self._has_run |= status is Status.running
        if not self._has_run:
            raise RuntimeError("a worker process ended before it ran")
        return status
