"""A block runs at most ``max_retries + 1`` times, and never fails because of another."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, KilledWorker, LocalCluster, Worker, get_worker
from recording import line, recorder, runs, times

from dask_blockwise.engine.dispatcher import Dispatcher
from dask_blockwise.engine.run import run
from dask_blockwise.engine.worker.journal import run_directory


@pytest.fixture(scope="module")
def crowded() -> Iterator[Client]:
    """One worker process that runs eight blocks at once."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=8, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("max_retries", [0, 1])
def test_a_death_fails_no_block_that_ran_beside_it(
    crowded: Client, tmp_path: Path, max_retries: int
) -> None:
    def kill(number: int, attempt: int) -> None:
        time.sleep(0.05)
        if number == 5:
            die()

    task = line(24, recorder(tmp_path, kill), max_retries=max_retries)
    summary = run(task, crowded, progress=False)
    assert list(summary["task"].errors) == [5]
    counts = runs(tmp_path)
    assert counts[5] == max_retries + 1
    assert max(counts.values()) <= max_retries + 1
    assert len(counts) == 24


def test_dask_does_not_say_that_a_block_failed_which_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def kill(number: int, attempt: int) -> None:
        if number == 2 and attempt == 1:
            die()

    options: dict[str, Any] = {"dashboard_address": ":0", "silence_logs": False}
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster,
        Client(cluster, set_as_default=False) as client,
        caplog.at_level("WARNING"),
    ):
        # Not every version of Dask tells the root of all loggers.
        logging.getLogger("distributed").addHandler(caplog.handler)
        assert run(line(4, recorder(tmp_path, kill)), client, progress=False)
        blocks = caplog.text
        with suppress(KilledWorker):
            client.submit(die).result()
        logging.getLogger("distributed").removeHandler(caplog.handler)
    # Of tasks of others it says so.
    assert "workers died" in caplog.text
    assert "workers died" not in blocks
    assert runs(tmp_path) == {0: 1, 1: 1, 2: 2, 3: 1}


def test_a_time_limit_fails_no_block_that_ran_beside_it(crowded: Client, tmp_path: Path) -> None:
    def hang(number: int, attempt: int) -> None:
        time.sleep(1e6 if number == 5 else 0.05)

    task = line(24, recorder(tmp_path, hang), max_retries=1, timeout=6.0)
    summary = run(task, crowded, progress=False)
    assert list(summary["task"].errors) == [5]
    assert "in hang" in summary["task"].errors[5]
    assert max(runs(tmp_path).values()) <= 2


def test_what_a_block_hung_in_is_told_whatever_its_functions_are_called(
    client: Client, tmp_path: Path
) -> None:
    def _process_block(number: int) -> None:
        time.sleep(1e6 if number == 1 else 0)

    def _process(number: int) -> None:
        _process_block(number)

    def misbehave(number: int, attempt: int) -> None:
        _process(number)

    task = line(2, recorder(tmp_path, misbehave), max_retries=0, timeout=5.0)
    error = run(task, client, progress=False)["task"].errors[1]
    calls = error.partition("innermost call first):\n")[2].splitlines()
    assert [call.split()[-1] for call in calls] == [
        *("_process_block", "_process", "misbehave", "process"),
    ]


@pytest.mark.parametrize("num_workers", [1, 3])
def test_num_workers_bounds_blocks_at_once(
    crowded: Client, tmp_path: Path, num_workers: int
) -> None:
    def work(number: int, attempt: int) -> None:
        time.sleep(0.02)

    task = line(30, recorder(tmp_path, work), num_workers=num_workers)
    assert run(task, crowded, progress=False)
    spans = times(tmp_path).values()
    at_once = [sum(a <= begin < b for a, b in spans) for begin, _ in spans]
    assert max(at_once) <= num_workers


def test_conflicting_blocks_never_overlap_in_time(crowded: Client, tmp_path: Path) -> None:
    def work(number: int, attempt: int) -> None:
        time.sleep(random.Random(number).uniform(0, 0.03))

    orders = []
    for name in ("one", "two"):
        directory = tmp_path / name
        directory.mkdir()
        task = line(30, recorder(directory, work), halo=13, read_write_conflict=True)
        assert run(task, crowded, progress=False)
        when = times(directory)
        pairs = [(when[n], when[m]) for n in range(30) for m in (n + 1, n + 2) if m < 30]
        assert all(a[1] <= b[0] or b[1] <= a[0] for a, b in pairs)
        orders.append([a[0] < b[0] for a, b in pairs])
    assert orders[0] == orders[1]


