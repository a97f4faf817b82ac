"""A run that is given no client goes through the cluster that is open."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import dask_blockwise as dbw
from dask_blockwise.engine import clients


@pytest.fixture(autouse=True)
def nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No client is the present one, whatever other tests have made."""
    monkeypatch.setattr(clients, "_present", lambda: None)


def process(values: NDArray[Any]) -> NDArray[Any]:
    """The number of the process that computes it."""
    return np.full(values.shape, os.getpid())


def test_an_open_cluster_is_used(tmp_path: Path) -> None:
    volume = dbw.Volume.from_array(np.zeros((4, 4)), chunks=(2, 2))
    mapped = dbw.map_overlap(process, volume, halo=0, dtype=int)
    with dbw.local_cluster(1, processes=False) as cluster:
        mapped.to_zarr(tmp_path / "a.zarr/x", progress=False)
        assert cluster.status.name == "running"
    # A cluster of the run's own has others.
    assert (dbw.open_volume(tmp_path / "a.zarr/x")[:] == os.getpid()).all()


def test_of_several_it_is_asked_which(tmp_path: Path) -> None:
    volume = dbw.Volume.from_array(np.zeros((4, 4)), chunks=(2, 2))
    one, other = (dbw.local_cluster(1, processes=False) for _ in range(2))
    with one, other, pytest.raises(ValueError, match=r"2 clusters are open.*client=Client"):
        dbw.threshold(volume, 1).to_zarr(tmp_path / "a.zarr/x", progress=False)
