"""How long blocks of a task take, and so how many of them make a batch."""

from __future__ import annotations

import math

from .worker.report import BatchReport

__all__ = ["Pace"]

# What a batch is to take. It begins no block after somewhat more. Where all so far were empty, or
# none has ended, the next may take any time.
_SECONDS, _SOMEWHAT_MORE, _UNKNOWN_SECONDS = 1.0, 1.5, 0.25
# Of those that are sent before any has ended.
_FIRST_BLOCKS = 8
# Of more workers they take longer: a scheduler of Dask's takes in some thousand tasks a second.
_BATCHES_A_SECOND = 500
# To send one for less isn't worth the while, if other workers get none.
_LEAST_SECONDS = 0.03
_MOST_BLOCKS = 2048
# Where blocks have a time limit: the scheduler knows only how long a whole batch may take.
_MOST_TIMED_BLOCKS = 32


class Pace:
    """How long blocks of a task take, and so how many of them make a batch.

    Parameters
    ----------
    timed
        Whether blocks have a time limit.

    Examples
    --------
    >>> pace = Pace(timed=False)
    >>> pace.blocks(ready=64, workers=2), pace.seconds(workers=2)
    (8, 0.25)
    """

    def __init__(self, timed: bool) -> None:
        self._most = _MOST_TIMED_BLOCKS if timed else _MOST_BLOCKS
        self._heard = False
        # What a block takes; None until the first has ended that wasn't empty.
        self.block_seconds: float | None = None

    def blocks(self, ready: int, workers: int) -> int:
        """Of how many blocks a batch is: so few that other workers get as many of those ready."""
        share = ready / (2 * workers)
        if self.block_seconds is None:
            first = self._most if self._heard else _FIRST_BLOCKS
            return max(1, int(min(first, share)))
        block = max(self.block_seconds, 1e-6)
        by_time = _for_all(_SECONDS, workers) / block
        return max(1, int(min(self._most, by_time, max(share, _LEAST_SECONDS / block))))

    def seconds(self, workers: int) -> float:
        """After which a batch begins none of its blocks any more."""
        if self.block_seconds is None:
            return _for_all(_UNKNOWN_SECONDS, workers)
        return _SOMEWHAT_MORE * _for_all(_SECONDS, workers)

    def batches(self, workers: int) -> float:
        """How many may be out at once: of the first ones, which may take long, one a worker."""
        return math.inf if self._heard else workers

    def measure(self, report: BatchReport) -> None:
        """Take in what a batch took."""
        self._heard = True
        # Empty ones take next to nothing, and tell nothing of others.
        run = len(report.done) - report.empty + len(report.skipped) + len(report.failures)
        if run and report.spent.seconds_busy:
            latest = report.spent.seconds_busy / run
            self.block_seconds = ((self.block_seconds or latest) + latest) / 2


def _for_all(seconds: float, workers: int) -> float:
    """So many seconds a batch, or as many more as the scheduler needs for so many workers."""
    return max(seconds, workers / _BATCHES_A_SECOND)
