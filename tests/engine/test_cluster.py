"""Clusters from a few arguments."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster

from dask_blockwise.engine.cluster import (
    create_compute_context,
    jobqueue_cluster,
    local_cluster,
    patient_cluster,
    usable_cores,
)
from dask_blockwise.engine.jobs.systems import BATCH_SYSTEMS

needs_jobqueue = pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="no dask-jobqueue")


def test_local_cluster_has_a_process_a_core() -> None:
    with local_cluster() as cluster, Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(usable_cores(), timeout=120)
        threads = client.nthreads()
        assert list(threads.values()) == [1] * usable_cores()
        assert all(address.startswith("tcp://") for address in threads)


SCRIPT = """
import multiprocessing
import sys
from dask_blockwise.engine.cluster import local_cluster

def start():
    with local_cluster(n_workers=1, processes=False):
        print("started")

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=start)
    process.start()
    process.join()
elif sys.argv[1] == "unguarded":
    start()
"""


@pytest.mark.parametrize("kind", ["guarded", "unguarded"])
def test_a_script_without_a_guard_is_told_so(tmp_path: Path, kind: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), kind]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    told = re.search(r"^RuntimeError: A worker.*if __name__ == '__main__':", ended.stderr, re.M)
    assert (ended.stdout, bool(told)) == (("started\n", False) if kind == "guarded" else ("", True))


UNGUARDED = """
import numpy as np
import dask_blockwise as dbw

volume = dbw.Volume.from_array(np.arange(8.0).reshape(2, 4), chunks=(2, 2))
dbw.threshold(volume, 5).to_zarr("a.zarr/x", progress=False)
"""


def test_a_script_that_stores_without_a_guard_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(UNGUARDED)
    command, options = [sys.executable, "script.py"], {"capture_output": True, "text": True}
    ended = subprocess.run(command, cwd=tmp_path, timeout=150, check=False, **options)
    assert ended.stderr.splitlines()[-1].endswith("under `if __name__ == '__main__':`.")
    # What the worker says: not that its own driver has the output.
    assert re.search(r"^RuntimeError: A worker process imported this script", ended.stderr, re.M)
    assert "Another run" not in ended.stderr


PIPED = """
from dask_blockwise import Volume, map_overlap, open_volume
import numpy as np

def twice(values):
    return 2 * values

