"""Runs on a SLURM that is started for them; where that can't be, pytest says so at its end."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client
from recording import line, recorder, runs

from dask_blockwise.engine.any_cluster import cluster
from dask_blockwise.engine.run import run

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(importlib.util.find_spec("dask_jobqueue") is None, reason="dask-jobqueue"),
]


@pytest.fixture(scope="module")
def two_jobs(slurm: Path) -> Iterator[Client]:
    """Two jobs of one worker each."""
    with (
        cluster("slurm", 2, memory="1GB", walltime="10m") as jobs,
        Client(jobs, set_as_default=False) as client,
    ):
        client.wait_for_workers(2, timeout=120)
        yield client


def job_ids(text: str) -> set[str]:
    return set(re.findall(r"job (\d+) runs", text))


def say_job(number: int) -> None:
    print("job", os.environ["SLURM_JOB_ID"], "runs block", number)  # noqa: T201


def test_hanging_and_dying_blocks_cost_no_job(two_jobs: Client, tmp_path: Path) -> None:
    def misbehave(number: int, attempt: int) -> None:
        say_job(number)
        time.sleep(0.002)
        if number == 30 and attempt == 1:
            re.match("(a+)+$", "a" * 60 + "b")  # holds the GIL
        if 40 <= number < 43 and attempt == 1:
            time.sleep(1e6)
        if number == 70:
            os.kill(os.getpid(), signal.SIGKILL)

    task = line(100, recorder(tmp_path, misbehave), max_retries=1, timeout=5.0)
    # Dask looks after so long whether a worker is back, and cancels its job if it isn't.
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}):
        summary = run(task, two_jobs, progress=False)
    assert list(summary["task"].errors) == [70]
    twice = dict.fromkeys([30, 70, *range(40, 43)], 2)
    assert runs(tmp_path) == dict.fromkeys(range(100), 1) | twice
    text = Path(summary["task"].log or "").read_text()
    assert text.count("took longer than its time limit") == 4
    assert len(re.findall(r"job \d+ runs block 70\n", text)) == 2
    assert len(job_ids(text)) == 2


def test_cancelled_jobs_of_any_cluster_are_replaced_and_charge_nobody(
    slurm: Path, tmp_path: Path
) -> None:
    from dask_jobqueue import SLURMCluster

    def cancel(number: int, attempt: int) -> None:
        say_job(number)
        time.sleep(0.05)
        if number in (10, 30) and attempt == 1:
            os.system(f"scancel {os.environ['SLURM_JOB_ID']}")
            time.sleep(60)

    task = line(64, recorder(tmp_path, cancel), max_retries=0)
    options = {"log_directory": str(tmp_path), "scheduler_options": {"dashboard_address": ":0"}}
    with (
        SLURMCluster(n_workers=2, cores=1, memory="1GB", walltime="00:10:00", **options) as jobs,
        Client(jobs, set_as_default=False) as client,
    ):
        summary = run(task, client, progress=False)
    assert summary
    assert summary["task"].retries == 0
    assert runs(tmp_path) == dict.fromkeys(range(64), 1) | {10: 2, 30: 2}
    text = Path(summary["task"].log or "").read_text()
    assert len(re.findall(r"job \d+ ended \(CANCELLED.*\); no attempt is counted", text)) == 2
    assert len(job_ids(text)) >= 3


def test_a_refused_job_is_one_short_error(slurm: Path) -> None:
    with pytest.raises(RuntimeError) as refused:
        cluster("slurm", 3, memory="900TB", walltime="10m")
    told = str(refused.value).splitlines()
    assert len(told) < 4
    assert "sbatch: error: Memory specification can not be satisfied" in told


def test_the_wait_for_a_job_that_never_starts_ends(
    slurm: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_blockwise.engine.crew._LONELY_SECONDS", (2.0, 300.0))
    with (
        cluster("slurm", 2, job_extra_directives=["--hold"], workers_timeout="8s") as jobs,
        Client(jobs, set_as_default=False) as client,
    ):
        caplog.set_level("WARNING")
        with pytest.raises(RuntimeError, match=r"no worker for \d+ seconds: 2 jobs wait \(2 for J"):
            run(line(4, recorder(tmp_path)), client, progress=False)
    assert "The run waits for workers: 2 jobs wait (2 for JobHeldUser)." in caplog.text
    left = subprocess.run(["squeue", "-h", "--me"], capture_output=True, text=True, check=True)
    assert jobs.job_name not in left.stdout


def test_workers_come_as_there_is_work(slurm: Path, tmp_path: Path) -> None:
    def slow(number: int, attempt: int) -> None:
        say_job(number)
        time.sleep(0.5 if number else 8.0)

    with (
        cluster("slurm", (0, 3), memory="1GB", walltime="10m") as jobs,
        Client(jobs, set_as_default=False) as client,
    ):
        assert not client.nthreads()
        summary = run(line(60, recorder(tmp_path, slow)), client, progress=False)
        text = Path(summary["task"].log or "").read_text()
        end = time.monotonic() + 60
        while client.nthreads() and time.monotonic() < end:
            time.sleep(0.2)
        assert not client.nthreads()
    assert summary
    assert len(job_ids(text)) == 3
    assert runs(tmp_path) == dict.fromkeys(range(60), 1)


def test_jobs_at_their_walltime_are_replaced_and_charge_nobody(slurm: Path, tmp_path: Path) -> None:
    def slow(number: int, attempt: int) -> None:
        say_job(number)
        # What a block takes isn't known yet, and the first goes on until its job is ended.
        time.sleep(120 if number == 0 and attempt == 1 else 0.5)

    with (
        cluster("slurm", 2, memory="1GB", walltime="1m") as jobs,
        Client(jobs, set_as_default=False) as client,
    ):
        summary = run(line(160, recorder(tmp_path, slow), max_retries=0), client, progress=False)
    assert summary
    assert summary["task"].retries == 0
    assert runs(tmp_path) == dict.fromkeys(range(160), 1) | {0: 2}
    text = Path(summary["task"].log or "").read_text()
    assert len(re.findall(r"job \d+ ended \(TIMEOUT.*\); no attempt is counted", text)) == 1
    assert text.count("no attempt is counted") == 1
    assert len(job_ids(text)) >= 3


def test_jobs_of_several_workers_have_a_device_for_each(slurm: Path, tmp_path: Path) -> None:
    def cancel(number: int, attempt: int) -> None:
        say_job(number)
        print("device", os.environ["CUDA_VISIBLE_DEVICES"])  # noqa: T201
        time.sleep(0.05)
        if number == 20 and attempt == 1:
            os.system(f"scancel {os.environ['SLURM_JOB_ID']}")
            time.sleep(60)

    with (
        cluster("slurm", 4, cores=2, gpus=2, memory="2GB", walltime="10m") as jobs,
        Client(jobs, set_as_default=False) as client,
    ):
        client.wait_for_workers(4, timeout=120)
        devices = client.run(_device)
        summary = run(line(60, recorder(tmp_path, cancel)), client, progress=False)
        client.wait_for_workers(4, timeout=120)
        again = client.run(_device)
    assert summary
    assert summary["task"].retries == 0
    assert sorted(devices.values()) == sorted(again.values()) == ["0", "1", "2", "3"]


def _device() -> str:
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_jobs_that_end_before_their_workers_begin_end_the_run(slurm: Path, tmp_path: Path) -> None:
    with (
        cluster("slurm", 2, memory="1GB", job_script_prologue=["exit 3"]) as jobs,
        Client(jobs, set_as_default=False) as client,
        pytest.raises(RuntimeError, match="in a row ended before a worker of theirs began") as told,
    ):
        run(line(4, recorder(tmp_path)), client, progress=False)
    assert "FAILED, NonZeroExitCode" in str(told.value)
    assert f"Their output is in {jobs.folder}/logs." in str(told.value)
