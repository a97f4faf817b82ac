"""A run as the cluster knows it: plugins that come with it, and that leave with it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from distributed import Client, Worker, WorkerPlugin

from .batch import close_run, forget_run, open_run
from .watchdog import BlockTaskPlugin, withdraw

__all__ = ["known_to_workers"]

# Seconds that workers get to hear that a run is over.
_STOP_SECONDS = 5.0
# Dask's profiler calls sys._current_frames, in which Python 3.11 may collect garbage under a lock
# that threads need to begin and end: all of the process then stands still, for good (CPython's
# issue 106883). Dask itself leaves its event loops there unprofiled, but not its workers.
_PROFILER_MAY_HANG = sys.version_info < (3, 12)


@contextmanager
def known_to_workers(client: Client, run_id: str, blobs: Sequence[bytes]) -> Iterator[None]:
    """Within the body, a run is known to the scheduler and to every worker; after it, to none.

    Parameters
    ----------
    client
        Of the cluster.
    run_id
        Name of the run.
    blobs
        The ``Work`` of each task, pickled.
    """
    worker_plugin, scheduler_plugin = _RunPlugin(run_id, blobs), BlockTaskPlugin(run_id)

    def forget() -> None:
        client.run(forget_run, run_id, on_error="ignore")
        client.run_on_scheduler(withdraw, scheduler_plugin.name)
        client.unregister_worker_plugin(worker_plugin.name)

    try:
        client.register_plugin(scheduler_plugin)
        _register(client, worker_plugin)
        yield
    finally:
        _try_for(_STOP_SECONDS, forget)
        forget_run(run_id)


class _RunPlugin(WorkerPlugin):
    """Makes the tasks of a run known to every worker process, also those that join later."""

    def __init__(self, run_id: str, blobs: Sequence[bytes]) -> None:
        self.name = f"dask-blockwise-{run_id}"
        self._run_id = run_id
        self._blobs = blobs

    def setup(self, worker: Worker) -> None:
        # A worker without a nanny may live in somebody's own process.
        owned = worker.nanny is not None
        if _PROFILER_MAY_HANG:
            _stop_profiler(worker)
        open_run(self._run_id, worker.address, self._blobs, owned)

    def teardown(self, worker: Worker) -> None:
        close_run(self._run_id)


def _stop_profiler(worker: Worker) -> None:
    # A worker that is joining has yet to start what is there.
    profiler = worker.periodic_callbacks.pop("profile", None)
    if profiler:
        profiler.stop()


def _set_up(plugin: _RunPlugin, dask_worker: Worker) -> None:
    plugin.setup(dask_worker)


def _register(client: Client, plugin: _RunPlugin) -> None:
    try:
        client.register_plugin(plugin)
    except OSError:
        # A worker died meanwhile. Those to come will know of the run; these may not have heard yet.
        client.run(_set_up, plugin, on_error="ignore")


def _try_for(seconds: float, action: Callable[[], Any]) -> None:
    """Do something that a busy worker may hold up, or a lost cluster make impossible."""

    def attempt() -> None:
        with suppress(Exception):
            action()

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
