"""Clusters by the name of a system: the scripts of their jobs, devices, what is refused."""

from __future__ import annotations

import os
import re
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import Client
from recording import line, recorder

from dask_blockwise.engine.any_cluster import cluster
from dask_blockwise.engine.run import run

needs_jobqueue = pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="no dask-jobqueue")


@pytest.fixture(autouse=True)
def _folder_of_the_test(tmp_path: Path) -> Any:
    if find_spec("dask_jobqueue") is not None:
        import dask_jobqueue  # noqa: F401 - sets what it has by default, once.
    names = ("slurm", "lsf", "pbs", "sge", "htcondor", "oar", "moab")
    settings = {f"jobqueue.{name}.shared-temp-directory": str(tmp_path / "home") for name in names}
    with dask.config.set(settings):
        yield


# What dask-jobqueue itself writes of a job of 4 cores, 16 GB and two hours, made by hand.
DIRECTIVES: dict[str, list[str]] = {
    "slurm": ["-J fib25", "-p long", "-n 1", "--cpus-per-task=4", "--mem=15G", "-t 02:00:00"],
    "lsf": ["-J fib25", "-q long", "-n 4", "-M 16000", "-W 02:00"],
    "pbs": ["-N fib25", "-q long", "-l select=1:ncpus=4:mem=15GB", "-l walltime=02:00:00"],
    "sge": ["-N fib25", "-q long", "-l h_rt=02:00:00"],
    "oar": ["-n fib25", "-q long", "-l /nodes=1/core=4,walltime=02:00:00"],
}
GPUS = {
    "slurm": "#SBATCH --gres=gpu:2",
    "lsf": "#BSUB -gpu num=2",
    "pbs": "#PBS -l select=1:ncpus=4:mem=15259MB:ngpus=2",
    "oar": "#OAR -l /nodes=1/gpu=2,walltime=02:00:00",
    "htcondor": "request_gpus = 2",
}
OPTIONS = {"oar": {"memory_per_core_property_name": "mem_core"}, "lsf": {"lsf_units": "mb"}}


def script_of(system: str, **job: Any) -> str:
    limits = {} if system == "htcondor" else {"walltime": "2h", "queue": "long"}
    job = {
        "cores": 4,
        "memory": "16GB",
        "name": "fib25",
        **limits,
        **OPTIONS.get(system, {}),
        **job,
    }
    with cluster(system, 0, **job) as made:
        shown = repr(made)
        assert made.job_script().strip() in shown
        return str(made.job_script())


@needs_jobqueue
@pytest.mark.parametrize("system", DIRECTIVES)
def test_jobs_ask_for_what_dask_jobqueues_ask_for(system: str) -> None:
    import dask_jobqueue

    script = script_of(system)
    kind = getattr(dask_jobqueue, f"{system.upper()}Cluster")
    limit = "02:00" if system == "lsf" else "02:00:00"
    theirs = {"cores": 4, "processes": 4, "memory": "16GB", "queue": "long", "walltime": limit}
    theirs |= {"job_name": "fib25", "scheduler_options": {"dashboard_address": ":0"}}
    with kind(**theirs, **OPTIONS.get(system, {})) as made:
        expected = made.job_script().splitlines()
    asked = [text for text in script.splitlines() if text.startswith("#")]
    outputs = ("-e ", "-o ")
    mine = [text for text in asked if not text.partition(" ")[2].startswith(outputs)]
    assert mine == [text for text in expected if text.startswith("#")]
    for directive in DIRECTIVES[system]:
        assert any(text.endswith(directive) for text in asked)
    assert "--nthreads 1 --memory-limit 3.73GiB --nworkers 4 --nanny" in script
    assert re.search(r"\$\(\(now \+ 7080 - RANDOM % 601\)\) \$\(\(now \+ 7200\)\)", script)
    assert "--tls-key " in script
    assert "--dashboard-address 127.0.0.1:0 --no-dashboard" in script


@needs_jobqueue
@pytest.mark.parametrize("system", GPUS)
def test_jobs_ask_for_gpus(system: str) -> None:
    script = script_of(system, gpus=2)
    assert GPUS[system] in script.splitlines()
    assert "--nthreads 2 --memory-limit 7.45GiB --nworkers 2" in script
    assert "DASK_BLOCKWISE_DEVICES=" in script
    assert "--preload dask_blockwise.engine.worker.device" in script


@needs_jobqueue
def test_directives_of_a_person_are_added_to_those_for_gpus() -> None:
    script = script_of("slurm", gpus=1, job_extra_directives=["--exclusive"])
    assert {"#SBATCH --gres=gpu:1", "#SBATCH --exclusive"} <= set(script.splitlines())


