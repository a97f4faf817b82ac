"""Electron microscopy from raw to objects, in jobs of which one is cancelled."""

from __future__ import annotations

import importlib.util
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from distributed import Client
from scipy.ndimage import gaussian_filter

import dask_blockwise as dbw

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(importlib.util.find_spec("dask_jobqueue") is None, reason="dask-jobqueue"),
]

OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0), (0, -3, 0), (0, 0, -3)]


def objects(raw: dbw.Volume, folder: Path) -> dbw.Volume:
    torch.manual_seed(0)
    network = torch.nn.Conv3d(1, len(OFFSETS), 3, padding=1)
    with torch.no_grad():  # Far from 0.5 nearly everywhere.
        network.weight.copy_(4 * torch.randn(network.weight.shape))
        network.bias.fill_(0)  # type: ignore[union-attr]
    affinities = dbw.predict(raw, network, activation="sigmoid", halo=1)
    affinities = affinities.checkpoint(folder / "out.zarr/affinities")
    return dbw.relabel(dbw.watershed(affinities, offsets=OFFSETS, bias=0.3), min_size=5)


def cancel_one(jobs: str, marks: Path) -> None:
    """As soon as the first blocks are done."""
    while not any(path.stat().st_size for path in marks.rglob("done.bin")):
        time.sleep(0.05)
    ask = ["squeue", "--noheader", f"--name={jobs}", "--format=%i"]
    running = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["scancel", running[0]], check=True)


def test_objects_in_jobs_are_those_of_a_local_run(
    slurm: Path, client: Client, tmp_path: Path
) -> None:
    smooth = gaussian_filter(np.random.default_rng(0).random((48, 48, 48)), 2)
    values = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    dbw.Volume.from_array(
        values, voxel_size=(8, 8, 8), unit="nanometer", chunks=(12, 24, 24)
    ).to_zarr(tmp_path / "raw.zarr/raw", client=client, progress=False)
    raw = dbw.open_volume(tmp_path / "raw.zarr/raw")
    here, there = tmp_path / "here", tmp_path / "there"
    objects(raw, here).to_zarr(here / "out.zarr/objects", client=client, progress=False)
    with (
        dbw.cluster("slurm", 2, memory="2GB", walltime="10m", name="em-pipeline") as jobs,
        Client(jobs, set_as_default=False) as far,
    ):
        cancelling = threading.Thread(target=cancel_one, args=("em-pipeline", there))
        cancelling.start()
        run = objects(raw, there).to_zarr(there / "out.zarr/objects", client=far, progress=False)
        cancelling.join()
    assert not sum(task.retries for task in run.tasks)
    for name in ("affinities", "objects"):
        expected, found = (dbw.open_volume(f / f"out.zarr/{name}")[:] for f in (here, there))
        assert len(np.unique(expected)) > 10
        np.testing.assert_array_equal(found, expected)
