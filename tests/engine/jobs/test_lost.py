"""What is said of jobs that are lost."""

from __future__ import annotations

import pytest

from dask_blockwise.engine.jobs.lost import tell_of_lost


def test_jobs_lost_for_one_reason_are_told_together(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    ended = {"9": "CANCELLED", "10": "COMPLETED", "11": "no reason is given"}
    tell_of_lost(ended | {f"{n}": "NODE_FAIL" for n in range(20, 27)})
    assert caplog.messages == [
        "Job 9 is lost (CANCELLED); another is asked for.",
        "Jobs 20, 21, 22, 23, 24 and 2 more are lost (NODE_FAIL); others are asked for.",
    ]


def test_it_is_said_how_jobs_get_enough_time(caplog: pytest.LogCaptureFixture) -> None:
    tell_of_lost({"1": "TIMEOUT, TimeLimit", "2": "TERM_RUNLIMIT: job killed", "3": "NODE_FAIL"})
    first, second, third = caplog.messages
    for told in first, second:
        assert told.endswith(
            "their time was over: give them more walltime, or choose smaller blocks."
        )
    assert third == "Job 3 is lost (NODE_FAIL); another is asked for."
