"""What a run puts on the cluster, and the names of Dask's that the engine leans on."""

from __future__ import annotations

from inspect import signature
from pathlib import Path
from threading import current_thread

import dask.array as da
import numpy as np
import pytest
from dask.task_spec import Task as DaskTask
from distributed import (
    Client,
    KilledWorker,
    Scheduler,
    SchedulerPlugin,
    get_worker,
    rejoin,
    secede,
)
from distributed.broker import Broker
from distributed.scheduler import TaskState

import dask_blockwise as dbw
from dask_blockwise import Volume
from dask_blockwise.engine.plugins.names import has_seceded
from dask_blockwise.engine.plugins.scheduler import BlockTaskPlugin, withdraw


def test_a_death_is_reported_at_once_and_only_for_the_runs_own_tasks(client: Client) -> None:
    def die() -> None:
        import os

        os._exit(1)

    client.register_plugin(BlockTaskPlugin("run-0"))
    try:
        key = ("task-run-0", 0, 60.0)
        graph = {key: DaskTask(key, die, _data_producer=True)}
        (future,) = client.get(graph, [key], sync=False)
        with pytest.raises(KilledWorker) as caught:
            future.result(timeout=60)
        assert caught.value.last_worker.address.startswith("tcp://")
        other = client.submit(pow, 2, 3, key="other")
        assert other.result(timeout=60) == 8
        assert (
            client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.tasks["other"].suspicious)
            == 0
        )
    finally:
        client.run_on_scheduler(withdraw, "dask-blockwise-run-0")


def test_names_of_dasks_that_the_engine_leans_on() -> None:
    assert "_data_producer" in signature(DaskTask.__init__).parameters
    assert {"suspicious", "run_spec", "processing_on"} <= set(TaskState.__slots__)
    assert "allowed_failures" in signature(Scheduler.__init__).parameters
    assert "WORKER_SATURATION" in Scheduler.__annotations__ | Scheduler.__mro__[1].__annotations__
    assert "queued" in Scheduler.__annotations__ | Scheduler.__mro__[1].__annotations__
    assert callable(Broker.truncate)
    assert list(signature(SchedulerPlugin.log_event).parameters) == ["self", "topic", "msg"]
    expected = {"workers", "wait_for_workers", "on_error", "stimulus_id"}
    assert expected <= set(signature(Scheduler.restart_workers).parameters)


def test_a_thread_that_waits_for_others_is_known(near: Client) -> None:
    def seen() -> list[bool]:
        worker, thread = get_worker(), current_thread()
        before = has_seceded(worker, thread)
        secede()
        after = has_seceded(worker, thread)
        rejoin()
        return [before, after, has_seceded(worker, thread)]

    assert near.submit(seen, pure=False).result(timeout=60) == [False, True, False]


@pytest.mark.parametrize("max_retries", [0, 2])
def test_functions_may_compute_with_dask(tmp_path: Path, near: Client, max_retries: int) -> None:
    def above(array: np.ndarray) -> np.ndarray:
        if max_retries and array[0, 0] == 3 and not (tmp_path / "failed").exists():
            (tmp_path / "failed").touch()
            raise ValueError("Blocks that are tried again run alone.")
        values: np.ndarray = (da.from_array(array, chunks=2) + 1).compute()
        return values

    values = np.arange(144, dtype=np.uint8).reshape(12, 12)
    made = dbw.map_overlap(above, Volume.from_array(values, chunks=(3, 3)), dtype="uint8")
    path = tmp_path / "out.zarr/it"
    assert made.to_zarr(path, client=near, progress=False, max_retries=max_retries)
    np.testing.assert_array_equal(dbw.open_volume(path)[:], values + 1)
