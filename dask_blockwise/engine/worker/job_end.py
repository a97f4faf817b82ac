"""When the job that a worker process is of ends, which batch systems tell in as many ways.

The job's script notes it as it begins. So a worker that was restarted within its job knows it too,
unlike Dask's ``--lifetime``, which counts from the start of each process.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

__all__ = ["JobEnd", "export_of", "job_end", "may_begin"]

_VARIABLE = "DASK_BLOCKWISE_JOB_ENDS"
# Shares of a job's time, and seconds that they are never more than: what is kept free at its end,
# and by how much jobs that began together end apart.
_FREE, _MOST_FREE = 0.1, 120
_STAGGER, _MOST_STAGGER = 0.1, 600
# A block may take somewhat longer than blocks do.
_CAUTION = 1.3


@dataclass(frozen=True)
class JobEnd:
    """When a job is to end by itself, and when the batch system ends it; in seconds since 1970."""

    planned: float
    limit: float

    def fits(self, seconds: float) -> bool:
        """Whether what takes so long may begin now."""
        now = time.time()
        return now < self.planned and now + _CAUTION * seconds < self.limit

    @property
    def seconds_left(self) -> float:
        """Until the planned end."""
        return self.planned - time.time()


def export_of(walltime: int) -> str:
    """A line of shell that notes when a job of so many seconds ends.

    Examples
    --------
    >>> print(export_of(3600).replace(" export", "\\nexport"))
    now=$(date +%s);
    export DASK_BLOCKWISE_JOB_ENDS="$((now + 3480 - RANDOM % 361)) $((now + 3600))"
    """
    free = min(_MOST_FREE, int(_FREE * walltime))
    stagger = min(_MOST_STAGGER, int(_STAGGER * walltime))
    # Shells without RANDOM count 0 for it.
    planned = f"$((now + {walltime - free} - RANDOM % {stagger + 1}))"
    return f'now=$(date +%s); export {_VARIABLE}="{planned} $((now + {walltime}))"'


def job_end() -> JobEnd | None:
    """That of this process's job; None where it is in none, or none that tells.

    Examples
    --------
    >>> job_end() is None
    True
    """
    try:
        planned, limit = map(float, os.environ.get(_VARIABLE, "").split())
    except ValueError:
        return None
    return JobEnd(planned, limit)


_begun = False


def may_begin(seconds: float) -> bool:
    """Whether a block that takes so long may begin in this process.

    The first may, though it fits into no job: else it would never be known how long it takes.
    """
    global _begun
    end = job_end()
    may = end is None or end.fits(seconds) or (not _begun and end.seconds_left > 0)
    _begun = _begun or may
    return may
