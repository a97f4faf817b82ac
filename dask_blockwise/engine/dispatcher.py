"""Keeps a bounded window of batches on Dask, and takes in what comes back.

Batches come back as reports of a few numbers, so neither the driver nor Dask's scheduler holds
more at a million blocks than at a thousand.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.comm.addressing import get_address_host

from .arrivals import Arrivals, Key
from .crew import Crew, judged
from .memory_deaths import MemoryDeaths
from .plugins.names import queueable
from .plugins.scheduler import SentBefore
from .reporting import run_and_report, search_and_report
from .task_state import TaskState
from .worker.batch import Batch
from .worker.journal import post_mortem
from .worker.own_code import OtherCodeError
from .worker.report import BatchReport

__all__ = ["Dispatcher"]

_logger = logging.getLogger(__name__)

# What the scheduler grants a batch beyond its blocks' limits before it has the worker restarted.
_GRACE_SECONDS = 5.0
# Seconds without a report after which the cluster is looked at all the same.
_CLUSTER_SECONDS = 1.0
# Deaths of workers as they load a task, with no block done in between, that end a run.
_LOADING_DEATHS = 4
# Seconds that a report may come later than the end of its batch.
_REPORT_SECONDS = 1.0
# How often a dead worker's journal is searched for on its machine, how long that may wait for
# another worker there, and how much sooner than blocks it runs.
_SEARCHES = 3
_SEARCH_SECONDS = 60.0
_SEARCH_PRIORITY = 1000
# How often, and after how many seconds each, it is asked again how a job ends whose worker died;
# where only the process did, the job goes on.
_QUESTIONS, _QUESTIONS_OF_DEATHS = 10, 2
_QUESTION_SECONDS = 1.0


class _Over(Exception):
    """Dask says that a batch is over."""


class _Dropped(Exception):
    """Dask says that it has given a batch up, as it does with all when its scheduler goes."""


class _Unreported(Exception):
    """It has been over for a while and its report has not come."""


class _Unjudged(Exception):
    """It wasn't known yet what became of the job of its worker; its argument is the report."""


