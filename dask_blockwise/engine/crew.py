"""The workers of a run: how many there are, what the run waits for, what became of one's job."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from distributed import Client
from distributed.comm.addressing import get_address_host

from .fits import check_fits
from .jobs.adaptive import want
from .jobs.keeper import keeper_of
from .jobs.queues import JobSeen, Phase
from .stopping import NoWorkers
from .task_state import TaskState
from .worker.failure import Failure
from .worker.memory import MENDS
from .worker.report import BatchReport

__all__ = ["Crew", "Fate", "judged"]

_logger = logging.getLogger(__name__)

# Seconds between looks at the cluster.
_LOOK_SECONDS = 2.0
# Seconds without any worker after which that is shown: one that starts again is soon back.
_SHOWN_SECONDS = 4.0
# After which it is a warning, and then again, where nothing is shown.
_LONELY_SECONDS = (15.0, 300.0)
# A worker is asked for where there is so much to do, in seconds.
_WORTH_SECONDS = 30.0


@dataclass(frozen=True)
class Fate:
    """What became of the job of a worker that died."""

    job: str
    seen: JobSeen

    @property
    def is_open(self) -> bool:
        """Whether the batch system may be about to say how the job ends."""
        return self.seen.phase in (Phase.RUNS, Phase.ENDING)


class Crew:
    """The workers of a run.

    Parameters
    ----------
    client
        Of their cluster.
    run_id
        Name of the run.
    workers_timeout
        Seconds that the run may wait while it has no worker; as the cluster has it unless given,
        and without end if that has none.
    shown
        Whether the tasks show what the run waits for; it is a warning if not.
    """

    def __init__(
        self,
        client: Client,
        run_id: str,
        workers_timeout: float | None = None,
        shown: bool = False,
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._shown = shown
        self._keeper = keeper_of(client.cluster)
        of_cluster = self._keeper.workers_timeout if self._keeper else None
        self._timeout = workers_timeout or of_cluster or math.inf
        self._hosts: set[str] = set()
        self._threads = 1
        self._fits = False
        self._look_again = -math.inf
        # That there were at once.
        self.most_threads = 1
        self._seen = self._said = time.monotonic()
        self._patience = _LONELY_SECONDS[0]

    def look(self, states: Sequence[TaskState]) -> int:
        """Follow a cluster that grows and shrinks.

        Parameters
        ----------
        states
            The tasks of the run, for which more workers are asked for if need be.

        Returns
        -------
        int
            Threads that workers have; 1 if there is no worker.

        Raises
        ------
        NoWorkers
            If there is none, and will be none, or was none for too long.
        ValueError
            If blocks don't fit the memory of the first that come.
        """
        now = time.monotonic()
        if now < self._look_again:
            return self._threads
        self._look_again = now + min(_LOOK_SECONDS, self._timeout / 4)
        threads = self._client.nthreads()
        self._hosts = {get_address_host(address) for address in threads}
        self._threads = max(1, sum(threads.values()))
        self.most_threads = max(self.most_threads, self._threads)
        want(self._client.cluster, self._run_id, _workers_worth(states))
        if threads:
            self._check_fits(states)
            self._seen, self._said, self._patience = now, now, _LONELY_SECONDS[0]
        else:
            self._wait(now)
        why = self._waits_for(now)
        for state in states:
            state.bar.wait(why, is_idle=not threads)
        return self._threads

    def leave(self) -> None:
        """The run is over."""
        want(self._client.cluster, self._run_id, 0)

    def has_worker_at(self, hosts: Sequence[str]) -> bool:
        """Whether a worker is there that could look at a machine's files."""
        return any(host in self._hosts for host in hosts)

    def fate(self, address: str) -> Fate | None:
        """What became of the job of a worker; None where that isn't known."""
        seen = self._keeper.fate(address) if self._keeper and address else None
        return Fate(self._keeper.job_of(address), seen) if self._keeper and seen else None

    def _check_fits(self, states: Sequence[TaskState]) -> None:
        """See what workers may have, once there are some: an adaptive cluster begins without."""
        if not self._fits:
            begun = any(state.begun for state in states)
            check_fits(self._client, [state.task for state in states], begun)
        self._fits = True

    def _waits_for(self, now: float) -> str:
        """Which jobs wait; that there is no worker, where that lasts."""
        jobs = self._keeper.waiting if self._keeper else ""
        if now == self._seen:
            return jobs
        if now - self._seen < _SHOWN_SECONDS:
            return ""
        return f"waits for workers: {jobs}" if jobs else "waits for workers"

    def _wait(self, now: float) -> None:
        waiting = self._keeper.waiting if self._keeper else ""
        refusal = self._keeper.refusal if self._keeper else ""
        kept = "Blocks in the ledger are kept, and the same call goes on from there."
        if refusal:
            raise NoWorkers(f"There is no worker, and there will be none. {refusal}\n{kept}")
        if now - self._seen > self._timeout:
            why = f": {waiting}" if waiting else ""
            raise NoWorkers(f"There was no worker for {self._timeout:g} seconds{why}. {kept}")
        if now - self._said > self._patience and not self._shown:
            _logger.warning("The run waits for workers%s.", f": {waiting}" if waiting else "")
            self._said, self._patience = now, _LONELY_SECONDS[1]


def _workers_worth(states: Sequence[TaskState]) -> int:
    """How many workers have enough to do."""
    wanted = 0
    for state in states:
        most = state.task.num_workers or math.inf
        wanted += int(min(most, state.ready, math.ceil(state.seconds_left / _WORTH_SECONDS)))
    return max(wanted, sum(state.running for state in states))


def judged(report: BatchReport, fate: Fate | None) -> BatchReport:
    """What became of a batch whose worker died, given what became of the worker's job."""
    if fate is not None and fate.seen.phase in (Phase.ENDING, Phase.ENDED):
        why = fate.seen.reason or "no reason is given"
        if fate.seen.was_for_memory:
            return report.blamed(
                Failure(f"Its job {fate.job} was ended for memory ({why}).", advice=MENDS)
            )
        reason = f"job {fate.job} ended ({why})"
        told = replace(report, interrupted=[(n, reason) for n, _ in report.interrupted])
        return told.excused(reason)
    return report
