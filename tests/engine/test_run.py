"""Runs on real worker processes, some of which are killed."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster
from recording import line, recorder, runs, times

from dask_blockwise.engine.run import run
from dask_blockwise.engine.task import Task
from dask_blockwise.engine.worker.client import Context
from dask_blockwise.geometry.blocks import Block


def test_every_block_runs_once_and_is_counted(client: Client, tmp_path: Path) -> None:
    task = line(50, recorder(tmp_path), voxels_per_block=1000)
    summary = run([task], client, progress=False)
    assert summary
    assert runs(tmp_path) == dict.fromkeys(range(50), 1)
    result = summary["task"]
    assert (result.blocks, result.completed, result.skipped) == (50, 50, 0)
    assert (result.failed, result.orphaned, result.retries) == (0, 0, 0)
    assert result.voxels_written == 50_000
    assert result.busy_seconds > 0
    assert 0 < result.seconds <= summary.seconds
    assert result.peak_memory > 10e6
    assert result.log is None


def test_summary_reads_as_a_table_and_in_a_notebook(client: Client, tmp_path: Path) -> None:
    def fail(number: int, attempt: int) -> None:
        if number == 3:
            raise ValueError("no <such> luck")

    summary = run(line(5, recorder(tmp_path, fail), max_retries=1), client, progress=False)
    text = str(summary)
    head, _, row = (each.split() for each in text.splitlines()[:3])
    told = dict(zip(head, row, strict=False))
    assert [told[name] for name in ("task", "blocks", "failed", "retries")] == [
        "task",
        "5",
        "1",
        "1",
    ]
    assert "blocks 3 failed" in text
    assert "ValueError: no <such> luck" in text
    log = summary["task"].log
    assert log is not None
    assert log in text
    assert Path(log).read_text().count("no <such> luck") == 4  # the line and its source, twice
    assert "no &lt;such&gt; luck" in summary._repr_html_()
    assert not summary


def test_a_failing_block_leaves_the_others_alone(client: Client, tmp_path: Path) -> None:
    def fail(number: int, attempt: int) -> None:
        if number == 3 or (number == 4 and attempt <= 2):
            raise ValueError(f"attempt {attempt}")

    summary = run(line(40, recorder(tmp_path, fail)), client, progress=False)
    result = summary["task"]
    assert (result.completed, result.failed, result.retries) == (39, 1, 4)
    assert runs(tmp_path) == dict.fromkeys(range(40), 1) | {3: 3, 4: 3}
    assert "attempt 1" in result.errors[3]


def test_a_worker_may_die_while_it_hears_of_a_run(client: Client, tmp_path: Path) -> None:
    pid = next(iter(client.run(os.getpid).values()))
    os.kill(pid, signal.SIGSTOP)  # it will never answer
    killer = threading.Timer(1.0, os.kill, (pid, signal.SIGKILL))
    killer.start()
    assert run(line(8, recorder(tmp_path)), client, progress=False)
    killer.join()
    assert runs(tmp_path) == dict.fromkeys(range(8), 1)


def test_a_process_that_stood_still_before_does_not_hold_up_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask gives it up after five minutes; until then whoever asks all workers waits for it."""
    monkeypatch.setattr("dask_blockwise.engine.plugins.scheduler._SILENT_SECONDS", 2.0)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        pid = next(iter(client.run(os.getpid).values()))
        os.kill(pid, signal.SIGSTOP)
        begun = time.monotonic()
        assert run(line(8, recorder(tmp_path), timeout=5.0), client, progress=False)
        assert time.monotonic() - begun < 120
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert runs(tmp_path) == dict.fromkeys(range(8), 1)


