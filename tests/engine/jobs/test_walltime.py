"""Time limits as people and batch systems write them."""

from __future__ import annotations

import pytest

from dask_blockwise.engine.jobs.walltime import seconds_of, written

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("text", "counts", "seconds"),
    [
        # As sbatch's manual has them.
        ("30", "minutes", 30 * MINUTE),
        ("24:00", "minutes", 24 * MINUTE),
        ("24:00:00", "minutes", DAY),
        ("1-12", "minutes", DAY + 12 * HOUR),
        ("1-12:30", "minutes", DAY + 12 * HOUR + 30 * MINUTE),
        ("1-12:30:15", "minutes", DAY + 12 * HOUR + 30 * MINUTE + 15),
        # bsub -W
        ("90", "hours minutes", 90 * MINUTE),
        ("3:30", "hours minutes", 3 * HOUR + 30 * MINUTE),
        # qsub -l walltime=, h_rt=
        ("3600", "seconds", HOUR),
        ("30:00", "seconds", 30 * MINUTE),
        ("02:00:00", "seconds", 2 * HOUR),
        ("1:00:00:00", "seconds", DAY),
        ("2 days", "seconds", 2 * DAY),
        ("UNLIMITED", "minutes", None),
    ],
    ids=str,
)
def test_how_long_a_job_may_last(text: str, counts: str, seconds: int | None) -> None:
    assert seconds_of(text, counts) == seconds


@pytest.mark.parametrize(
    ("text", "lsf", "others"),
    [
        ("90m", "01:30", "01:30:00"),
        ("90s", "00:02", "00:01:30"),
        ("2 days", "48:00", "48:00:00"),
        ("12:00:00", "12:00", "12:00:00"),
        ("1-12", "1-12", "1-12"),
    ],
    ids=str,
)
def test_a_time_limit_is_written_as_each_wants_it(text: str, lsf: str, others: str) -> None:
    assert written(text, for_lsf=True) == lsf
    assert written(text, for_lsf=False) == others