@dataclass(frozen=True)
class _Sent:
    """A batch that is out, or the search for the journal of one whose worker died."""

    state: TaskState
    batch: Batch
    # Address of the worker that died with it.
    died_on: str | None = None
    # How often its journal was searched for on that worker's machine.
    searches: int = 0
    # How often it was asked what became of that worker's job.
    asked: int = 0


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
    crew
        The workers there are.
    """

    def __init__(
        self, client: Client, run_id: str, states: Sequence[TaskState], crew: Crew
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._states = states
        self._out: dict[Key, tuple[_Sent, Future[Any] | None]] = {}
        self._topic = f"dask-blockwise-{run_id}"
        self._arrived = Arrivals()
        self._names = map("batch-{}".format, count())
        self._keys = count()
        self._loading_deaths = 0
        self._memory = MemoryDeaths()
        self._crew = crew

    def go(self) -> None:
        """Run until no block may run any more.

        Raises
        ------
        RuntimeError
            If workers cannot run blocks at all, or the cluster dropped the run.
        """
        self._client.subscribe_topic(self._topic, self._hear)
        try:
            self._go()
        except Exception as error:
            if self._connected and not isinstance(error, _Dropped):
                raise
            raise RuntimeError(
                "The cluster dropped the run: its scheduler was closed or restarted, or its job or "
                "machine is gone. Blocks in the ledger are kept: start a cluster, make a new "
                "client of it, and the same call goes on from there."
            ) from error
        finally:
            if self._connected:
                self._client.unsubscribe_topic(self._topic)
                for _, future in self._out.values():
                    if future is not None:  # which somebody may keep with a traceback
                        future.release()

    def stop(self, stop: BaseException) -> None:
        """Let ``go`` raise an error as soon as it waits; a handler of a signal may call this."""
        self._arrived.stop(stop)

    @property
    def _connected(self) -> bool:
        return bool(self._client.status == "running")

    def _go(self) -> None:
        self._feed()
        while self._out:
            for key, outcome in self._arrived.wait(_CLUSTER_SECONDS):
                self._take_in(key, outcome)
            self._feed()

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """A report came, as an event: fetching results would wait for workers that just died."""
        _, content = event
        if "killed" in content:
            self._memory.hear(**content["killed"])
            return
        self._arrived.put(tuple(content["key"]), BatchReport(**content["report"]))

    def _finished(self, future: Future[Any]) -> None:
        """Dask says that a batch is over: the report of one that went well came before."""
        key: Any = future.key
        if future.status == "error":
            self._arrived.put(key, future.exception())
        elif future.status == "cancelled":
            self._arrived.put(key, _Dropped())
        else:
            self._arrived.put(key, _Over())

    def _feed(self) -> None:
        """Fill the window, downstream tasks first, while what they read is fresh."""
        threads = self._crew.look(self._states)
        window = 2 * threads + 2
        while len(self._out) < window:
            state = next((s for s in reversed(self._states) if s.may_run(threads)), None)
            if state is None:
                break
            workers = min(threads, state.task.num_workers or threads)
            if numbers := state.next_batch(workers):
                state.running += 1
                batch = self._batch(state, numbers, state.pace.seconds(workers))
                self._send(_Sent(state, batch), priority=state.index)

    def _batch(self, state: TaskState, numbers: list[int], seconds: float) -> Batch:
        alone, pause = state.alone(numbers), state.pause(numbers)
        how = next(self._names), alone, seconds, state.pace.block_seconds or 0.0, pause
        return Batch(self._run_id, state.index, numbers, *how)

    def _send(self, sent: _Sent, **options: Any) -> Key:
        """Queue on the scheduler, after all of the same priority: within one graph, Dask sorts."""
        key = self._key(sent)
        action = partial(search_and_report, sent.died_on or "") if sent.searches else run_and_report
        graph = {key: queueable(key, action, self._topic, list(key), sent.batch)}
        # What is sent within this timeout counts as one graph.
        (future,) = self._client.get(graph, [key], sync=False, fifo_timeout=0, **options)
        self._out[key] = sent, future
        future.add_done_callback(self._finished)
        return key

    def _key(self, sent: _Sent) -> Key:
        """Dask shows its first part; the scheduler's plugin knows the run and limits by it."""
        name = f"{sent.state.task.task_id}-{self._run_id}"
        return name, next(self._keys), *_seconds_allowed(sent)

    def _take_in(self, key: Key, outcome: BatchReport | BaseException) -> None:
        if key not in self._out:
            return  # its report came before
        if isinstance(outcome, _Over):
            self._arrived.put_later(_REPORT_SECONDS, key, _Unreported())
            return
        sent, future = self._out.pop(key)
        if future is not None:
            future.release()
        if isinstance(outcome, BatchReport):
            self._settle(sent, outcome)
        elif isinstance(outcome, KilledWorker):
            self._look_for_journal(sent, outcome.last_worker.address)
        elif isinstance(outcome, (SentBefore, _Unreported)):
            self._look_for_journal(sent, *outcome.args)
        elif isinstance(outcome, _Unjudged):
            self._judge(sent, *outcome.args)
        elif isinstance(outcome, TimeoutError) and sent.searches:
            self._look_for_journal(sent)
        elif isinstance(outcome, (_Dropped, OtherCodeError)):
            raise outcome
        else:
            raise _not_run(sent, outcome) from outcome

    def _look_for_journal(self, sent: _Sent, address: str = "") -> None:
        """A batch ended without a report: its journal knows which of its blocks ran.

        It is searched for here, and then on the machine of the worker. Where it is lost, every
        block of the batch may have run once.
        """
        sent = replace(sent, died_on=sent.died_on or address)
        batch, died_on = sent.batch, sent.died_on or ""
        report = post_mortem(self._run_id, died_on, batch.name, batch.numbers)
        hosts = [get_address_host(died_on)] if died_on else []
        if sent.searches == _SEARCHES or not (report.lost and self._crew.has_worker_at(hosts)):
            self._judge(sent, report)
            return
        search = replace(sent, searches=sent.searches + 1)
        key = self._send(search, priority=_SEARCH_PRIORITY, workers=hosts)
        self._arrived.put_later(_SEARCH_SECONDS, key, TimeoutError())

    def _judge(self, sent: _Sent, report: BatchReport) -> None:
        """Settle a batch whose worker died, by what is known of why it did."""
        if report.died or report.lost or report.interrupted:
            address = sent.died_on or ""
            fate = self._crew.fate(address)
            most = _QUESTIONS if report.interrupted or report.lost else _QUESTIONS_OF_DEATHS
            may_be_told = fate is not None and fate.is_open and sent.asked < most
            if may_be_told or not (sent.asked or self._memory.is_clear(report, address)):
                key = self._key(sent)
                self._out[key] = replace(sent, asked=sent.asked + 1), None
                self._arrived.put_later(_QUESTION_SECONDS, key, _Unjudged(report))
                return
            planned = sent.state.task.memory
            report = self._memory.explained(report, address, sent.batch.alone, planned)
            report = judged(report, fate)
        self._settle(sent, report)

    def _settle(self, sent: _Sent, report: BatchReport) -> None:
        sent.state.running -= 1
        further = sent.state.settle(report)
        self._loading_deaths = 0 if further else self._loading_deaths + report.died_loading
        if self._loading_deaths >= _LOADING_DEATHS:
            raise RuntimeError(
                f"Worker processes keep dying before they begin a block of task "
                f"{sent.state.task.task_id!r}: {self._loading_deaths} times in a row. Loading its "
                "process function crashes them or takes more memory than they have: see their logs."
            )


def _not_run(sent: _Sent, error: BaseException) -> RuntimeError:
    """A batch failed outside of its blocks."""
    why = f"A batch of task {sent.state.task.task_id!r} could not be run at all"
    if isinstance(error, OSError) and error.strerror:
        return RuntimeError(f"{why}. {error.strerror}: the same call goes on from there.")
    return RuntimeError(
        f"{why}: {error!r}. Either its process function can't be made where the workers are, or "
        "they don't run or have other packages than this process; blocks in the ledger are kept."
    )


def _seconds_allowed(sent: _Sent) -> tuple[float, float]:
    """What a block may take, and all of the batch."""
    timeout = sent.state.task.timeout
    if timeout is None or sent.died_on is not None:
        return math.inf, math.inf
    return timeout, timeout * len(sent.batch.numbers) + _GRACE_SECONDS
