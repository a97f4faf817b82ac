"""What a plan says that blocks read is what they then read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw

SHAPE, CHUNK, BLOCK = (40, 48, 30), 16, (13, 16, 8)
Step = Callable[[dbw.Volume, np.random.Generator], dbw.Volume]


def mapped(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    boundary = str(rng.choice(["none", "reflect", "nearest"]))
    return dbw.map_overlap(np.copy, volume, halo=int(rng.integers(7)), boundary=boundary)


def cropped(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    low = rng.integers(0, 3, 3)
    shape = np.maximum(1, volume.shape - low - rng.integers(0, 6, 3))
    return volume.crop(dbw.Roi(volume.roi.begin + dbw.Coordinate(low.tolist()), shape.tolist()))


def turned(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    return volume.transpose(*rng.permutation(list("zyx")).tolist())


def voxelwise(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    return volume + 1


@pytest.mark.parametrize("seed", range(16))
def test_of_chains_of_stages(tmp_path: Path, near: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    zarr.create_array(tmp_path / "raw", data=rng.random(SHAPE, np.float32), chunks=(CHUNK,) * 3)
    volume = dbw.open_volume(tmp_path / "raw", stands_for=None)
    steps: list[Step] = [mapped, cropped, turned, voxelwise]
    for number in rng.integers(0, len(steps), rng.integers(1, 5)):
        volume = steps[number](volume, rng)
    how = {"block_shape": BLOCK, "client": near, "progress": False}
    summary = volume.to_zarr(tmp_path / "out.zarr/made", **how)
    assert summary.spent.bytes_read == volume.plan(block_shape=BLOCK).read_bytes
