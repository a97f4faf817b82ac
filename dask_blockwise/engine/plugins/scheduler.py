"""What a run leaves on the scheduler: a plugin that looks after its batches."""

from __future__ import annotations

import logging
import math
import time
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from distributed import Scheduler, SchedulerPlugin
from distributed.scheduler import WorkerState
from tornado.ioloop import PeriodicCallback

from .names import (
    forget_events,
    is_any_queued,
    most_sent,
    run_instead,
    send_at_most,
    worker_of,
)

__all__ = ["BlockTaskPlugin", "SentBefore", "silent_workers", "withdraw"]

# Of Dask.
_scheduler_logger = logging.getLogger("distributed.scheduler")

# A worker says every half second or so that it lives, unless all of its process stands still.
_SILENT_SECONDS = 10.0
# On which nannies tell of a worker that they are about to kill.
_KILLED_FOR_MEMORY = "worker-restart-memory"

# What queues on a scheduler comes out only where the saturation is finite.
_VAST = 1e6


class SentBefore(RuntimeError):
    """Dask was about to run a batch again; its argument is the worker that it was sent to."""


def _refuse(worker: str) -> None:
    raise SentBefore(worker)


def _is_worth_telling(run_id: str, record: logging.LogRecord) -> bool:
    """Whether the scheduler doesn't say of a batch that it failed: the run goes on with it."""
    key = record.args[0] if isinstance(record.args, tuple) and record.args else None
    is_batch = isinstance(key, tuple) and str(key[0]).endswith(run_id)
    return not (is_batch and "marked as failed" in str(record.msg))


class BlockTaskPlugin(SchedulerPlugin):
    """Looks after a run's batches on the scheduler.

    A batch is sent to a worker once: a worker's death, its retirement, or the loss of its result
    is reported to the run, which alone counts attempts, instead of the batch being run again. A
    worker that is overdue is restarted.

    Parameters
    ----------
    run_id
        End of the first part of the keys of the run's batches. Their last two parts are numbers of
        seconds: what a block may take, and after how many the batch is overdue.
    client
        Id of the run's client, with which the run ends.
    period
        Seconds between checks.
    """

    def __init__(self, run_id: str, client: str = "", period: float = 1.0) -> None:
        self.name = f"dask-blockwise-{run_id}"
        self._run_id = run_id
        self._client = client
        self._period = period

    async def start(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        _lent.setdefault(scheduler, most_sent(scheduler))
        # No batch waits on a worker, whose death it would share; all wait here.
        send_at_most(scheduler, 1.0)
        self._sent: dict[Any, float] = {}
        self._begun: dict[Any, float] = {}
        self._restarting: set[str] = set()
        self._quiet = partial(_is_worth_telling, self._run_id)
        _scheduler_logger.addFilter(self._quiet)
        self._check = PeriodicCallback(self._restart_overdue, self._period * 1000)
        self._check.start()

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        if not (isinstance(key, tuple) and str(key[0]).endswith(self._run_id)):
            return
        if finish == "processing":
            # By now the message to the worker is made, with what was here before.
            run_instead(self._scheduler.tasks[key], self._scheduler.allowed_failures, _refuse)
            self._sent[key] = time.time()
        elif start == "processing":
            self._sent.pop(key, None)
            self._begun.pop(key, None)

    def log_event(self, topic: str, msg: Any) -> None:
        """A batch's time counts from its first block, not while it queues or its task loads.

        The run is told of workers that nannies kill for memory.
        """
        if topic == f"{self.name}-begun":
            # By the clock here, as clocks of machines differ.
            self._begun[tuple(msg["key"])] = time.monotonic()
        elif topic == _KILLED_FOR_MEMORY and (worker := self._scheduler.workers.get(msg["worker"])):
            # A client has one handler a topic: that of nannies may be somebody else's.
            told = {"worker": worker.address, "had": msg["rss"], "allowed": worker.memory_limit}
            self._scheduler.log_event(self.name, {"killed": told})

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """Where the driver was killed, or the line to it broke, nobody else ends the run.

        Workers stop after their present block.
        """
        if client == self._client:
            self.end()
            scheduler.loop.add_callback(self._withdraw_from_workers)

    async def _withdraw_from_workers(self) -> None:
        with suppress(OSError, ValueError):
            await self._scheduler.unregister_worker_plugin(None, self.name)

    async def before_close(self) -> None:
        self._check.stop()

    def end(self) -> None:
        """Leave the scheduler, as it was before its first run if this is the last one."""
        _scheduler_logger.removeFilter(self._quiet)
        self._check.stop()
        self._scheduler.remove_plugin(self.name)
        plugins = self._scheduler.plugins.values()
        if not any(isinstance(plugin, BlockTaskPlugin) for plugin in plugins):
            most = _VAST if is_any_queued(self._scheduler) else math.inf
            send_at_most(self._scheduler, min(most, _lent.pop(self._scheduler)))

    async def _restart_overdue(self) -> None:
        for topic in (self.name, f"{self.name}-begun"):
            forget_events(self._scheduler, topic)
        # A restart may take longer than a period, and must not befall a worker twice.
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
        workers = {key: worker_of(self._scheduler.tasks[key]) for key in self._sent}
        return {
            worker.address
            for key, worker in workers.items()
            if worker is not None and (key in late or self._is_silent(key, worker))
        }

    def _is_silent(self, key: Any, worker: WorkerState) -> bool:
        """Whether a worker says nothing for longer than a block may keep it from doing so.

        Where its process stands still, its own timer does so too.
        """
        # Both in wall time, in which Dask keeps the former.
        since: float = max(worker.last_seen, self._sent[key])
        a_block: float = key[-2]
        return time.time() - since > a_block + _SILENT_SECONDS


# The worker saturation that schedulers had before the first of the runs that are on; the last of
# them gives it back, whichever that is.
_lent: WeakKeyDictionary[Scheduler, float] = WeakKeyDictionary()


def silent_workers(dask_scheduler: Scheduler) -> list[str]:
    """On the scheduler: addresses of the workers whose processes seem to stand still."""
    now = time.time()
    workers = dask_scheduler.workers.items()
    return [address for address, seen in workers if now - seen.last_seen > _SILENT_SECONDS]


def withdraw(name: str, dask_scheduler: Scheduler) -> None:
    """On the scheduler: end the plugin of that name."""
    plugin = dask_scheduler.plugins[name]
    if isinstance(plugin, BlockTaskPlugin):
        plugin.end()
