"""One task within a run: which blocks go out next, what came back, how often each was tried."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Sequence

import numpy as np

from .bars import Bar
from .frontier import Frontier
from .pace import Pace
from .progress import TaskSummary
from .standing import Standing
from .task import Task
from .task_log import TaskLog
from .worker.client import Context
from .worker.failure import Failure
from .worker.report import BatchReport
from .worker.spent import NOTHING

__all__ = ["TaskState"]

# Before a block is tried again that could not read or write; 4 times as long each time.
_PAUSE_SECONDS, _LONGEST_PAUSE = 0.5, 30.0
# A block that is broken off so often, by what is no fault of its own, fails all the same: it may
# take longer than any job lasts, or be what ends the jobs.
_MOST_INTERRUPTIONS = 5
# Where some blocks may need no run, that is looked at for so many at once.
_LOOKED_AT = 4096
_LOST = Failure(
    "The worker of the block's batch was lost, and with its machine the record of whether it had "
    "begun the block."
)


class TaskState:
    """Counts of one task of a run.

    Parameters
    ----------
    task
        The task.
    index
        Its position in the frontier.
    frontier
        Which blocks of the run may run now.
    standing
        Which blocks need not run, and where those that ran are marked.
    bar
        Where progress is shown.
    log
        Where each failed attempt, and what blocks print, is written.
    context
        What the task's ``init_callback_fn`` is given.
    """

    def __init__(
        self,
        task: Task,
        index: int,
        frontier: Frontier,
        standing: Standing,
        bar: Bar,
        log: TaskLog,
        context: Context,
    ) -> None:
        self.task = task
        self.index = index
        self.running = 0
        self._frontier = frontier
        self._standing = standing
        self.bar = bar
        self._log = log
        self._context = context
        # Blocks that may run, and were found to need it.
        self._due: deque[int] = deque()
        self._settled = np.zeros(len(task.grid), bool)
        # Blocks that were tried, and are to run by themselves.
        self._again: deque[int] = deque()
        self._attempts: Counter[int] = Counter()
        # Blocks whose last failure may pass by itself.
        self._passing: set[int] = set()
        self._interruptions: Counter[int] = Counter()
        self._errors: dict[int, Failure] = {}
        self._failed: dict[int, Failure] = {}
        self.pace = Pace(timed=task.timeout is not None)
        self._spent = NOTHING
        self._peak_memory = 0
        self._corrupt: dict[str, None] = {}
        self._completed = self._skipped = self._empty = self._retries = 0
        self._begin = self._end = 0.0

    @property
    def begun(self) -> bool:
        """Whether a batch of it was ever taken."""
        return self._begin > 0

    @property
    def ready(self) -> int:
        """Blocks that run, or could run now."""
        return self.running + len(self._again) + self._waiting

    @property
    def _waiting(self) -> int:
        return len(self._due) + self._frontier.ready(self.index)

    @property
    def seconds_left(self) -> float:
        """What the blocks that are left take, at least as long as the first takes by now."""
        if not self.begun:
            return 0.0 if not self.ready else 1.0
        block = self.pace.block_seconds or time.monotonic() - self._begin
        return block * (len(self._settled) - np.count_nonzero(self._settled))

    def may_run(self, threads: int) -> bool:
        """Whether another batch of it may run now, where workers have so many threads."""
        most = min(self.task.num_workers or math.inf, self.pace.batches(threads))
        return self.running < most and bool(self._again or self._waiting)

    def next_batch(self, workers: int) -> list[int]:
        """Blocks to run next, one after the other in one process; none if none may run now."""
        if self._again:
            return [self._again.popleft()]
        size = self.pace.blocks(self._waiting, workers)
        self._look_for(size)
        if self._due:
            self._start()
        return [self._due.popleft() for _ in range(min(size, len(self._due)))]

    def _look_for(self, blocks: int) -> None:
        """Pass over blocks that need not run, until as many are found that do."""
        at_once = _LOOKED_AT if self._standing.any else blocks
        while len(self._due) < blocks and (numbers := self._frontier.take(self.index, at_once)):
            if self._standing.idle:
                self._due.extend(numbers)
                continue
            stands = self._standing.stands(numbers)
            self._due.extend(n for n, passed in zip(numbers, stands) if not passed)
            self._pass_over([n for n, passed in zip(numbers, stands) if passed])

    def alone(self, numbers: Sequence[int]) -> bool:
        """Whether blocks must have a process to themselves.

        All that run in a process when it dies lose an attempt, as any of them may be the cause.
        Nothing runs beside a block that has lost one, or has none to lose: so none ever fails
        because of another.
        """
        return self.task.max_retries == 0 or any(self._attempts[n] for n in numbers)

    def pause(self, numbers: Sequence[int]) -> float:
        """Seconds to wait before blocks run again, each time longer: a store may answer by then."""
        attempts = [self._attempts[n] for n in numbers if n in self._passing]
        pause = _PAUSE_SECONDS * 4.0 ** (max(attempts) - 1) if attempts else 0.0
        return min(pause, _LONGEST_PAUSE)

    def settle(self, report: BatchReport) -> bool:
        """Take in what became of a batch; whether any block got further."""
        self._end = time.monotonic()
        self.pace.measure(report)
        self._spent = self._spent.plus(report.spent)
        self._standing.spend(report.spent)
        self._peak_memory = max(self._peak_memory, report.peak_memory)
        self._corrupt.update(dict.fromkeys(report.corrupt))
        self._standing.mark(report.done, report.traces, report.skipped)
        self._empty += report.empty
        self._completed += len(report.done) - report.empty
        self._skipped += len(report.skipped)
        for number in report.done + report.skipped:
            self._release(number)
        failed = {number for number, _ in [*report.failures, *report.interrupted]}
        for number, text in report.printed:
            self._write_log(number, "printed", text, is_failure=number in failed)
        for number, failure in [*report.failures, *((number, _LOST) for number in report.lost)]:
            self._fail(number, failure)
        for number, reason in report.interrupted:
            self._interrupt(number, reason)
        self._due.extendleft(reversed(report.left))
        settled = len(report.done) + len(report.skipped)
        self.bar.update(settled, len(self._failed), self._retries, self._empty)
        self.say_progress()
        return bool(settled or report.failures or report.lost or report.interrupted)

    def say_progress(self, now: bool = False) -> None:
        """Say beside the ledger how far the task is, now and then."""
        done = self._completed + self._skipped + self._empty
        self._log.say(len(self.task.grid), done, len(self._failed), now)

    def close(self) -> None:
        """Say how far it is for the last time."""
        self.bar.close()
        self.say_progress(now=True)

    def summary(self) -> TaskSummary:
        """What became of the task's blocks."""
        unsettled = () if self._again or self.running else np.flatnonzero(~self._settled).tolist()
        return TaskSummary(
            task_id=self.task.task_id,
            title=self.task.title,
            blocks=len(self.task.grid),
            completed=self._completed,
            skipped=self._skipped,
            empty=self._empty,
            retries=self._retries,
            seconds=self._end - self._begin if self.begun else 0.0,
            spent=self._spent,
            spent_in_all=self._standing.spent_in_all or self._spent,
            bytes_needed=self.task.bytes_needed_by(self._completed),
            filled=self.task.filled,
            peak_memory=self._peak_memory,
            voxels_written=self.task.voxels_in(self._completed),
            failures=dict(self._failed),
            orphans=tuple(unsettled),
            corrupt=tuple(self._corrupt),
            log=str(self._log.path) if self._log.path.exists() else None,
            failure_log=str(self._log.failures) if self._log.failures.exists() else None,
        )

    def _start(self) -> None:
        if self.begun:
            return
        self._begin = time.monotonic()
        if self.task.init_callback_fn is not None:
            self.task.init_callback_fn(self._context)

    def _pass_over(self, numbers: Sequence[int]) -> None:
        """Blocks that stand as they are."""
        self._skipped += len(numbers)
        if not self._standing.count and numbers:
            self.bar.update(len(numbers), len(self._failed), self._retries, self._empty)
        for number in numbers:
            self._release(number)

    def _release(self, number: int) -> None:
        self._settled[number] = True
        self._errors.pop(number, None)
        self._frontier.done(self.index, number)

    def _fail(self, number: int, failure: Failure) -> None:
        self._write_log(number, "failed", str(failure))
        self._attempts[number] += 1
        self._errors.setdefault(number, failure)
        (self._passing.add if failure.may_pass else self._passing.discard)(number)
        if self._attempts[number] > self.task.max_retries:
            self._settled[number] = True
            self._failed[number] = self._errors[number]
        else:
            self._retries += 1
            self._again.append(number)

    def _interrupt(self, number: int, reason: str) -> None:
        """A block was broken off by what isn't its fault: it runs again, and is charged nothing."""
        self._write_log(number, "broken off", f"{reason}; no attempt is counted.")
        self._interruptions[number] += 1
        if self._interruptions[number] >= _MOST_INTERRUPTIONS:
            times = self._interruptions[number]
            self._settled[number] = True
            self._failed[number] = Failure(
                f"The block was broken off {times} times before it was done, the last time as "
                f"{reason}."
            )
            return
        self._again.append(number)

    def _write_log(self, number: int, event: str, text: str, is_failure: bool = True) -> None:
        self._log.write(number, self._attempts[number] + 1, event, text, is_failure)