@needs_jobqueue
def test_a_batch_system_that_is_not_here_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(RuntimeError, match=r"refuses a job:\nthere is no program .*qsub"):
        cluster("sge", 2, memory="1GB")


BSUB = """#!/bin/sh
echo "Request aborted by esub. Job not submitted: no such queue <long>." >&2
exit 255
"""


@needs_jobqueue
@pytest.mark.parametrize("use_stdin", [True, False])
def test_what_bsub_says_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use_stdin: bool
) -> None:
    program = tmp_path / "bsub"
    program.write_text(BSUB)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RuntimeError, match=r"refuses a job:\nRequest aborted by esub.*<long>\.$"):
        cluster("lsf", 1, queue="long", use_stdin=use_stdin)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"walltime": "2h"}, ValueError, "walltime says nothing of this machine, got '2h'"),
        ({"queue": "gpu"}, ValueError, "queue says nothing of this machine"),
        ({"workers_timeout": 5}, ValueError, r"workers_timeout=5 is said of jobs; .*to_zarr\("),
        ({"workers": (3, 1)}, ValueError, r"the least and then the most, got \(3, 1\)"),
        ({"workers": (0,)}, ValueError, "a number, or the least and the most"),
        ({"workers": -1}, ValueError, "workers must be 0 or more, got -1"),
        ({"workers": "4"}, TypeError, "workers must be a whole number, got '4'"),
        ({"gpus": -1}, ValueError, "gpus must be 0 or more"),
        ({"devices": []}, ValueError, r"devices must be named once each, at least one, got \[\]"),
        ({"devices": [1, 1]}, ValueError, "devices must be named once each"),
        ({"devices": [0, 1], "gpus": 1}, ValueError, "gpus=1, but devices names 2"),
        ({"devices": [0], "workers": 2}, ValueError, "2 worker processes can't share 1 devices"),
    ],
    ids=str,
)
def test_what_makes_no_sense_of_this_machine_is_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        cluster("local", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"devices": [0]}, "devices says nothing of jobs"),
        ({"workers_timeout": "soon"}, "workers_timeout must be a positive number of seconds"),
    ],
    ids=str,
)
def test_what_makes_no_sense_of_jobs_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        cluster("slurm", 1, **options)


def test_systems_that_ask_for_gpus_in_many_ways_say_so() -> None:
    pytest.importorskip("dask_jobqueue")
    with pytest.raises(ValueError, match="SGECluster is asked for GPUs in another way at each si"):
        cluster("sge", 0, gpus=2)


def test_this_machine_listens_to_itself_alone(tmp_path: Path) -> None:
    with cluster("local", 2) as made, Client(made, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=120)
        workers = client.run(os.getpid).values()
        listening = [
            found.laddr.ip
            for pid in workers
            for found in psutil.Process(pid).net_connections("tcp")
            if found.status == "LISTEN"
        ]
        assert set(listening) == {"127.0.0.1"}
        assert made.scheduler_address.startswith("tcp://127.0.0.1:")
        ports = {made.scheduler.port, int(made.dashboard_link.rpartition(":")[2].split("/")[0])}
        mine = [found.laddr for found in psutil.Process().net_connections("tcp")]
        assert {address.ip for address in mine if address.port in ports} == {"127.0.0.1"}


def test_each_worker_has_a_device_of_its_own_and_a_new_one_takes_it_over(tmp_path: Path) -> None:
    tokens = [f"{tmp_path.name}-{n}" for n in range(2)]

    def devices(number: int, attempt: int) -> None:
        print("device", os.environ["CUDA_VISIBLE_DEVICES"])  # noqa: T201
        if number == 3 and attempt == 1:
            os.abort()
        time.sleep(0.05)

    with (
        cluster("local", devices=tokens) as made,
        Client(made, set_as_default=False) as client,
    ):
        client.wait_for_workers(2, timeout=120)
        before = set(client.run(_device).values())
        summary = run(line(40, recorder(tmp_path, devices)), client, progress=False)
        client.wait_for_workers(2, timeout=120)
        after = set(client.run(_device).values())
    assert summary
    assert before == after == set(tokens)


def _device() -> str:
    return os.environ["CUDA_VISIBLE_DEVICES"]


def test_a_local_cluster_grows_as_there_is_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask_blockwise.engine.crew._WORTH_SECONDS", 3.0)

    def slow(number: int, attempt: int) -> None:
        print("process", os.getpid())  # noqa: T201
        time.sleep(0.2 if number else 2)

    with cluster("local", (0, 2)) as made, Client(made, set_as_default=False) as client:
        assert not client.nthreads()
        summary = run(line(80, recorder(tmp_path, slow)), client, progress=False)
    text = Path(summary["task"].log or "").read_text()
    assert len(set(re.findall(r"process (\d+)", text))) == 2
