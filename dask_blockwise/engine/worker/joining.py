"""A process that joins a cluster as one worker, beside what it does itself."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from distributed import Worker

__all__ = ["join_cluster"]

_logger = logging.getLogger(__name__)

# Seconds that a process looks for the cluster that it was told to join.
_JOIN_SECONDS = 30.0


def join_cluster(scheduler: str, left: Callable[[], None]) -> None:
    """Make this process a worker of a cluster, beside what it does itself, for as long as it lives.

    Parameters
    ----------
    scheduler
        Address of the scheduler, such as ``"tcp://10.0.0.1:8786"``.
    left
        Called when the cluster is gone, or was before.
    """
    joined = threading.Event()

    def work() -> None:
        try:
            asyncio.run(_work(scheduler, joined))
        except TimeoutError:
            _logger.warning("No scheduler answers at %s: the run is over.", scheduler)
        finally:
            left()
            joined.set()

    threading.Thread(target=work, daemon=True).start()
    joined.wait()


async def _work(scheduler: str, joined: threading.Event) -> None:
    async with Worker(scheduler, nthreads=1, death_timeout=_JOIN_SECONDS) as worker:
        joined.set()
        await worker.finished()