volume = Volume.from_array(np.arange(8.0).reshape(2, 4), chunks=(2, 2))
doubled = map_overlap(twice, volume, halo=0, dtype=float)
doubled.to_zarr("a.zarr/x", progress=False)
print(open_volume("a.zarr/x")[:].tolist())
"""


def test_a_script_may_come_from_stdin(tmp_path: Path) -> None:
    command = [sys.executable, "-"]
    options = {"capture_output": True, "text": True, "timeout": 150, "check": False}
    ended = subprocess.run(command, input=PIPED, cwd=tmp_path, **options)
    assert ended.stdout == "[[0.0, 2.0, 4.0, 6.0], [8.0, 10.0, 12.0, 14.0]]\n", ended.stderr


def test_a_local_cluster_is_not_given_up_while_workers_restart(client: Client) -> None:
    timeout = "distributed.deploy.lost-worker-timeout"
    before = dask.config.get(timeout)
    with patient_cluster(client):
        assert dask.config.get(timeout) == "1 day"
    assert dask.config.get(timeout) == before


def test_unknown_batch_system() -> None:
    with pytest.raises(TypeError, match=r"no such option: .* 'memroy'"):
        local_cluster(n_workers=1, memroy="1GB")
    with pytest.raises(ValueError, match=r"Unknown batch system 'condor'.*slurm, lsf, pbs, sge"):
        jobqueue_cluster("condor", 4)
    with pytest.raises(TypeError, match="a name, a class or a function, got None"):
        jobqueue_cluster(None, 4)  # type: ignore[arg-type]


def test_missing_dask_jobqueue_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(ImportError, match=r"pip install 'dask-blockwise\[hpc\]'"):
        jobqueue_cluster("slurm", 4)


class FakeCluster:
    def __init__(self, **job: Any) -> None:
        self.job = job

    def scale(self, n: int) -> None:
        self.workers = n


@pytest.mark.parametrize("system", ["slurm", "lsf", "pbs", "sge"])
def test_jobqueue_arguments(monkeypatch: pytest.MonkeyPatch, system: Any) -> None:
    module = types.ModuleType("dask_jobqueue")
    setattr(module, f"{system.upper()}Cluster", FakeCluster)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", module)
    cluster: Any = jobqueue_cluster(system, 8, cores=4, memory="16GB", queue="gpu", account="me")
    assert cluster.workers == 8
    assert cluster.job == {
        "cores": 4,
        "processes": 4,
        "memory": "16GB",
        "walltime": "24:00" if system == "lsf" else "24:00:00",
        "queue": "gpu",
        "account": "me",
    }


@needs_jobqueue
@pytest.mark.parametrize("where", ["given", "configured"])
def test_a_batch_systems_dashboard_is_where_it_is_wanted(where: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"dashboard_address": f":{port}"}
    job = {"scheduler_options": options} if where == "given" else {}
    wanted = {} if where == "given" else {"jobqueue.slurm.scheduler-options": options}
    with dask.config.set(wanted), jobqueue_cluster("slurm", 0, **job) as cluster:
        assert f":{port}/" in cluster.dashboard_link


# What the script of a job of 4 cores and 16 GB says in each system.
SCRIPTS = {
    "slurm": ("#SBATCH --cpus-per-task=4", "#SBATCH --mem=15G", "#SBATCH -t 24:00:00"),
    "lsf": ("#BSUB -n 4", "#BSUB -W 24:00"),
    "pbs": ("#PBS -l select=1:ncpus=4:mem=15GB", "#PBS -l walltime=24:00:00"),
    "sge": ("#$ -l h_rt=24:00:00",),
    "htcondor": (
        *("MY.DaskWorkerCores = 4", "MY.DaskWorkerMemory = 16000000000"),
        *("MY.DaskWorkerDisk = 16000000000", "Queue"),
    ),
    "oar": ("#OAR -l /nodes=1/core=4,walltime=24:00:00", "#OAR -p mem_core>=3815"),
    "moab": ("#PBS -l select=1:ncpus=4:mem=15GB", "#PBS -l walltime=24:00:00"),
}
OPTIONS = {"oar": {"memory_per_core_property_name": "mem_core"}}


@needs_jobqueue
@pytest.mark.parametrize("system", BATCH_SYSTEMS)
@pytest.mark.parametrize("by", ["name", "class", "own class"])
def test_each_batch_system_is_asked_as_it_wants(system: str, by: str) -> None:
    import dask_jobqueue

    kind = getattr(dask_jobqueue, BATCH_SYSTEMS[system].cluster)
    given = {"name": system, "class": kind, "own class": type("Ours", (kind,), {})}[by]
    job = {"cores": 4, "memory": "16GB", **OPTIONS.get(system, {})}
    with jobqueue_cluster(given, 0, **job) as cluster:
        script = cluster.job_script()
    lines = script.splitlines()
    assert [line for line in SCRIPTS[system] if line not in lines] == []
    assert "--nthreads 1 --memory-limit 3.73GiB --nworkers 4 --nanny" in script


@needs_jobqueue
def test_oar_without_the_name_of_its_memory_says_so() -> None:
    with (
        pytest.warns(UserWarning, match="memory_per_core_property_name"),
        jobqueue_cluster("oar", 0) as cluster,
    ):
        assert "#OAR -l /nodes=1/core=1,walltime=24:00:00\n" in cluster.job_script()


@needs_jobqueue
@pytest.mark.parametrize("option", ["walltime", "queue"])
def test_an_option_that_a_system_lacks_is_refused(option: str) -> None:
    message = f"Jobs of HTCondorCluster have no {option}, got 'x'.*job_extra_directives"
    with pytest.raises(ValueError, match=message):
        jobqueue_cluster("htcondor", 0, **{option: "x"})


@needs_jobqueue
@pytest.mark.parametrize(
    ("job", "configured", "disk"),
    [({"disk": "2GB"}, "1GB", 2), ({}, "1GB", 1), ({}, None, 4)],
    ids=["given", "configured", "neither"],
)
def test_the_disk_of_a_job(job: dict[str, str], configured: str | None, disk: int) -> None:
    with (
        dask.config.set({"jobqueue.htcondor.disk": configured}),
        jobqueue_cluster("htcondor", 0, **job) as cluster,
    ):
        assert f"MY.DaskWorkerDisk = {disk}000000000\n" in cluster.job_script()


@needs_jobqueue
def test_a_system_of_ones_own() -> None:
    from dask_jobqueue.core import JobQueueCluster
    from dask_jobqueue.local import LocalJob

    class Ours(JobQueueCluster):
        job_cls = LocalJob

    with jobqueue_cluster(Ours, 0, queue="gpu") as cluster:
        assert "--memory-limit 3.73GiB" in cluster.job_script()


def test_a_function_is_given_what_the_job_is_asked_for() -> None:
    cluster: Any = jobqueue_cluster(FakeCluster, 2, queue="gpu", account="me")
    assert cluster.workers == 2
    asked = {"cores": 1, "processes": 1, "memory": "4GB", "queue": "gpu", "account": "me"}
    assert cluster.job == asked


BSUB = """
type: files
compute_context:
  type: Bsub
  config: {queue: gpu_h100, num_gpus: 2, num_cpus: 8, billing: our-group}
"""


@needs_jobqueue
def test_dacapos_options_are_jobs_that_ask_lsf_for_the_same(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    (tmp_path / "dacapo.yaml").write_text(BSUB)
    with create_compute_context(tmp_path / "dacapo.yaml", 0, memory="15GB") as cluster:
        script = cluster.job_script()
    for asked in ("-q gpu_h100", "-gpu num=2", "-n 8", '-P "our-group"'):
        assert f"#BSUB {asked}\n" in script
    assert script.split("--nthreads ")[-1].split()[0] == "1"  # the last one holds
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "text", ["", "compute_context: {type: LocalTorch, config: {device: cuda}}"]
)
def test_without_bsub_dacapos_options_are_this_machine(tmp_path: Path, text: str) -> None:
    (tmp_path / "dacapo.yaml").write_text(text)
    with create_compute_context(tmp_path / "dacapo.yaml", 1, processes=False) as cluster:
        assert isinstance(cluster, LocalCluster)
        assert len(cluster.workers) == 1


def test_an_unknown_compute_context_is_named() -> None:
    options = {"compute_context": {"type": "Kubernetes"}}
    with pytest.raises(ValueError, match=r"compute context 'Kubernetes'.*LocalTorch or Bsub"):
        create_compute_context(options, 4)
