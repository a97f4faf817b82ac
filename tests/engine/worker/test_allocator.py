"""What worker processes are told about memory, and what a person has said of it."""

from __future__ import annotations

import os
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest
from distributed import Client
from numpy.typing import NDArray

import dask_blockwise as dbw
from dask_blockwise.engine.cluster import local_cluster
from dask_blockwise.engine.worker.allocator import KeptMemory, memory_settings

NAMES = ("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nannies leave in their own process what they tell workers.
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_worker_processes_keep_memory() -> None:
    with local_cluster(1) as cluster, Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=120)
        (found,) = client.run(_settings).values()
    assert found == dict(memory_settings()) != {}


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_person_has_set_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with dask.config.set({f"distributed.nanny.pre-spawn-environ.{name}": 1024}):
        assert not memory_settings()
    monkeypatch.setenv(name, "1024")
    assert not memory_settings()


def test_what_is_free_goes_back_between_tasks_and_where_little_is_left() -> None:
    with local_cluster(1) as cluster, Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=120)
        # In a worker's thread, as blocks are.
        kept = client.submit(_free_memory_kept, None).result()
        of_another_task = client.submit(_free_memory_kept, None, task="another").result()
        full = client.submit(_free_memory_kept, limit=1e8).result()
        little = client.submit(_free_memory_kept, limit=1e11, task="another").result()
    assert min(kept, little) > 0.9 * SIZE
    assert max(of_another_task, full) < 0.1 * SIZE


# More than threads other than the first keep by themselves.
SIZE = 400 * 2**20


def _free_memory_kept(limit: float | None, task: str = "one") -> int:
    """How much of an array that a batch has freed the process has yet, as another batch begins."""
    taken = psutil.Process().memory_info
    keeps = KeptMemory(limit)
    with keeps.of_batch("one"):
        before = taken().rss
        np.ones(SIZE, np.uint8).sum()
    with keeps.of_batch(task):
        return taken().rss - before


def test_a_run_that_is_over_gives_memory_back(tmp_path: Path) -> None:
    volume = dbw.map_overlap(
        _allocating, dbw.Volume.from_array(np.ones((64,) * 3, np.uint8)), halo=0
    )
    with local_cluster(1) as cluster, Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=120)
        volume.to_zarr(tmp_path / "a.zarr", client=client, progress=False)
        (taken,) = client.run(lambda: psutil.Process().memory_info().rss).values()
        summary = volume.to_zarr(tmp_path / "b.zarr", client=client, progress=False)
    assert summary.tasks[0].peak_memory - taken > 0.8 * SIZE


def _allocating(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ones(SIZE, np.uint8)[: values.size].reshape(values.shape)
