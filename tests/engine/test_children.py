"""Functions that start processes, which Dask's workers may not unless they are told."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import dask
import pytest
from distributed import Client
from recording import line, recorder

from dask_blockwise import BlocksFailed
from dask_blockwise.engine.cluster import jobqueue_cluster, local_cluster
from dask_blockwise.engine.run import run
from dask_blockwise.engine.task import Task


def starting_a_process(directory: Path) -> Task:
    def start(number: int, attempt: int) -> None:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.map(abs, [-3]) == [3]

    return line(1, recorder(directory, start), max_retries=0)


def test_the_error_says_how(client: Client, tmp_path: Path) -> None:
    summary = run(starting_a_process(tmp_path), client, progress=False)
    first, where, advice = str(BlocksFailed(summary)).splitlines()[:3]
    assert first == "AssertionError: daemonic processes are not allowed to have children"
    assert where.startswith(f"in start ({__file__}:")
    assert '{"distributed.worker.daemon": False}' in advice
    assert 'job_script_prologue=["export DASK_DISTRIBUTED__WORKER__DAEMON=False"]' in advice
    assert advice in summary["task"].errors[0]


def test_as_it_says_on_this_machine(tmp_path: Path) -> None:
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        local_cluster(1) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        assert run(starting_a_process(tmp_path), client, progress=False)


@pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="no dask-jobqueue")
def test_as_it_says_in_jobs(tmp_path: Path) -> None:
    prologue = ["export DASK_DISTRIBUTED__WORKER__DAEMON=False"]
    job = {"memory": "1GB", "job_script_prologue": prologue, "python": sys.executable}
    with (
        jobqueue_cluster("slurm", 0, **job) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        # What SLURM would run.
        script = tmp_path / "job.sh"
        script.write_text(cluster.job_script())
        worker = subprocess.Popen(["bash", str(script)], stderr=subprocess.DEVNULL, cwd=tmp_path)
        try:
            client.wait_for_workers(1, timeout=120)
            assert run(starting_a_process(tmp_path), client, progress=False)
        finally:
            client.shutdown()
            worker.wait(timeout=60)
