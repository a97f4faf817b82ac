"""Keeps a bounded window of batches on Dask, and takes in what comes back.

Batches come back as reports of a few numbers, so neither the driver nor Dask's scheduler holds
more at a million blocks than at a thousand.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from dask._task_spec import Task as DaskTask
from distributed import Client, Future, KilledWorker, get_worker

from .batch import BatchReport, read_journal, run_batch
from .task_state import TaskState

__all__ = ["Dispatcher"]

_Key = tuple[Any, ...]
_logger = logging.getLogger(__name__)

# What the scheduler grants a batch beyond its blocks' limits before it has the worker restarted.
_GRACE_SECONDS = 5.0
# Seconds between looks at how many threads the cluster has.
_CLUSTER_SECONDS = 2.0
# Seconds without any worker after which a warning says that the run waits.
_LONELY_SECONDS = 60.0
# Deaths of workers as they load a task, with no block done in between, that end a run.
_LOADING_DEATHS = 4
# How often a dead worker's journal is looked for, and how much sooner than blocks are run.
# Seconds that a report may come later than the end of its batch.
_REPORT_SECONDS = 1.0
_JOURNAL_TRIES = 3
_JOURNAL_PRIORITY = 100


class _Unreported(RuntimeError):
    """A batch is over and its report has not come."""

    def __init__(self, status: str, waited: bool = False) -> None:
        super().__init__(f"{status}, unreported")
        self.status, self.waited = status, waited


@dataclass(frozen=True)
class _Batch:
    """A batch that is out, or the search for the journal of one whose worker died."""

    state: TaskState
    numbers: list[int]
    name: str
    # Address of the worker that died with it, where its journal is looked for.
    died_on: str | None = None
    tries: int = 0


class Dispatcher:
    """Runs the blocks of some tasks until none may run any more.

    Parameters
    ----------
    client
        Where to run.
    run_id
        Name of the run that the workers know the tasks by.
    states
        The tasks, each after those upstream of it.
    """

    def __init__(self, client: Client, run_id: str, states: Sequence[TaskState]) -> None:
        self._client = client
        self._run_id = run_id
        self._states = states
        self._out: dict[_Key, tuple[_Batch, Future[Any]]] = {}
        self._topic = f"dask-blockwise-{run_id}"
        self._arrived: SimpleQueue[tuple[_Key, BatchReport | BaseException]] = SimpleQueue()
        self._names = map("batch-{}".format, count())
        self._keys = count()
        self._loading_deaths = 0
        self._threads = 1
        self._look_again = -math.inf
        self._seen_workers = time.monotonic()

    def go(self) -> None:
        """Run until no block may run any more.

        Raises
        ------
        RuntimeError
            If workers cannot run blocks at all, or the cluster dropped the run.
        """
        self._client.subscribe_topic(self._topic, self._hear)
        try:
            self._feed()
            while self._out:
                with suppress(Empty):
                    self._take_in(*self._arrived.get(timeout=_CLUSTER_SECONDS))
                while not self._arrived.empty():
                    self._take_in(*self._arrived.get())
                self._feed()
        finally:
            self._client.unsubscribe_topic(self._topic)

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """A report came, as an event: fetching results would wait for workers that just died."""
        _, content = event
        self._arrived.put((tuple(content["key"]), BatchReport(**content["report"])))

    def _finished(self, future: Future[Any]) -> None:
        """Dask says that a batch is over: the report of one that went well came before."""
        failed = future.status == "error"
        error: Any = future.exception() if failed else _Unreported(str(future.status))
        key: Any = future.key
        self._arrived.put((key, error))

    def _feed(self) -> None:
        """Fill the window, downstream tasks first, while what they read is fresh."""
        self._look_at_cluster()
        window = 2 * self._threads + 2
        batches: list[_Batch] = []
        while len(self._out) + len(batches) < window:
            state = next((s for s in reversed(self._states) if s.may_run), None)
            if state is None:
                break
            numbers = state.next_batch(min(self._threads, state.task.num_workers or window))
            if numbers:
                state.running += 1
                batches.append(_Batch(state, numbers, next(self._names)))
        self._send(batches)

    def _look_at_cluster(self) -> None:
        """Follow a cluster that grows and shrinks."""
        now = time.monotonic()
        if now < self._look_again:
            return
        threads = sum(self._client.nthreads().values())
        if threads:
            self._seen_workers = now
        elif now - self._seen_workers > _LONELY_SECONDS:
            _logger.warning("The cluster has no workers; the run waits for some.")
            self._seen_workers = now
        self._threads = max(1, threads)
        self._look_again = now + _CLUSTER_SECONDS

    def _send(self, batches: Sequence[_Batch], priority: int = 0) -> None:
        """One message for all of them; each queues on the scheduler rather than on a worker."""
        if not batches:
            return
        keys = {self._key(batch): batch for batch in batches}
        graph = {key: self._dask_task(key, batch) for key, batch in keys.items()}
        futures = self._client.get(graph, list(graph), sync=False, priority=priority)
        for future in futures:
            self._out[future.key] = keys[future.key], future
            future.add_done_callback(self._finished)

    def _key(self, batch: _Batch) -> _Key:
        """Dask shows its first part; the scheduler's plugin knows the run and the limit by it."""
        name = f"{batch.state.task.task_id}-{self._run_id}"
        return name, next(self._keys), _seconds_allowed(batch)

    def _dask_task(self, key: _Key, batch: _Batch) -> DaskTask:
        what: tuple[Any, ...] = (run_batch, self._run_id, batch.state.index)
        if batch.died_on is not None:
            what = (read_journal, self._run_id, batch.died_on)
        arguments = (*what, batch.numbers, batch.name)
        return DaskTask(key, _report, self._topic, list(key), *arguments, _data_producer=True)

    def _take_in(self, key: _Key, outcome: BatchReport | BaseException) -> None:
        if key not in self._out:
            return  # its report came before
        if isinstance(outcome, _Unreported) and not outcome.waited:
            # Dask may tell the end of a batch before it passes its report on.
            late = key, _Unreported(outcome.status, waited=True)
            threading.Timer(_REPORT_SECONDS, self._arrived.put, [late]).start()
            return
        batch, future = self._out.pop(key)
        future.release()
        if isinstance(outcome, _Unreported) and batch.tries < _JOURNAL_TRIES:
            self._send([replace(batch, tries=batch.tries + 1)])
        elif isinstance(outcome, BatchReport):
            self._settle(batch, outcome)
        elif isinstance(outcome, KilledWorker):
            self._look_for_journal(batch, outcome.last_worker.address)
        else:
            raise RuntimeError(
                f"A batch of task {batch.state.task.task_id!r} could not be run at all: "
                f"{outcome!r}. See that the workers run and have the same packages as this "
                "process; blocks in the ledger are kept."
            ) from outcome

    def _look_for_journal(self, batch: _Batch, address: str) -> None:
        """A worker died: its journal knows which block it ran; lacking that, none is blamed."""
        if batch.tries < _JOURNAL_TRIES:
            died_on = batch.died_on or address
            self._send([replace(batch, died_on=died_on, tries=batch.tries + 1)], _JOURNAL_PRIORITY)
        else:
            self._settle(batch, BatchReport(left=batch.numbers, known=False))

    def _settle(self, batch: _Batch, report: BatchReport) -> None:
        batch.state.running -= 1
        if not report.known and len(report.left) == 1:
            report = BatchReport(failures=[(report.left[0], "The worker process died.")])
        further = batch.state.settle(report)
        self._loading_deaths = 0 if further else self._loading_deaths + report.died_loading
        if self._loading_deaths >= _LOADING_DEATHS:
            raise RuntimeError(
                f"Worker processes keep dying before they begin a block of task "
                f"{batch.state.task.task_id!r}: {self._loading_deaths} times in a row. Loading its "
                "process function crashes them, or takes more memory than they may have; see the "
                "workers' logs."
            )


def _report(topic: str, key: list[Any], work: Callable[..., BatchReport], *args: Any) -> None:
    """On a worker: do something and send the report of it as an event."""
    get_worker().log_event(topic, {"key": key, "report": vars(work(*args))})


def _seconds_allowed(batch: _Batch) -> float:
    timeout = batch.state.task.timeout
    if timeout is None or batch.died_on is not None:
        return math.inf
    return timeout * len(batch.numbers) + _GRACE_SECONDS
