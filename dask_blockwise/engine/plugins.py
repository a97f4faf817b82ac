"""A run as the cluster knows it: plugins that come with it, and that leave with it."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from dask._task_spec import Task as DaskTask
from distributed import Client, Scheduler, SchedulerPlugin, Worker, WorkerPlugin
from distributed.scheduler import WorkerState
from tornado.ioloop import PeriodicCallback

from .worker.batch import close_run, forget_run, open_run

__all__ = ["BlockTaskPlugin", "SentBefore", "known_to_workers", "withdraw"]


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


# A worker says every half second or so that it lives, unless all of its process stands still.
_SILENT_SECONDS = 10.0


# What queues on a scheduler comes out only where the saturation is finite.
_VAST = 1e6


class SentBefore(RuntimeError):
    """Dask was about to run a batch again; its argument is the worker that it was sent to."""


def _refuse(worker: str) -> None:
    raise SentBefore(worker)


class BlockTaskPlugin(SchedulerPlugin):
    """Looks after a run's batches on the scheduler.

    A batch is sent to a worker once: a worker's death, its retirement, or the loss of its result
    is reported to the run, which alone counts attempts, instead of the batch being run again. A
    worker that is overdue is restarted.

    Parameters
    ----------
    run_id
        End of the first part of the keys of the run's batches; their last part is the number of
        seconds after which the batch is overdue.
    period
        Seconds between checks.
    """

    def __init__(self, run_id: str, period: float = 1.0) -> None:
        self.name = f"dask-blockwise-{run_id}"
        self._run_id = run_id
        self._period = period

    async def start(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        _lent.setdefault(scheduler, scheduler.WORKER_SATURATION)
        # No batch waits on a worker, whose death it would share; all wait here.
        scheduler.WORKER_SATURATION = 1.0
        self._sent: dict[Any, float] = {}
        self._begun: dict[Any, float] = {}
        self._restarting: set[str] = set()
        self._check = PeriodicCallback(self._restart_overdue, self._period * 1000)
        self._check.start()

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        if not (isinstance(key, tuple) and str(key[0]).endswith(self._run_id)):
            return
        if finish == "processing":
            task = self._scheduler.tasks[key]
            task.suspicious = self._scheduler.allowed_failures
            # By now the message to the worker is made, with what was here before.
            task.run_spec = DaskTask(key, _refuse, getattr(task.processing_on, "address", ""))
            self._sent[key] = time.time()
        elif start == "processing":
            self._sent.pop(key, None)
            self._begun.pop(key, None)

    def log_event(self, topic: str, msg: Any) -> None:
        """A batch's time counts from its first block, not while it queues or its task loads."""
        if topic == f"{self.name}-begun":
            self._begun[tuple(msg["key"])] = time.monotonic()

    async def before_close(self) -> None:
        self._check.stop()

    def end(self) -> None:
        """Leave the scheduler, as it was before its first run if this is the last one."""
        self._check.stop()
        self._scheduler.remove_plugin(self.name)
        plugins = self._scheduler.plugins.values()
        if not any(isinstance(plugin, BlockTaskPlugin) for plugin in plugins):
            most = _VAST if self._scheduler.queued else math.inf
            self._scheduler.WORKER_SATURATION = min(most, _lent.pop(self._scheduler))

    async def _restart_overdue(self) -> None:
        for topic in (self.name, f"{self.name}-begun"):
            self._scheduler._broker.truncate(topic)
        late = self._overdue() - self._restarting
        if not late:
            return
        self._restarting |= late
        try:
            await self._scheduler.restart_workers(
                sorted(late),
                wait_for_workers=False,
                on_error="return",
                stimulus_id=f"overdue-{time.time()}",
            )
        finally:
            self._restarting -= late

    def _overdue(self) -> set[str]:
        """Addresses of workers with a batch that has taken longer than it may."""
        now = time.monotonic()
        late = {key for key, begun in self._begun.items() if now - begun > key[-1]}
        workers = {key: self._scheduler.tasks[key].processing_on for key in self._sent}
        return {
            worker.address
            for key, worker in workers.items()
            if worker is not None and (key in late or self._is_silent(key, worker))
        }

    def _is_silent(self, key: Any, worker: WorkerState) -> bool:
        """Whether a worker fell silent before it could say that it began with a batch."""
        since: float = max(worker.last_seen, self._sent[key])
        allowed: float = key[-1] + _SILENT_SECONDS
        return time.time() - since > allowed


# The worker saturation that schedulers had before the first of the runs that are on.
_lent: WeakKeyDictionary[Scheduler, float] = WeakKeyDictionary()


def withdraw(name: str, dask_scheduler: Scheduler) -> None:
    """On the scheduler: end the plugin of that name."""
    plugin = dask_scheduler.plugins[name]
    if isinstance(plugin, BlockTaskPlugin):
        plugin.end()