def test_blocks_without_conflict_run_freely(crowded: Client, tmp_path: Path) -> None:
    """Neighbours that wait for one another end, as they run at once."""

    def meet(number: int, attempt: int) -> None:
        while not (tmp_path / f"task-{number ^ 1}").exists():
            time.sleep(0.01)

    task = line(2, recorder(tmp_path, meet), halo=3, num_workers=2)
    assert run(task, crowded, progress=False)


def test_a_lost_journal_counts_as_an_attempt(client: Client, tmp_path: Path) -> None:
    def wreck(number: int, attempt: int) -> None:
        time.sleep(0.002)
        if number == 30:
            shutil.rmtree(run_directory("lost-journal"))
            die()

    task = line(100, recorder(tmp_path, wreck), max_retries=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dask_blockwise.engine.run._new_run_id", lambda: "lost-journal")
        summary = run(task, client, progress=False)
    assert list(summary["task"].errors) == [30]
    assert "lost" in summary["task"].errors[30]
    counts = runs(tmp_path)
    assert (len(counts), counts[30]) == (100, 2)
    assert max(counts.values()) == 2


def test_a_report_that_is_lost_costs_no_second_run(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = Dispatcher._hear
    events = itertools.count()

    def deaf(self: Dispatcher, event: Any) -> None:
        if next(events) % 2:
            hear(self, event)

    monkeypatch.setattr(Dispatcher, "_hear", deaf)
    assert run(line(30, recorder(tmp_path)), client, progress=False)
    assert runs(tmp_path) == dict.fromkeys(range(30), 1)


def meanwhile(action: Callable[[], Any], begun: Path) -> threading.Thread:
    """Do something once a file is there."""

    def wait() -> None:
        while not begun.exists():
            time.sleep(0.01)
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="on Python 3.11 alone it may hang")
def test_workers_are_not_profiled(tmp_path: Path) -> None:
    def work(number: int, attempt: int) -> None:
        with (tmp_path / "profiled").open("a") as file:
            file.write(f"{'profile' in get_worker().periodic_callbacks} ")
        if number == attempt == 1:
            die()  # its successor hears of the run before it starts its callbacks

    with (
        dask.config.set({"distributed.worker.profile.enabled": True}),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        assert all(client.run(is_profiled).values())
        assert run(line(4, recorder(tmp_path, work), max_retries=1), client, progress=False)
        assert not any(client.run(is_profiled).values())
    assert set((tmp_path / "profiled").read_text().split()) == {"False"}


def is_profiled(dask_worker: Worker) -> bool:
    profiler = dask_worker.periodic_callbacks.get("profile")
    return profiler is not None and profiler.is_running()


def test_a_worker_that_is_retired_costs_no_more_than_an_attempt(tmp_path: Path) -> None:
    def work(number: int, attempt: int) -> None:
        time.sleep(0.5 if number < 4 else 0.01)

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        address = next(iter(client.nthreads()))
        thread = meanwhile(lambda: client.retire_workers([address]), tmp_path / "task-2")
        summary = run(line(30, recorder(tmp_path, work), max_retries=1), client, progress=False)
        thread.join()
    assert summary
    assert max(runs(tmp_path).values()) <= 2


def test_a_worker_that_stands_still_is_noticed_by_the_limit_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of many blocks may take long, and a stopped process ends none of them itself."""
    monkeypatch.setattr("dask_blockwise.engine.plugins.scheduler._SILENT_SECONDS", 2.0)

    def stop(number: int, attempt: int) -> None:
        time.sleep(0.01)
        if number == 60 and attempt == 1:
            os.kill(os.getpid(), signal.SIGSTOP)

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        task = line(100, recorder(tmp_path, stop), max_retries=1, timeout=10.0)
        summary = run(task, client, progress=False)
    assert summary
    assert summary["task"].retries == 1
    # The batch of 20 or so might have taken 200 s and more.
    assert summary["task"].seconds < 100


def test_what_a_store_refuses_for_a_moment_is_tried_again_a_little_later(
    client: Client, tmp_path: Path
) -> None:
    """Three attempts at once would all meet the same full disk, or the same 503."""

    def write(number: int, attempt: int) -> None:
        if number == 3 and attempt < 3:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    begun = time.monotonic()
    assert run(line(8, recorder(tmp_path, write)), client, progress=False)
    assert runs(tmp_path)[3] == 3
    # After the first attempt half a second, after the second two.
    assert time.monotonic() - begun > 2.5
