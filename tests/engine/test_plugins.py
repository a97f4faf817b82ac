"""What a run puts on the cluster, and the names of Dask's that the engine leans on."""

from __future__ import annotations

from inspect import signature

import pytest
from dask.task_spec import Task as DaskTask
from distributed import Client, KilledWorker, Scheduler, SchedulerPlugin
from distributed.broker import Broker
from distributed.scheduler import TaskState

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
