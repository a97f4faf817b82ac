"""Looks after a cluster's jobs: those that are lost are asked for again, in bounds.

Dask's clusters of specifications take a job for given once it is submitted: one that reaches its
walltime, or is cancelled, is missed by nobody.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from distributed import Scheduler, SchedulerPlugin, SpecCluster
from distributed.core import Status
from tornado.ioloop import PeriodicCallback

from .job import refusal_of
from .listing import Listing
from .lost import tell_of_lost, why_ended
from .queues import JobSeen, Phase, Queue

__all__ = ["JobsRefused", "Keeper", "keep", "keeper_of", "kept"]

_logger = logging.getLogger(__name__)

# Seconds between looks at which workers there are, and, where some are missing, between questions
# to the batch system: the first and the last, as they become rarer.
_LOOK_SECONDS = 1.0
_ASK_SECONDS = (2.0, 30.0)
# What it said so shortly before still holds: workers of many jobs may die together.
_FRESH_SECONDS = 0.3
# So many jobs in a row that end before a worker of theirs began are enough.
_FAILED_STARTS = 5


class JobsRefused(RuntimeError):
    """A batch system refuses what jobs ask for."""

    exit_code = 2


class _Roster(SchedulerPlugin):
    """Tells of each worker that joins."""

    name = "dask-blockwise-roster"

    def __init__(self, joined: Callable[[str, str], None]) -> None:
        self._joined = joined

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        self._joined(worker, str(scheduler.workers[worker].name))


class Keeper:
    """Looks after the jobs of a cluster for as long as that lives.

    Parameters
    ----------
    cluster
        One of dask-jobqueue.
    queue
        How its batch system is asked about jobs, if that is known.
    logs
        Where the output of jobs goes, for whoever looks for why they end.
    workers_timeout
        Seconds that a run may wait for a worker, if it has a limit.
    """

    def __init__(
        self,
        cluster: Any,
        queue: Queue | None,
        logs: str | None = None,
        workers_timeout: float | None = None,
    ) -> None:
        self.workers_timeout = workers_timeout
        # Why no job will ever run; empty as long as one may.
        self.refusal = ""
        self._cluster = cluster
        self._listing = Listing(queue)
        self._logs = logs
        self._joined: set[str] = set()
        # Which job each worker is, or was, of: its name passes on to the next job.
        self._jobs: dict[str, str] = {}
        self._failed_starts = 0
        self._waiting: Counter[str] = Counter()
        self._ask_seconds, self._asked = _ASK_SECONDS[0], -math.inf
        self._looking: PeriodicCallback | None = None

    def start(self) -> None:
        """Begin, in the cluster's event loop."""
        self._cluster.loop.add_callback(self._start)

    async def _start(self) -> None:
        for worker in self._cluster.scheduler.workers.values():
            self._join(worker.address, str(worker.name))
        self._cluster.scheduler.add_plugin(_Roster(self._join))
        self._looking = PeriodicCallback(self._look, 1000 * _LOOK_SECONDS)
        self._looking.start()

    def submit(self) -> None:
        """Wait until jobs that are asked for are submitted.

        Raises
        ------
        JobsRefused
            If the batch system refuses one; the cluster is closed then.
        """
        self._cluster.sync(self._submit)
        if refused := self._refused():
            self._cluster.close()
            raise JobsRefused(refused)

    async def _submit(self) -> None:
        await self._cluster
        self._note()

    def stop(self) -> None:
        """Look no longer; the cluster lives on."""
        if self._looking is not None and self._cluster.status == Status.running:
            self._cluster.loop.add_callback(self._looking.stop)

    @property
    def waiting(self) -> str:
        """What jobs wait for, in the batch system's words; empty where none does."""
        total = sum(self._waiting.values())
        if not total:
            return ""
        whys = [f"{n} for {why}" for why, n in self._waiting.most_common(3) if why]
        told = f" ({', '.join(whys)})" if whys else ""
        return f"{total} {'jobs wait' if total > 1 else 'job waits'}{told}"

    def job_of(self, address: str) -> str:
        """Id of the job that a worker belongs, or belonged, to; empty where it isn't known."""
        return self._jobs.get(address, "")

    @property
    def asks(self) -> bool:
        """Whether it knows how to ask the batch system."""
        return self._listing.can_ask

    def fate(self, address: str) -> JobSeen | None:
        """What became of the job that a worker was of, asked now; None where nothing is known."""
        if not self.job_of(address) or self._cluster.status != Status.running:
            return None
        self._cluster.sync(self._ask_again)
        return self._listing.seen(self.job_of(address))

    def _join(self, address: str, worker: str) -> None:
        self._note()
        name = self._job_name(worker)
        self._jobs[address] = self._listing.id(name)
        self._joined.add(name)
        self._failed_starts = 0

    def _forget(self) -> None:
        _keepers.pop(self._cluster, None)
        if self._looking is not None:
            self._looking.stop()

    async def _look(self) -> None:
        cluster = self._cluster
        if cluster.status != Status.running:
            self._forget()
            return
        self._note()
        here = {self._job_name(str(worker.name)) for worker in cluster.scheduler.workers.values()}
        missing = [name for name in cluster.worker_spec if name not in here]
        if not missing:
            self._waiting.clear()
            self._ask_seconds = _ASK_SECONDS[0]
        elif time.monotonic() - self._asked >= self._ask_seconds:
            self._asked = time.monotonic()
            self._ask_seconds = min(2 * self._ask_seconds, _ASK_SECONDS[1])
            await self._ask_about(missing)

    async def _ask_about(self, missing: list[str]) -> None:
        refused = self._refused()
        # Once it has taken some, it may take more later.
        if refused and (self._listing.is_empty or self._failed_starts >= _FAILED_STARTS):
            self._give_up(refused)
        self._failed_starts += bool(refused)
        lost = self._listing.ended(missing) if await self._listing.ask() else []
        self._tell(lost)
        if self._failed_starts >= _FAILED_STARTS and lost:
            self._give_up(self._no_start(lost[-1]))
        if not self.refusal:
            await self._submit_again(lost)
        seen = [self._listing.seen(self._listing.id(name)) for name in missing]
        self._waiting = Counter(s.reason for s in seen if s and s.phase is Phase.WAITS)

    def _note(self) -> None:
        for name, job in self._cluster.workers.items():
            if self._listing.add(name, str(job.job_id or "")):
                self._joined.discard(name)

    def _refused(self) -> str:
        """What the batch system said of a job that it refused; empty where it took all."""
        told = filter(None, map(refusal_of, self._cluster.workers.values()))
        return next((f"The batch system refuses a job:\n{refusal}" for refusal in told), "")

    def _give_up(self, refusal: str) -> None:
        if not self.refusal:
            self.refusal = refusal
            _logger.warning("No further jobs are asked for. %s", refusal)

    def _job_name(self, worker: str) -> str:
        """A job of several processes has a suffix for each."""
        if worker in self._cluster.worker_spec or worker in self._listing:
            return worker
        return worker.rpartition("-")[0]

    async def _ask_again(self) -> None:
        self._note()
        if time.monotonic() - self._listing.asked >= _FRESH_SECONDS:
            await self._listing.ask()

    def _why(self, name: str) -> str:
        return why_ended(self._listing.seen(self._listing.id(name)))

    def _tell(self, lost: list[str]) -> None:
        """Say which jobs were lost, and why."""
        tell_of_lost({self._listing.id(n): self._why(n) for n in lost if n in self._joined})
        for name in lost:
            if name not in self._joined:
                self._failed_starts += 1
                job, why = self._listing.id(name), self._why(name)
                _logger.warning("Job %s ended before a worker of it began (%s).", job, why)

    def _no_start(self, name: str) -> str:
        where = f" Their output is in {self._logs}." if self._logs else ""
        return (
            f"{self._failed_starts} jobs in a row ended before a worker of theirs began, the last "
            f"of them, {self._listing.id(name)}, with: {self._why(name)}.{where}"
        )

    async def _submit_again(self, lost: list[str]) -> None:
        """Have jobs submitted anew in the place of those that are lost, or were refused."""
        workers = self._cluster.workers
        refused = [name for name, job in workers.items() if refusal_of(job)]
        for name in [*lost, *refused]:
            # Not closed: there is nothing to cancel.
            workers.pop(name, None)
        if set(self._cluster.worker_spec) - set(workers):
            with suppress(Exception):
                await self._cluster
        if lost:
            self._ask_seconds = _ASK_SECONDS[0]


_keepers: WeakKeyDictionary[Any, Keeper] = WeakKeyDictionary()


def keeper_of(cluster: Any) -> Keeper | None:
    """The one that looks after a cluster's jobs, if one does."""
    return _keepers.get(cluster) if isinstance(cluster, SpecCluster) else None


def keep(cluster: Any, keeper: Keeper) -> None:
    """Have a cluster's jobs looked after from now on."""
    _keepers[cluster] = keeper
    keeper.start()


@contextmanager
def kept(cluster: Any, queue: Queue | None) -> Iterator[Keeper | None]:
    """Within the body, the jobs of a cluster are looked after, whoever made it.

    Parameters
    ----------
    cluster
        Any, or none.
    queue
        How its batch system is asked about jobs, if it is one of dask-jobqueue.
    """
    is_of_jobs = isinstance(cluster, SpecCluster) and getattr(cluster, "job_cls", None) is not None
    if keeper_of(cluster) is not None or not is_of_jobs:
        yield keeper_of(cluster)
        return
    keeper = Keeper(cluster, queue)
    keep(cluster, keeper)
    try:
        yield keeper
    finally:
        keeper.stop()
        _keepers.pop(cluster, None)
