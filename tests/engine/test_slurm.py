"""Runs on a SLURM that is here; none of it runs where none answers, or without dask-jobqueue."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client
from recording import line, recorder, runs

from dask_blockwise.engine.cluster import jobqueue_cluster
from dask_blockwise.engine.run import run


def slurm_answers() -> bool:
    return (
        importlib.util.find_spec("dask_jobqueue") is not None
        and shutil.which("sbatch") is not None
        and subprocess.run(["sinfo"], capture_output=True, timeout=60, check=False).returncode == 0
    )


pytestmark = pytest.mark.skipif(not slurm_answers(), reason="needs a SLURM that answers")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Two jobs of one worker each."""
    logs = tmp_path_factory.mktemp("slurm")
    # Workers import this module too, as functions of it are sent to them.
    path = f"export PYTHONPATH={Path(__file__).parent}:{Path(__file__).parents[1]}:$PYTHONPATH"
    options = {"log_directory": str(logs), "job_script_prologue": [path]}
    with (
        jobqueue_cluster("slurm", 2, memory="1GB", walltime="00:10:00", **options) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(2, timeout=120)
        yield client


def test_hanging_and_dying_blocks_on_slurm(slurm: Client, tmp_path: Path) -> None:
    def misbehave(number: int, attempt: int) -> None:
        print("job", os.environ["SLURM_JOB_ID"], "runs block", number)  # noqa: T201
        time.sleep(0.002)
        if number == 30 and attempt == 1:
            re.match("(a+)+$", "a" * 60 + "b")  # holds the GIL
        if number == 50 and attempt == 1:
            time.sleep(1e6)
        if number == 70:
            os.kill(os.getpid(), signal.SIGKILL)

    task = line(100, recorder(tmp_path, misbehave), max_retries=1, timeout=5.0)
    summary = run(task, slurm, progress=False)
    assert list(summary["task"].errors) == [70]
    assert runs(tmp_path) == dict.fromkeys(range(100), 1) | {30: 2, 50: 2, 70: 2}
    text = Path(summary["task"].log or "").read_text()
    assert text.count("took longer than its time limit") == 2
    assert len(re.findall(r"job \d+ runs block 70\n", text)) == 2
    assert len(set(re.findall(r"job (\d+) runs", text))) == 2


def test_a_job_that_is_cancelled_costs_only_its_block(slurm: Client, tmp_path: Path) -> None:
    def cancel(number: int, attempt: int) -> None:
        time.sleep(0.002)
        if number == 30 and attempt == 1:
            os.system(f"scancel {os.environ['SLURM_JOB_ID']}")
            time.sleep(60)

    summary = run(line(100, recorder(tmp_path, cancel), max_retries=1), slurm, progress=False)
    assert summary
    assert runs(tmp_path) == dict.fromkeys(range(100), 1) | {30: 2}
