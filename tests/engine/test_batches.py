"""How many blocks a batch has, and that none is wanted when its run has ended."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from recording import line, recorder, runs

from dask_blockwise.engine.bars import open_bar
from dask_blockwise.engine.frontier import Frontier
from dask_blockwise.engine.run import run
from dask_blockwise.engine.standing import Standing
from dask_blockwise.engine.task_log import TaskLog
from dask_blockwise.engine.task_state import TaskState
from dask_blockwise.engine.worker.client import Context
from dask_blockwise.engine.worker.report import BatchReport
from dask_blockwise.engine.worker.spent import Spent
from dask_blockwise.engine.worker.trace import Trace
from dask_blockwise.geometry.blocks import Block

Settled = list[tuple[str, BatchReport]]


@pytest.mark.parametrize(
    ("threads", "seconds", "blocks"),
    [
        *((8, 0.1, 10), (8, 3.0, 1), (8, 1e-6, 2048)),
        # A scheduler takes in 500 a second, of however many.
        *((1000, 0.1, 20), (5000, 1.0, 10), (5000, 30.0, 1)),
    ],
)
def test_batches_take_a_second_and_longer_on_many_threads(
    threads: int, seconds: float, blocks: int, tmp_path: Path
) -> None:
    state = state_of(200_000, tmp_path)
    assert state.next_batch(threads) == list(range(8))
    state.settle(batch_report(range(1), range(1, 8), seconds))
    # Those that weren't begun come next.
    assert state.next_batch(threads) == list(range(1, blocks + 1))


def state_of(blocks: int, folder: Path) -> TaskState:
    task = line(blocks, print)
    frontier = Frontier([task.grid], [False], [[]])
    standing = Standing(task, None, lambda task: None)
    log, bar = TaskLog(folder / "blocks.log", False), open_bar("task", blocks, 0, False)
    return TaskState(task, 0, frontier, standing, bar, log, Context())


def batch_report(done: range, left: range, seconds: float, empty: bool = False) -> BatchReport:
    return BatchReport(
        done=list(done),
        left=list(left),
        traces=[Trace(empty=int(empty))] * len(done),
        spent=Spent(0.0, seconds),
    )


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> Settled:
    """Reports as a run takes them in, each with the task that it is of."""
    settle: Any = TaskState.settle
    reports: Settled = []

    def noted(state: TaskState, report: BatchReport) -> bool:
        reports.append((state.task.task_id, report))
        return bool(settle(state, report))

    monkeypatch.setattr(TaskState, "settle", noted)
    return reports


def test_a_batch_leaves_to_others_what_it_has_no_time_for(
    near: Client, tmp_path: Path, settled: Settled
) -> None:
    """The first batches are of eight blocks, of which it isn't known how long one takes."""
    slow_first = recorder(tmp_path, lambda number, _: time.sleep(0.5 if number == 0 else 0.0))
    assert run(line(64, slow_first), near, progress=False)
    (first,) = [report for _, report in settled if 0 in report.done]
    assert (first.done, first.left) == ([0], list(range(1, 8)))
    assert set(runs(tmp_path).values()) == {1}


def test_while_no_block_has_ended_no_batch_waits_behind_others(tmp_path: Path) -> None:
    state = state_of(64, tmp_path)
    assert state.pace.batches(2) == 2
    state.settle(batch_report(range(1), range(0), 0.01))
    assert state.pace.batches(2) > 6


def test_a_task_begins_while_the_one_before_it_has_blocks(near: Client, settled: Settled) -> None:
    """As soon as what it reads is there, here 201 blocks, though none of its own has ended yet."""
    first = line(40_000, nothing, "first")
    second = line(30_000, nothing, "second", halo=1000, upstream_tasks=[first])
    assert run(second, near, progress=False)
    order = [name for name, report in settled for _ in report.done]
    assert order.index("second") < 20_000


def nothing(_: Block) -> None:
    """What a block does."""


def test_where_all_were_empty_batches_are_large_and_short(tmp_path: Path) -> None:
    state = state_of(4096, tmp_path)
    state.settle(batch_report(range(8), range(0), 0.01, empty=True))
    assert state.pace.block_seconds is None
    assert (len(state.next_batch(2)), state.pace.seconds(2)) == (1024, 0.25)


def test_a_batch_takes_some_hundredths_of_a_second_at_least(tmp_path: Path) -> None:
    """To send one takes 6 ms, in which its worker has nothing to do."""
    state = state_of(16, tmp_path)
    state.settle(batch_report(range(1), range(0), 0.005))
    assert len(state.next_batch(8)) == 6


def test_a_run_that_broke_off_leaves_no_batch_behind_that_others_would_wait_for(
    near: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notebooks keep the traceback of an interrupt, and so all that it leads to."""

    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TaskState, "settle", broken_off)
    with pytest.raises(KeyboardInterrupt) as kept:
        run(line(8, recorder(tmp_path, lambda *_: time.sleep(0.2))), near)
    end = time.monotonic() + 30
    while near.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks)):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert kept.value is not None
