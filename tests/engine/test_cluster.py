"""Clusters from a few arguments."""

from __future__ import annotations

import multiprocessing
import signal
import socket
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


def test_local_cluster_has_a_process_a_core() -> None:
    with local_cluster() as cluster, Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(usable_cores(), timeout=120)
        threads = client.nthreads()
        assert list(threads.values()) == [1] * usable_cores()
        assert all(address.startswith("tcp://") for address in threads)


def test_a_script_without_a_guard_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    process = multiprocessing.current_process()
    monkeypatch.setattr(process, "_inheriting", True, raising=False)
    with pytest.raises(RuntimeError, match="__name__ == '__main__'"):
        local_cluster()


def test_a_local_cluster_is_not_given_up_while_workers_restart(client: Client) -> None:
    timeout = "distributed.deploy.lost-worker-timeout"
    before = dask.config.get(timeout)
    with patient_cluster(client):
        assert dask.config.get(timeout) == "1 day"
    assert dask.config.get(timeout) == before


def test_unknown_batch_system() -> None:
    with pytest.raises(ValueError, match=r"Unknown batch system 'condor'.*slurm, lsf, pbs, sge"):
        jobqueue_cluster("condor", 4)  # type: ignore[arg-type]


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
        "scheduler_options": {"dashboard_address": ":0"},
    }


@pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="needs dask-jobqueue")
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


BSUB = """
type: files
compute_context:
  type: Bsub
  config: {queue: gpu_h100, num_gpus: 2, num_cpus: 8, billing: our-group}
"""


@pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="needs dask-jobqueue")
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
