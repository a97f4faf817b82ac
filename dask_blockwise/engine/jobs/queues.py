"""What batch systems say of jobs: whether they wait, run or have ended, and why.

Each is asked by its own program, in a form that it documents for scripts. A system of which
nothing is known here is asked nothing: its jobs are known by their workers alone.
"""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["QUEUES", "JobSeen", "Phase", "Queue"]


class Phase(Enum):
    """How far a job is."""

    WAITS = auto()
    RUNS = auto()
    # The batch system doesn't say yet how it ends.
    ENDING = auto()
    ENDED = auto()


@dataclass(frozen=True)
class JobSeen:
    """What a batch system says of a job."""

    phase: Phase
    # In its own words; empty where it says nothing.
    reason: str = ""

    @property
    def was_for_memory(self) -> bool:
        """Whether it was ended for the memory that it took.

        Examples
        --------
        >>> JobSeen(Phase.ENDED, "OUT_OF_MEMORY").was_for_memory
        True
        """
        return bool(re.search("memory|memlimit|oom", self.reason, re.IGNORECASE))


@dataclass(frozen=True)
class Queue:
    """How a batch system is asked about jobs."""

    # The command, given the ids of the jobs.
    command: Callable[[Sequence[str]], Sequence[str]]
    # What it printed, as the jobs' ids and states.
    read: Callable[[str], Iterator[tuple[str, JobSeen]]]


def _phase(state: str, waiting: Sequence[str], running: Sequence[str]) -> Phase:
    if state in waiting:
        return Phase.WAITS
    return Phase.RUNS if state in running else Phase.ENDED


def _squeue(jobs: Sequence[str]) -> Sequence[str]:
    form = "--format=%i|%T|%r"
    return ["squeue", "--noheader", "--states=all", f"--user={getpass.getuser()}", form]


def _read_squeue(text: str) -> Iterator[tuple[str, JobSeen]]:
    """Lines such as ``12|PENDING|Resources`` and ``13|TIMEOUT|TimeLimit``.

    Examples
    --------
    >>> dict(_read_squeue("12|PENDING|Resources"))["12"].reason
    'Resources'
    """
    waiting = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD")
    running = ("RUNNING", "CONFIGURING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING")
    for line in text.splitlines():
        job, state, why = line.strip().split("|", 2)
        ending = state in ("COMPLETING", "STAGE_OUT")
        phase = Phase.ENDING if ending else _phase(state, waiting, running)
        why = why if why not in ("None", "") else ""
        told = why if phase is Phase.WAITS else ", ".join(filter(None, (state, why)))
        yield job, JobSeen(phase, told)


def _bjobs(jobs: Sequence[str]) -> Sequence[str]:
    form = "jobid stat pend_reason exit_reason delimiter='|'"
    return ["bjobs", "-a", "-noheader", "-o", form, *jobs]


def _read_bjobs(text: str) -> Iterator[tuple[str, JobSeen]]:
    waiting, running = ("PEND", "PSUSP", "WAIT"), ("RUN", "USUSP", "SSUSP", "UNKWN", "PROV")
    for line in text.splitlines():
        if line.count("|") < 3:
            continue  # of a job that it doesn't know any more
        job, state, pending, ended = (part.strip() for part in line.split("|", 3))
        phase = _phase(state, waiting, running)
        told = pending if phase is Phase.WAITS else ended
        yield job, JobSeen(phase, "" if told == "-" else told)


def _qstat_of_pbs(jobs: Sequence[str]) -> Sequence[str]:
    return ["qstat", "-x", "-f", *jobs]


def _read_qstat_of_pbs(text: str) -> Iterator[tuple[str, JobSeen]]:
    """Paragraphs that begin with ``Job Id: 12.server``, of lines ``name = value``."""
    # A long value goes on in a line that begins with a tab.
    for paragraph in re.split(r"^Job Id: *", text.replace("\n\t", ""), flags=re.MULTILINE)[1:]:
        job, _, rest = paragraph.partition("\n")
        said = dict(re.findall(r"^\s*(\w+) = (.*)$", rest, flags=re.MULTILINE))
        phase = _phase(said.get("job_state", ""), ("Q", "H", "W", "T"), ("R", "E", "S", "U", "B"))
        yield job.strip().partition(".")[0], JobSeen(phase, said.get("comment", "").strip())


def _qstat_of_sge(jobs: Sequence[str]) -> Sequence[str]:
    return ["qstat", "-u", getpass.getuser()]


def _read_qstat_of_sge(text: str) -> Iterator[tuple[str, JobSeen]]:
    """A table whose fifth column is the state; jobs that have ended are not in it."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 4 and words[0].isdigit():
            state = words[4]
            waits = "w" in state or state.startswith("E")
            yield words[0], JobSeen(Phase.WAITS if waits else Phase.RUNS, f"state {state}")


def _condor_q(jobs: Sequence[str]) -> Sequence[str]:
    return ["condor_q", *jobs, "-af:j", "JobStatus", "HoldReason"]


def _read_condor_q(text: str) -> Iterator[tuple[str, JobSeen]]:
    for line in text.splitlines():
        job, state, *why = line.split(maxsplit=2)
        phase = _phase(state, ("1", "5"), ("2", "6", "7"))
        yield job, JobSeen(phase, "" if why in ([], ["undefined"]) else why[0])


def _oarstat(jobs: Sequence[str]) -> Sequence[str]:
    return ["oarstat", "--json", "-u", getpass.getuser()]


def _read_oarstat(text: str) -> Iterator[tuple[str, JobSeen]]:
    waiting = ("Waiting", "Hold", "toAckReservation", "toLaunch")
    running = ("Launching", "Running", "Suspended", "Resuming", "Finishing")
    for job, said in json.loads(text or "{}").items():
        phase = _phase(said.get("state", ""), waiting, running)
        yield job, JobSeen(phase, said.get("message") or "")


_PBS = Queue(_qstat_of_pbs, _read_qstat_of_pbs)

# By the name of the cluster in dask-jobqueue.
QUEUES: Mapping[str, Queue] = {
    "SLURMCluster": Queue(_squeue, _read_squeue),
    "LSFCluster": Queue(_bjobs, _read_bjobs),
    "PBSCluster": _PBS,
    "MoabCluster": _PBS,
    "SGECluster": Queue(_qstat_of_sge, _read_qstat_of_sge),
    "HTCondorCluster": Queue(_condor_q, _read_condor_q),
    "OARCluster": Queue(_oarstat, _read_oarstat),
}
