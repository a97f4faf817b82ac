"""How many blocks a batch has, and that none is wanted when its run has ended."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from distributed import Client
from recording import line, recorder

from dask_blockwise.engine.bars import open_bar
from dask_blockwise.engine.frontier import Frontier
from dask_blockwise.engine.run import run
from dask_blockwise.engine.standing import Standing
from dask_blockwise.engine.task_log import TaskLog
from dask_blockwise.engine.task_state import TaskState
from dask_blockwise.engine.worker.client import Context
from dask_blockwise.engine.worker.report import BatchReport
from dask_blockwise.engine.worker.spent import Spent


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
    task = line(200_000, print)
    frontier = Frontier([task.grid], [False], [[]])
    standing = Standing(task, None, lambda task: None)
    log, bar = TaskLog(tmp_path / "blocks.log", False), open_bar("task", 200_000, 0, False)
    state = TaskState(task, 0, frontier, standing, bar, log, Context())
    assert state.next_batch(threads) == [0]
    state.settle(BatchReport(done=[0], traces=[(0, 0, 0)], spent=Spent(0.0, seconds)))
    assert state.next_batch(threads) == list(range(1, blocks + 1))


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
