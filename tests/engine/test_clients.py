"""Clients that a run is given, of every kind that a person may have."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster, worker_client
from recording import line, recorder, runs

from dask_blockwise import Volume, open_volume
from dask_blockwise.engine.run import run
from dask_blockwise.engine.worker.client import Context


async def in_a_loop(how: str, path: Path) -> bool:
    """Store a volume within an event loop, on a cluster of that loop."""
    volume = Volume.from_array(np.arange(16, dtype=np.uint8), chunks=(4,))
    async with (
        LocalCluster(
            n_workers=1, processes=False, asynchronous=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        options = {"progress": False, "client": client if how != "present" else None}
        if how == "in a thread":
            return bool(await asyncio.to_thread(volume.to_zarr, path, **options))
        return bool(volume.to_zarr(path, **options))


@pytest.mark.parametrize("how", ["given", "present"])
def test_an_asynchronous_client_is_refused_with_what_to_do(how: str, tmp_path: Path) -> None:
    path = tmp_path / "a.zarr/x"
    with pytest.raises(ValueError, match=r"is asynchronous.*asynchronous=False.*to_thread"):
        asyncio.run(in_a_loop(how, path))
    assert not open_volume(path)[:].any()
    assert asyncio.run(in_a_loop("in a thread", path))  # as the error says
    assert open_volume(path)[:].tolist() == list(range(16))


def test_a_client_that_waits_serves_within_an_event_loop(client: Client, tmp_path: Path) -> None:
    async def cell() -> bool:
        return bool(run(line(4, recorder(tmp_path)), client, progress=False))

    assert asyncio.run(cell())
    assert runs(tmp_path) == dict.fromkeys(range(4), 1)


def small_cluster() -> LocalCluster:
    return LocalCluster(n_workers=1, processes=False, dashboard_address=":0")


@pytest.mark.parametrize("closed", ["client", "cluster"])
def test_a_closed_client_is_refused(closed: str, tmp_path: Path) -> None:
    with small_cluster() as cluster, Client(cluster, set_as_default=False) as client:
        (client if closed == "client" else cluster).close()
        with pytest.raises(ValueError, match=r"is closed: .*Make a new client"):
            run(line(4, recorder(tmp_path)), client, progress=False)
    assert runs(tmp_path) == {}


def test_what_is_no_client_is_refused(tmp_path: Path) -> None:
    with small_cluster() as cluster:
        given: Any = cluster
        with pytest.raises(TypeError, match=r"must be a distributed.Client, got LocalCluster"):
            run(line(4, recorder(tmp_path)), given, progress=False)
    assert runs(tmp_path) == {}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_scheduler_that_is_gone_is_told(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    command = "-m distributed.cli.dask_scheduler --host 127.0.0.1 --port 0 --no-dashboard"
    scheduler = subprocess.Popen(
        [sys.executable, *command.split(), "--scheduler-file", str(file)],
        stderr=subprocess.DEVNULL,
    )
    while not file.exists():
        assert scheduler.poll() is None
        time.sleep(0.05)
    with Client(scheduler_file=str(file), timeout=60, set_as_default=False) as client:
        scheduler.kill()
        scheduler.wait()
        client.rpc.timeout = 1.0
        with pytest.raises(ValueError, match=r"scheduler of .* does not answer"):
            run(line(4, recorder(tmp_path)), client, progress=False)
    assert runs(tmp_path) == {}


def test_a_cluster_that_is_closed_meanwhile_ends_the_run(tmp_path: Path) -> None:
    def close(context: Context) -> None:
        threading.Timer(0.5, cluster.close).start()

    task = line(8, lambda block: time.sleep(1), init_callback_fn=close)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
        pytest.raises(RuntimeError, match="scheduler was closed or restarted"),
    ):
        run(task, client, progress=False)


@pytest.fixture
def one_thread() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def store(path: Path, seceded: bool = False) -> bool:
    volume = Volume.from_array(np.arange(16, dtype=np.uint8), chunks=(4,))
    if not seceded:
        return bool(volume.to_zarr(path, progress=False))
    with worker_client() as client:
        return bool(volume.to_zarr(path, progress=False, client=client))


@pytest.mark.parametrize("seceded", [False, True])
def test_a_task_may_run_blocks_on_its_own_cluster_of_one_thread(
    one_thread: Client, tmp_path: Path, seceded: bool
) -> None:
    path = tmp_path / "a.zarr/x"
    assert one_thread.submit(store, path, seceded).result(timeout=120)
    assert open_volume(path)[:].tolist() == list(range(16))
    assert one_thread.submit(pow, 2, 3).result(timeout=120) == 8  # the thread is back


@pytest.mark.parametrize("max_retries", [0, 2], ids=["a lone block", "any block"])
def test_a_block_may_run_blocks_on_its_own_cluster_of_one_thread(
    one_thread: Client, tmp_path: Path, max_retries: int
) -> None:
    def nested(number: int, attempt: int) -> None:
        assert store(tmp_path / f"a.zarr/{number}")

    task = line(2, recorder(tmp_path, nested), max_retries=max_retries, timeout=120.0)
    assert run(task, one_thread, progress=False)
    assert [open_volume(tmp_path / f"a.zarr/{n}")[:].sum() for n in range(2)] == [120, 120]
