"""What worker processes are told about memory, and what a person has said of it."""

from __future__ import annotations

import os

import dask
import pytest
from distributed import Client

from dask_blockwise.engine.cluster import local_cluster
from dask_blockwise.engine.worker.allocator import memory_settings

NAMES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nannies leave in their own process what they tell workers.
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_worker_processes_keep_memory(monkeypatch: pytest.MonkeyPatch) -> None:
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
