"""What is said of a run that failed, read from its top as a person would."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

from distributed import Client
from recording import line, recorder

from dask_blockwise import BlocksFailed
from dask_blockwise.engine.progress import RunSummary, TaskSummary
from dask_blockwise.engine.run import run
from dask_blockwise.engine.worker.failure import Failure
from dask_blockwise.engine.worker.spent import Spent


def failed_run(client: Client, directory: Path) -> RunSummary:
    """Two tasks in which blocks fail, and two below that have no input for some."""

    def fail(number: int, attempt: int) -> None:
        if number in (2, 5):
            raise ValueError(f"no room for {number}")

    options = {"max_retries": 0, "halo": 10}
    first = line(8, recorder(directory, fail), "first", **options)
    other = line(4, recorder(directory, fail), "other", **options)
    middle = line(8, recorder(directory), "middle", halo=10, upstream_tasks=[first])
    last = line(8, recorder(directory), "last", halo=10, upstream_tasks=[middle])
    return run([last, other], client, progress=False)


def test_an_error_says_the_cause_then_how_to_go_on_then_all_else(
    client: Client, tmp_path: Path
) -> None:
    summary = failed_run(client, tmp_path)
    lines = str(BlocksFailed(summary)).splitlines()
    place = f"fail ({__file__}:{fail_line()})"
    assert lines[:4] == [
        "ValueError: no room for 2",
        f"in {place}, on block 2 of task 'first': blocks 2, 5 failed, 2 of 8.",
        "ValueError: no room for 2",
        f"in {place}, on block 2 of task 'other': blocks 2 failed, 1 of 4.",
    ]
    text = "\n".join(lines[4:])
    order = [
        *("done and kept", "The same call", str(summary["first"].log), "completed"),
        "Task 'middle': blocks 1, 2, 3, 4, 5, 6 had no input and did not run; "
        "nor did blocks of later steps: 8 of 'last'.",
        *("First error of block 2 of task 'first'", "Traceback", "in process", "in fail"),
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert lines[-1] == lines[0]
    assert "batch.py" not in text
    assert text.count("had no input") == 1


def fail_line() -> int:
    source = Path(__file__).read_text().splitlines()
    return next(n for n, text in enumerate(source, 1) if "raise ValueError(f" in text)


def test_a_summary_says_it_below_its_table(client: Client, tmp_path: Path) -> None:
    summary = failed_run(client, tmp_path)
    table, _, faults = str(summary).partition("\n\n")
    assert len(table.splitlines()) == 3 + len(summary.tasks)
    assert faults.startswith("ValueError: no room for 2\nin fail (")
    assert str(summary).endswith("ValueError: no room for 2")


def test_an_error_goes_to_another_process_with_its_summary(client: Client, tmp_path: Path) -> None:
    error = BlocksFailed(failed_run(client, tmp_path))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.summary) == (str(error), error.summary)


def test_a_time_limit_says_where_the_block_was(client: Client, tmp_path: Path) -> None:
    def hang(number: int, attempt: int) -> None:
        if number == 1:
            while True:
                pass

    task = line(2, recorder(tmp_path, hang), max_retries=0, timeout=5.0)
    first, second = str(BlocksFailed(run(task, client, progress=False))).splitlines()[:2]
    assert first == ("The block took longer than its time limit, so its worker process was killed.")
    assert second.startswith(f"in hang ({__file__}:")


def test_a_table_fits_a_terminal() -> None:
    """What all runs have in common, and what did happen, is told within 80 and 100 columns."""
    spent = Spent(seconds_reading=1.0, seconds_computing=99.0, bytes_read=8)
    known = {"seconds": 1234.5, "spent": spent, "peak_memory": 10**11, "voxels_written": 10**9}
    names = "affinities: segment", "affinities: stitch"
    all_done = RunSummary(tuple(TaskSummary(n, 99999, completed=99999, **known) for n in names))
    head, rule, *rows = str(all_done).splitlines()[:4]
    told = ["task", "blocks", "seconds", "s/block", "peak MB", "Mvoxel/s", "bound by"]
    assert re.split(" {2,}", head) == told
    assert max(map(len, (head, rule, *rows))) <= 80
    some = replace(all_done.tasks[0], completed=90000, skipped=9000, failures={7: Failure("no")})
    head, rule, *rows = str(RunSummary((some,))).splitlines()[:3]
    assert "completed  skipped  failed  seconds" in head
    assert "orphaned" not in head
    little = replace(all_done.tasks[0], spent=Spent(seconds_reading=0.1, seconds_waiting=9.0))
    assert "bound" not in str(RunSummary((little,))).lower()
    none = RunSummary((TaskSummary("x", blocks=8, skipped=8),))
    assert str(none).splitlines()[0].split() == [
        "task",
        "blocks",
        "completed",
        "skipped",
        "seconds",
    ]
