"""What a run leaves in every worker process: its tasks."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from distributed import Worker, WorkerPlugin

from ..worker.batch import close_run, open_run
from ..worker.own_code import OwnCode
from .names import stop_profiler

__all__ = ["RunPlugin", "set_up"]

# Dask's profiler calls sys._current_frames, in which Python 3.11 may collect garbage under a lock
# that threads need to begin and end: all of the process then stands still, for good (CPython's
# issue 106883). Dask itself leaves its event loops there unprofiled, but not its workers.
_PROFILER_MAY_HANG = sys.version_info < (3, 12)


class RunPlugin(WorkerPlugin):
    """Makes the tasks of a run known to every worker process, also those that join later.

    Parameters
    ----------
    run_id
        Name of the run.
    blobs
        The ``Work`` of each task, pickled.
    code
        What they find by name.
    """

    def __init__(self, run_id: str, blobs: Sequence[bytes], code: OwnCode) -> None:
        self.name = f"dask-blockwise-{run_id}"
        self._run_id = run_id
        self._blobs = blobs
        self._code = code

    def setup(self, worker: Worker) -> None:
        # A worker without a nanny may live in somebody's own process.
        owned = worker.nanny is not None
        if _PROFILER_MAY_HANG:
            stop_profiler(worker)
        open_run(self._run_id, worker.address, self._blobs, self._code, owned)

    def teardown(self, worker: Worker) -> None:
        close_run(self._run_id)


def set_up(plugin: RunPlugin, dask_worker: Worker) -> None:
    """On a worker: what registering a plugin does there."""
    plugin.setup(dask_worker)
