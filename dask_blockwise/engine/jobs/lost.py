"""What is said of jobs that ended though there was work for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from .queues import JobSeen

__all__ = ["tell_of_lost", "why_ended"]

_logger = logging.getLogger(__name__)

_NO_REASON = "no reason is given"
_LISTED = 5
# How SLURM and LSF say that a job's time was over while a block still ran.
_OUT_OF_TIME = ("TIMEOUT", "RUNLIMIT")
_MORE_TIME = (
    " A block ran as their time was over: give them more walltime, or choose smaller blocks."
)


def why_ended(seen: JobSeen | None) -> str:
    """Why a job ended, as the batch system has it.

    Examples
    --------
    >>> why_ended(None)
    'no reason is given'
    """
    return (seen and seen.reason) or _NO_REASON


def tell_of_lost(jobs: Mapping[str, str]) -> None:
    """Say which jobs were lost; what ends by itself, near its time limit, is no news.

    Parameters
    ----------
    jobs
        Why each ended, by the batch system's id of it.
    """
    together: dict[str, list[str]] = {}
    for job, why in jobs.items():
        together.setdefault(why, []).append(job)
    for why, lost in together.items():
        say = _logger.info if why in (_NO_REASON, "COMPLETED") else _logger.warning
        mend = _MORE_TIME if any(word in why for word in _OUT_OF_TIME) else ""
        if len(lost) == 1:
            say("Job %s is lost (%s); another is asked for.%s", lost[0], why, mend)
            continue
        more = f" and {len(lost) - _LISTED} more" if len(lost) > _LISTED else ""
        listed = ", ".join(lost[:_LISTED])
        say("Jobs %s%s are lost (%s); others are asked for.%s", listed, more, why, mend)
