"""A block past its time limit: its worker process is killed, even where it holds the GIL.

The first line is a timer in the worker process itself, kept by a C thread (faulthandler). The
second is a plugin on the scheduler, which has the worker restarted by its nanny.
"""

from __future__ import annotations

import faulthandler
import itertools
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any
from weakref import WeakKeyDictionary

from dask._task_spec import Task as DaskTask
from distributed import Scheduler, SchedulerPlugin
from distributed.scheduler import WorkerState
from tornado.ioloop import PeriodicCallback

__all__ = ["BlockTaskPlugin", "SentBefore", "deadline", "withdraw"]

# A worker says every half second or so that it lives, unless all of its process stands still.
_SILENT_SECONDS = 10.0
# What queues on a scheduler comes out only where the saturation is finite.
_VAST = 1e6


class _Deadlines:
    """The deadlines of a process's threads; the one timer that there is keeps the earliest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = itertools.count()
        self._pending: dict[int, tuple[float, IO[str]]] = {}

    def add(self, seconds: float, trace: IO[str]) -> int:
        with self._lock:
            token = next(self._tokens)
            self._pending[token] = (time.monotonic() + seconds, trace)
            self._arm()
        return token

    def remove(self, token: int) -> None:
        with self._lock:
            del self._pending[token]
            self._arm()

    def _arm(self) -> None:
        if not self._pending:
            faulthandler.cancel_dump_traceback_later()
            return
        due, trace = min(self._pending.values(), key=lambda pending: pending[0])
        left = max(0.001, due - time.monotonic())
        faulthandler.dump_traceback_later(left, exit=True, file=trace)


_deadlines = _Deadlines()


@contextmanager
def deadline(seconds: float, trace: IO[str]) -> Iterator[None]:
    """Kill this process if the body takes longer, leaving the stacks of its threads in a file.

    Parameters
    ----------
    seconds
        Time limit of the body.
    trace
        An open file with a file descriptor.
    """
    token = _deadlines.add(seconds, trace)
    try:
        yield
    finally:
        _deadlines.remove(token)


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
