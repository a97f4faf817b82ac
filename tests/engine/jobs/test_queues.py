"""What batch systems print about jobs, in the forms that their manuals give."""

from __future__ import annotations

import pytest

from dask_blockwise.engine.jobs.queues import QUEUES, JobSeen, Phase

WAITS, RUNS, ENDING, ENDED = Phase.WAITS, Phase.RUNS, Phase.ENDING, Phase.ENDED

PRINTED = {
    "SLURMCluster": (
        """12|PENDING|Resources
13|RUNNING|None
14|TIMEOUT|TimeLimit
15|COMPLETING|None
16|OUT_OF_MEMORY|OutOfMemory
17|CANCELLED|None
""",
        {
            "12": JobSeen(WAITS, "Resources"),
            "13": JobSeen(RUNS, "RUNNING"),
            "14": JobSeen(ENDED, "TIMEOUT, TimeLimit"),
            "15": JobSeen(ENDING, "COMPLETING"),
            "16": JobSeen(ENDED, "OUT_OF_MEMORY, OutOfMemory"),
            "17": JobSeen(ENDED, "CANCELLED"),
        },
    ),
    "LSFCluster": (
        """12|PEND|Job's requirement for exclusive execution not satisfied: 2 hosts;|-
13|RUN|-|-
14|EXIT|-|TERM_RUNLIMIT: job killed after reaching LSF run time limit
15|EXIT|-|TERM_MEMLIMIT: job killed after reaching LSF memory usage limit
Job <16> is not found
""",
        {
            "12": JobSeen(
                WAITS, "Job's requirement for exclusive execution not satisfied: 2 hosts;"
            ),
            "13": JobSeen(RUNS),
            "14": JobSeen(ENDED, "TERM_RUNLIMIT: job killed after reaching LSF run time limit"),
            "15": JobSeen(ENDED, "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit"),
        },
    ),
    "PBSCluster": (
        """Job Id: 12.server
    Job_Name = fib25
    job_state = Q
    comment = Not Running: Insufficient amount of resource: ncpus (R: 64 A: 8 T
\t: 8)

Job Id: 13.server
    job_state = R
    comment = Job run at Mon Jan 05 at 10:00 on (node1:ncpus=1)

Job Id: 14.server
    job_state = F
    Exit_status = -29
    comment = job killed: walltime 70 exceeded limit 60
""",
        {
            "12": JobSeen(
                WAITS, "Not Running: Insufficient amount of resource: ncpus (R: 64 A: 8 T: 8)"
            ),
            "13": JobSeen(RUNS, "Job run at Mon Jan 05 at 10:00 on (node1:ncpus=1)"),
            "14": JobSeen(ENDED, "job killed: walltime 70 exceeded limit 60"),
        },
    ),
    "SGECluster": (
        """job-ID  prior   name       user         state submit/start at     queue   slots
-------------------------------------------------------------------------------
     12 0.00000 fib25      me           qw    01/05/2026 10:00:00             1
     13 0.55500 fib25      me           r     01/05/2026 10:00:02 all.q@node1 1
     14 0.55500 fib25      me           Eqw   01/05/2026 10:00:02             1
""",
        {
            "12": JobSeen(WAITS, "state qw"),
            "13": JobSeen(RUNS, "state r"),
            "14": JobSeen(WAITS, "state Eqw"),
        },
    ),
    "HTCondorCluster": (
        """12.0 1 undefined
13.0 2 undefined
14.0 5 Error from slot1@node1: memory usage exceeded request_memory
15.0 3 undefined
""",
        {
            "12.0": JobSeen(WAITS),
            "13.0": JobSeen(RUNS),
            "14.0": JobSeen(WAITS, "Error from slot1@node1: memory usage exceeded request_memory"),
            "15.0": JobSeen(ENDED),
        },
    ),
    "OARCluster": (
        """{"12": {"state": "Waiting", "message": "FIFO scheduling OK"},
 "13": {"state": "Running", "message": ""},
 "14": {"state": "Error", "message": "WALLTIME"}}""",
        {
            "12": JobSeen(WAITS, "FIFO scheduling OK"),
            "13": JobSeen(RUNS),
            "14": JobSeen(ENDED, "WALLTIME"),
        },
    ),
}


@pytest.mark.parametrize("system", PRINTED)
def test_what_a_batch_system_prints_is_understood(system: str) -> None:
    text, expected = PRINTED[system]
    assert dict(QUEUES[system].read(text)) == expected
    assert not list(QUEUES[system].read(""))


@pytest.mark.parametrize("system", QUEUES)
def test_a_batch_system_is_asked_by_its_own_program(system: str) -> None:
    programs = {
        "SLURMCluster": "squeue",
        "LSFCluster": "bjobs",
        "HTCondorCluster": "condor_q",
        "OARCluster": "oarstat",
    }
    assert QUEUES[system].command(["12"])[0] == programs.get(system, "qstat")


@pytest.mark.parametrize(
    ("reason", "was"),
    [
        ("OUT_OF_MEMORY, OutOfMemory", True),
        ("TERM_MEMLIMIT: job killed after reaching LSF memory usage limit", True),
        ("TIMEOUT, TimeLimit", False),
        ("", False),
    ],
    ids=["slurm", "lsf", "time", "nothing"],
)
def test_an_end_for_memory_is_told_apart(reason: str, was: bool) -> None:
    assert JobSeen(ENDED, reason).was_for_memory is was
