"""What threads of a worker process spend on batches, told by a clock that tests move."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from dask_blockwise import create_volume
from dask_blockwise.engine.worker import spent as module
from dask_blockwise.engine.worker.client import BlockLoops, Client, Context
from dask_blockwise.engine.worker.spent import Clock, Spent
from dask_blockwise.geometry.blocks import Block, BlockGrid, Roi
from dask_blockwise.storage import traffic
from dask_blockwise.storage.traffic import reading, writing

CONTEXT = Context(scheduler="tcp://here:1", task_id="task")


class Time:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    for where in module, traffic:
        monkeypatch.setattr(where, "time", clock)
    return clock


def test_all_seconds_are_of_one_kind(clock: Time) -> None:
    of_run, kinds = Clock(), []
    for _ in range(2):
        clock.now += 5  # nothing to do
        with of_run.batch() as batch:
            clock.now += 1
            with reading() as read:
                clock.now += 2
                read.bytes_read += 7
            with writing() as written:
                clock.now += 3
                written.bytes_written += 8
        kinds.append(batch.spent)
    assert kinds == [Spent(2, 1, 3, 0, 7, 8, 5), Spent(2, 1, 3, 5, 7, 8)]
    assert kinds[0].plus(kinds[1]).seconds == clock.now - 100


def test_a_read_that_fails_took_its_time(clock: Time) -> None:
    def read() -> None:
        with reading():
            clock.now += 2
            raise OSError("gone")

    with Clock().batch() as batch, pytest.raises(OSError, match="gone"):
        read()
    assert batch.spent == Spent(seconds_reading=2)


def test_starting_is_no_part_of_what_a_run_is_bound_by() -> None:
    spent = Spent(3, 1, seconds_starting=6)
    assert (spent.seconds, spent.bound_by) == (10, ("reading", 0.75))
    assert "but for starting, which took 60% of workers' time" in str(spent)
    assert "starting" not in str(Spent(30, 1, seconds_starting=1))


def test_each_thread_starts_by_itself(clock: Time) -> None:
    of_run, waited = Clock(), []

    def run() -> None:
        with of_run.batch() as batch:
            clock.now += 1
        waited.append(batch.spent.seconds_starting)

    for _ in range(2):
        thread = Thread(target=run)
        thread.start()
        thread.join()
    assert waited == [0, 1]


def test_what_a_worker_loop_reads_is_its_blocks(tmp_path: Path) -> None:
    roi = Roi((0,), (10,))
    volume = create_volume(f"{tmp_path}/a.zarr/x", shape=(10,), dtype=np.uint16)

    def loop() -> None:
        while True:
            with Client().acquire_block() as block:
                if block is None:
                    return
                volume[:4]

    loops = BlockLoops(loop, CONTEXT)
    block: Block = BlockGrid(roi, roi, roi).block("task", 0)
    for _ in range(2):
        with Clock().batch() as batch:
            loops(block)
        assert batch.spent.bytes_read == 8
    loops.close()


def test_numbers_go_by_name() -> None:
    spent = Spent(1.5, 2.5, 3.5, 4.5, 5, 6, 7.5)
    assert Spent.of_names(spent.by_name) == spent
    with pytest.raises(KeyError, match="seconds_waiting"):
        Spent.of_names({"seconds_reading": 1, "seconds_computing": 2, "seconds_writing": 3})