@pytest.mark.parametrize("stopped", [0, 2])
def test_a_stopped_process_is_restarted(
    stopped: int, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_blockwise.engine.plugins.scheduler._SILENT_SECONDS", 2.0)
    monkeypatch.setattr("dask_blockwise.engine.dispatcher._GRACE_SECONDS", 2.0)

    def stop(number: int, attempt: int) -> None:
        if number == stopped and attempt == 1:
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(1e6)  # it is another thread that stops first; this one would go on

    summary = run(line(4, recorder(tmp_path, stop), timeout=5.0), client, progress=False)
    assert summary
    assert runs(tmp_path) == {number: 1 + (number == stopped) for number in range(4)}


@pytest.mark.parametrize("usual", [1.1, math.inf])
def test_the_cluster_is_left_as_it_was_when_its_last_run_ends(
    usual: float, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs have the scheduler queue what no thread is free for."""
    scheduler = client.cluster.scheduler
    monkeypatch.setattr(scheduler, "WORKER_SATURATION", usual)
    at_starts: list[float] = []

    def short(context: Context) -> None:
        at_starts.append(scheduler.WORKER_SATURATION)
        inner = line(2, recorder(tmp_path), "short")
        assert run(inner, client, progress=False)
        at_starts.append(scheduler.WORKER_SATURATION)

    assert run(line(4, recorder(tmp_path), init_callback_fn=short), client, progress=False)
    assert at_starts == [1.0, 1.0]
    assert usual == scheduler.WORKER_SATURATION
    assert not any("dask-blockwise" in name for name in scheduler.plugins)


def test_what_others_queue_behind_a_run_still_runs(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.cluster.scheduler, "WORKER_SATURATION", math.inf)
    others: list[Any] = []

    def crowd(context: Context) -> None:
        others.extend(client.map(time.sleep, [0.1] * 20, pure=False, priority=-1))

    assert run(line(1, recorder(tmp_path), init_callback_fn=crowd), client, progress=False)
    assert client.gather(others) == [None] * 20


def test_downstream_starts_before_upstream_ends(client: Client, tmp_path: Path) -> None:
    def work(number: int, attempt: int) -> None:
        while number == 15 and not (tmp_path / "downstream-0").exists():
            time.sleep(0.01)

    upstream = line(16, recorder(tmp_path, work), "upstream", halo=10)
    halo = {"halo": 10, "upstream_tasks": [upstream]}
    assert run(line(16, recorder(tmp_path), "downstream", **halo), client, progress=False)
    before, after = times(tmp_path, "upstream"), times(tmp_path, "downstream")
    assert after[0][0] < max(end for _, end in before.values())
    for number, (begin, _) in after.items():
        assert all(before[n][1] <= begin for n in (number - 1, number, number + 1) if n in before)


def test_blocks_below_a_failed_one_are_orphaned(client: Client, tmp_path: Path) -> None:
    def fail(number: int, attempt: int) -> None:
        if number == 4:
            raise ValueError

    upstream = line(8, recorder(tmp_path, fail), "upstream", halo=10, max_retries=0)
    middle = line(8, recorder(tmp_path), "middle", halo=10, upstream_tasks=[upstream])
    last = line(8, recorder(tmp_path), "last", halo=10, upstream_tasks=[middle])
    summary = run([last], client, progress=False)
    assert [task.task_id for task in summary.tasks] == ["upstream", "middle", "last"]
    assert summary["middle"].orphans == (3, 4, 5)
    assert summary["last"].orphans == (2, 3, 4, 5, 6)
    assert "blocks 3, 4, 5 had no input and did not run" in str(summary)
    assert not summary


def test_conflicting_blocks_after_a_failed_one_are_orphaned(client: Client, tmp_path: Path) -> None:
    def fail(number: int, attempt: int) -> None:
        if number == 2:
            raise ValueError

    options = {"halo": 3, "read_write_conflict": True, "max_retries": 0}
    summary = run(line(6, recorder(tmp_path, fail), **options), client, progress=False)
    assert summary["task"].orphans == (1, 3)  # as in daisy


def test_one_check_serves_as_both(client: Client, tmp_path: Path) -> None:
    def check(block: Block) -> bool:
        return (tmp_path / f"task-{block.number}").exists()

    task = line(8, recorder(tmp_path), check_function=check)
    assert run(task, client, progress=False)["task"].completed == 8
    again = run(task, client, progress=False)
    assert again
    assert again["task"].skipped == 8


def test_init_callback_is_called_once_with_a_context(client: Client, tmp_path: Path) -> None:
    contexts: list[Any] = []
    task = line(20, recorder(tmp_path), init_callback_fn=contexts.append)
    assert run(task, client, progress=False)
    (context,) = contexts
    assert context["task_id"] == "task"
    assert context["scheduler"] == client.scheduler_info()["address"]


def test_resume_does_only_what_is_missing(client: Client, tmp_path: Path) -> None:
    def fail(number: int, attempt: int) -> None:
        if number in (3, 7) and attempt == 1:
            raise ValueError

    ledger = str(tmp_path / "ledger")
    task = line(20, recorder(tmp_path, fail), max_retries=0, ledger=ledger)
    first, second, third = (run(task, client, progress=False) for _ in range(3))
    assert (first["task"].completed, first["task"].failed) == (18, 2)
    assert first["task"].log == f"{ledger}/blocks.log"
    assert (second["task"].completed, second["task"].skipped) == (2, 18)
    assert third
    assert third["task"].skipped == 20
    assert run(task, client, progress=False, resume=False)["task"].completed == 20
    assert runs(tmp_path) == dict.fromkeys(range(20), 2) | {3: 3, 7: 3}


def test_another_fingerprint_is_refused_before_any_work(client: Client, tmp_path: Path) -> None:
    ledger = str(tmp_path / "ledger")
    assert run(line(4, recorder(tmp_path), ledger=ledger), client, progress=False)
    with pytest.raises(ValueError, match="made with other parameters"):
        run(line(4, recorder(tmp_path), ledger=ledger, fingerprint="new"), client, progress=False)
    assert set(runs(tmp_path).values()) == {1}


def test_a_battered_and_resumed_run_equals_an_undisturbed_one(
    client: Client, tmp_path: Path
) -> None:
    """Blocks in conflict order add up their neighbours' output, downstream blocks smooth it."""

    def chain(directory: Path, misbehave: Callable[[int, int], None] | None) -> Task:
        directory.mkdir()
        for name in ("first", "second"):
            np.save(directory / f"{name}.npy", np.zeros(320, np.int64))
        record = recorder(directory, misbehave)

        def accumulate(block: Block) -> None:
            record(block)
            out = np.load(directory / "first.npy", mmap_mode="r+")
            begin, end = block.write_roi.begin[0], block.write_roi.end[0]
            neighbours = out[begin - 10 : begin].sum() + out[end : end + 10].sum()
            out[begin:end] = neighbours + block.number

        def smooth(block: Block) -> None:
            record(block)
            source = np.load(directory / "first.npy", mmap_mode="r")
            out = np.load(directory / "second.npy", mmap_mode="r+")
            begin, end = block.write_roi.begin[0], block.write_roi.end[0]
            out[begin:end] = source[begin - 10 : end + 10].sum()

        options: dict[str, Any] = {"halo": 10, "max_retries": 1, "timeout": 2.0}
        ledgers = [str(directory / f"ledger-{n}") for n in (1, 2)]
        first = line(
            30, accumulate, "first", read_write_conflict=True, ledger=ledgers[0], **options
        )
        return line(30, smooth, "second", ledger=ledgers[1], upstream_tasks=[first], **options)

    def batter(number: int, attempt: int) -> None:
        time.sleep(0.003)
        if number == 4 and attempt <= 2:
            raise ValueError
        if number == 11 and attempt == 1:
            os._exit(1)
        if number == 20 and attempt == 1:
            time.sleep(1e6)

    calm, battered = chain(tmp_path / "calm", None), chain(tmp_path / "battered", batter)
    assert run(calm, client, progress=False)
    first = run(battered, client, progress=False)
    assert not first
    assert first["first"].failed == 1
    assert any(run(battered, client, progress=False) for _ in range(3))
    for name in ("first", "second"):
        one, other = (np.load(tmp_path / d / f"{name}.npy") for d in ("calm", "battered"))
        assert one.any()
        np.testing.assert_array_equal(one, other)


def test_the_function_travels_to_each_process_once(client: Client, tmp_path: Path) -> None:
    class Heavy:
        def __init__(self, directory: Path) -> None:
            self.directory = directory

        def __setstate__(self, state: dict[str, Any]) -> None:
            self.__dict__.update(state)
            with (self.directory / str(os.getpid())).open("a") as file:
                file.write("loaded\n")

        def __call__(self, block: Block) -> None:
            time.sleep(0.005)
            if block.number == 50 and len(list(self.directory.iterdir())) <= 2:
                os._exit(1)

    assert run(line(200, Heavy(tmp_path)), client, progress=False)
    loads = [path.read_text() for path in tmp_path.iterdir()]
    assert len(loads) > 2  # a worker that was restarted loads it as well
    assert set(loads) == {"loaded\n"}


def test_a_function_that_workers_cannot_load_ends_the_run(client: Client) -> None:
    class Unloadable:
        def __getstate__(self) -> dict[str, int]:
            return {"something": 1}

        def __setstate__(self, state: Any) -> None:
            raise ModuleNotFoundError("No module named 'elsewhere'")

        def __call__(self, block: Block) -> None:
            pass

    with pytest.raises(RuntimeError, match=r"could not be run at all.*elsewhere"):
        run(line(100, Unloadable()), client, progress=False)


def test_workers_that_die_while_loading_end_the_run(client: Client) -> None:
    class Deadly:
        def __setstate__(self, state: Any) -> None:
            os._exit(1)

        def __call__(self, block: Block) -> None:
            pass

        def __getstate__(self) -> dict[str, int]:
            return {"something": 1}

    with pytest.raises(RuntimeError, match="keep dying before they begin a block"):
        run(line(100, Deadly()), client, progress=False)


def test_what_cannot_be_pickled_is_refused(client: Client) -> None:

    lock = threading.Lock()
    with pytest.raises(TypeError, match="functions of task 'task' cannot be sent"):
        run(line(4, lambda block: lock.locked()), client, progress=False)


def test_two_tasks_of_one_name_are_refused(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="called 'task'"):
        run([line(4, recorder(tmp_path)), line(5, recorder(tmp_path))], client, progress=False)


@pytest.fixture
def threads() -> Iterator[Client]:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_workers_that_are_threads(threads: Client, tmp_path: Path) -> None:
    assert run(line(20, recorder(tmp_path)), threads, progress=False)
    with pytest.raises(ValueError, match="threads of this process"):
        run(line(20, recorder(tmp_path), timeout=1.0), threads, progress=False)


MARK_BYTES = 16
SCRIPT = """
import sys, time
from dask_blockwise.engine.worker.client import Context
from dask_blockwise.engine.task import Task
from dask_blockwise.geometry.blocks import Roi
from dask_blockwise.engine.run import run

def work(block):
    time.sleep(0.2 if block.number < 39 else 1e6)

if __name__ == "__main__":
    roi = Roi((0,), (10,))
    run(Task("task", Roi((0,), (400,)), roi, roi, work, read_write_conflict=False,
             num_workers=None, ledger=sys.argv[1] + "/ledger"))
"""


def test_ctrl_c_keeps_the_ledger_and_says_how_to_go_on(client: Client, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    marks = tmp_path / "ledger/done.bin"
    while not marks.exists() or marks.stat().st_size < 4 * MARK_BYTES:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process
    _, errors = process.communicate(timeout=120)
    (told,) = re.findall(r"^KeyboardInterrupt: (.*)$", errors, re.MULTILINE)
    done = re.fullmatch(
        r"Stopped. Task 'task': (\d+) of 40 blocks are done; the same call goes on from there.",
        told,
    )
    assert done is not None
    assert "(from Nanny)" not in errors
    task = line(40, recorder(tmp_path), ledger=f"{tmp_path}/ledger")
    result = run(task, client, progress=False)["task"]
    assert (result.skipped, result.completed) == (int(done[1]), 40 - int(done[1]))
    assert 0 < result.skipped < 40
