"""What a run leaves in every worker process: its tasks."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from time import time

from distributed import Worker, WorkerPlugin
from distributed.core import Status

from ..worker.batch import close_run, end_process, is_held_by_a_past_run, is_idle, open_run
from ..worker.ending import Ending, ending_of_signal, on_termination
from ..worker.job_end import job_end
from ..worker.own_code import OwnCode
from .names import stop_profiler

__all__ = ["RunPlugin", "leave", "set_up"]

# Between looks whether the last block has ended.
_LEAVE_SECONDS = 0.1
# Windows has no more than one signal to end a process.
_AT_ONCE = getattr(signal, "SIGKILL", signal.SIGTERM)
# What the last block of a run that is over may take, once another run wants its thread.
_PAST_SECONDS = 5.0

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
        limit = worker.memory_manager.memory_limit if owned else None
        open_run(self._run_id, worker.address, self._blobs, self._code, owned, limit)
        if owned:
            on_termination(lambda: end_process(ending_of_signal(limit)))
            if is_held_by_a_past_run():
                worker.loop.call_later(_PAST_SECONDS, _end_if_held)
        end = job_end()
        if end is not None:
            worker.loop.call_later(max(0.0, end.seconds_left), leave, worker)

    def teardown(self, worker: Worker) -> None:
        if worker.status is not Status.running:
            end_process(Ending("its worker process was closed", True))
        close_run(self._run_id)


def _end_if_held() -> None:
    """End this process, which its nanny starts again, if a block that nobody wants holds it up.

    Python can't end a thread, and Dask sends batches to it that would wait for ever.
    """
    if is_held_by_a_past_run():
        end_process(Ending("its worker process was held up by a run that is over", True))
        os.kill(os.getpid(), _AT_ONCE)


async def leave(worker: Worker) -> None:
    """On a worker whose job ends: take no more batches, finish the blocks that run, and go."""
    if worker.status is not Status.running:
        return
    # The scheduler hears of it, and sends no more.
    worker.status = Status.closing_gracefully
    end_process(Ending("its job came to its planned end, below its time limit", True))
    while not is_idle():
        await asyncio.sleep(_LEAVE_SECONDS)
    why = "dask-blockwise-job-ends"
    await worker.scheduler.retire_workers(
        workers=[worker.address], remove=True, close_workers=False, stimulus_id=f"{why}-{time()}"
    )
    await worker.close(nanny=True, reason=why)


def set_up(plugin: RunPlugin, dask_worker: Worker) -> None:
    """On a worker: what registering a plugin does there."""
    plugin.setup(dask_worker)
