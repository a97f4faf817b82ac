"""Time limits, and the names of Dask's that the engine leans on."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from inspect import signature

import pytest
from dask._task_spec import Task as DaskTask
from distributed import Client, KilledWorker, Scheduler
from distributed.broker import Broker
from distributed.scheduler import TaskState

from dask_blockwise.watchdog import BlockTaskPlugin


def run_script(body: str) -> subprocess.CompletedProcess[str]:
    script = "import re, sys, time, threading\nfrom dask_blockwise.watchdog import deadline\n"
    return subprocess.run(
        [sys.executable, "-c", script + textwrap.dedent(body)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("hang", ["time.sleep(60)", "re.match('(a+)+$', 'a' * 60 + 'b')"])
def test_a_deadline_kills_the_process_and_says_where_it_was(hang: str) -> None:
    begin = time.monotonic()
    result = run_script(f"""
        def hang():
            {hang}
        with deadline(0.5, sys.stderr):
            hang()
        """)
    assert result.returncode == 1
    assert "in hang" in result.stderr
    assert time.monotonic() - begin < 20


def test_a_deadline_that_is_kept_does_nothing() -> None:
    result = run_script("""
        for _ in range(3):
            with deadline(0.3, sys.stderr):
                pass
        time.sleep(0.5)
        """)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(("first", "second", "code"), [(0.3, 9, 1), (9, 0.3, 1), (9, 9, 0)])
def test_the_earliest_deadline_of_all_threads_counts(
    first: float, second: float, code: int
) -> None:
    result = run_script(f"""
        def work(limit):
            with deadline(limit, sys.stderr):
                time.sleep(1)
        threads = [threading.Thread(target=work, args=[limit]) for limit in ({first}, {second})]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """)
    assert result.returncode == code


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
            future.result(timeout=20)
        assert caught.value.last_worker.address.startswith("tcp://")
        other = client.submit(pow, 2, 3, key="other")
        assert other.result(timeout=20) == 8
        assert (
            client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.tasks["other"].suspicious)
            == 0
        )
    finally:
        client.unregister_scheduler_plugin("dask-blockwise-run-0")


def test_names_of_dasks_that_the_engine_leans_on() -> None:
    assert "_data_producer" in signature(DaskTask.__init__).parameters
    assert "suspicious" in TaskState.__slots__
    assert "allowed_failures" in signature(Scheduler.__init__).parameters
    assert callable(Broker.truncate)
    expected = {"workers", "wait_for_workers", "on_error", "stimulus_id"}
    assert expected <= set(signature(Scheduler.restart_workers).parameters)
