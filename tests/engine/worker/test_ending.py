"""Why a worker process ended, and whom that is charged to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dask_blockwise.engine.crew import Fate, judged
from dask_blockwise.engine.jobs.queues import JobSeen, Phase
from dask_blockwise.engine.worker.ending import (
    Ending,
    ending_of_signal,
    note_ending,
    noted_ending,
)
from dask_blockwise.engine.worker.failure import Failure
from dask_blockwise.engine.worker.journal import BatchReport
from dask_blockwise.engine.worker.memory import MENDS

DIED = Failure("The worker process died while it ran the block.")
OWN = Failure("ValueError: no")


def report(**more: Any) -> BatchReport:
    """Block 1 failed by itself, 2 ran as its process died, 3 was never begun."""
    failures = [(1, OWN), (2, DIED)]
    return BatchReport(failures=failures, left=[3], **{"died": [2], **more})


@pytest.mark.parametrize(
    ("seen", "failures", "interrupted"),
    [
        (None, [(1, OWN), (2, DIED)], []),
        (JobSeen(Phase.RUNS), [(1, OWN), (2, DIED)], []),
        (JobSeen(Phase.ENDED, "TIMEOUT"), [(1, OWN)], [(2, "job 12 ended (TIMEOUT)")]),
        (JobSeen(Phase.ENDED, "NODE_FAIL"), [(1, OWN)], [(2, "job 12 ended (NODE_FAIL)")]),
        (JobSeen(Phase.ENDED), [(1, OWN)], [(2, "job 12 ended (no reason is given)")]),
        (
            JobSeen(Phase.ENDED, "OUT_OF_MEMORY"),
            [
                (1, OWN),
                (2, Failure("Its job 12 was ended for memory (OUT_OF_MEMORY).", "", "", MENDS)),
            ],
            [],
        ),
    ],
    ids=["no job", "job goes on", "walltime", "node", "no reason", "memory"],
)
def test_a_death_is_charged_where_it_belongs(
    seen: JobSeen | None, failures: list[Any], interrupted: list[Any]
) -> None:
    fate = Fate("12", seen) if seen else None
    told = judged(report(), fate)
    assert (told.failures, told.interrupted, told.left) == (failures, interrupted, [3])


def test_blocks_whose_record_went_with_their_node_are_charged_nothing() -> None:
    fate = Fate("12", JobSeen(Phase.ENDED, "NODE_FAIL"))
    told = judged(BatchReport(lost=[4, 5]), fate)
    assert (told.lost, [number for number, _ in told.interrupted]) == ([], [4, 5])


def test_what_was_noted_first_holds(tmp_path: Path) -> None:
    presence = tmp_path / "worker"
    assert noted_ending(presence) is None
    note_ending(presence, Ending("its job came to its planned end", True))
    note_ending(presence, Ending("its worker process was closed", True))
    assert noted_ending(presence) == Ending("its job came to its planned end", True)


@pytest.mark.parametrize(
    ("limit", "is_blameless"), [(None, True), (10**15, True), (10**6, False)], ids=str
)
def test_a_signal_for_memory_is_told_apart(limit: float | None, is_blameless: bool) -> None:
    ending = ending_of_signal(limit)
    assert ending.is_blameless is is_blameless
    assert ("memory" in ending.reason) is not is_blameless
