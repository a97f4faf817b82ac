"""What a plan says that blocks read is what they then read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import zarr
from torch import nn

import dask_blockwise as dbw

SHAPE, CHUNK, BLOCK = (40, 48, 30), 16, (13, 16, 8)
Step = Callable[[dbw.Volume, np.random.Generator], dbw.Volume]


def mapped(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    boundary = str(rng.choice(["none", "reflect", "nearest", "periodic"]))
    return dbw.map_overlap(np.copy, volume, halo=int(rng.integers(7)), boundary=boundary)


def cropped(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    low = rng.integers(0, 3, 3)
    shape = np.maximum(1, volume.shape - low - rng.integers(0, 6, 3))
    begin, size = dbw.Coordinate(low.tolist()), volume.voxel_size
    whole = dbw.Coordinate(shape.tolist()) * size
    return volume.crop(dbw.Roi(volume.roi.begin + begin * size, whole))


def turned(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    return volume.transpose(*rng.permutation(list("zyx")).tolist())


def voxelwise(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    return volume + 1


def halved(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    factors = np.minimum(volume.shape, rng.integers(1, 3, 3)).tolist()
    return volume.downsample(factors, method="mean")


def predicted(volume: dbw.Volume, rng: np.random.Generator) -> dbw.Volume:
    size = int(rng.choice([1, 3, 5]))
    same, tiled = rng.integers(0, 2, 2).astype(bool)
    given: dict[str, Any] = {"input_shape": (size + 4,) * 3} if tiled else {}
    if tiled and same and rng.random() < 0.5 and min(volume.shape) >= size + 4:
        given["blend"] = "linear"
    network = nn.Conv3d(1, 1, size, padding=size // 2 if same else 0)
    made = dbw.predict(volume, network, activation="sigmoid", output_dtype="float32", **given)
    return made.isel(c=0)


@pytest.mark.parametrize("seed", range(32))
def test_of_chains_of_stages(tmp_path: Path, near: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    zarr.create_array(tmp_path / "raw", data=rng.random(SHAPE, np.float32), chunks=(CHUNK,) * 3)
    volume = dbw.open_volume(tmp_path / "raw", stands_for=None)
    steps: list[Step] = [mapped, cropped, turned, voxelwise, halved, predicted]
    for number in rng.integers(0, len(steps), rng.integers(1, 5)):
        volume = steps[number](volume, rng)
    how = {"block_shape": BLOCK, "client": near, "progress": False}
    summary = volume.to_zarr(tmp_path / "out.zarr/made", **how)
    assert summary.spent.bytes_read == volume.plan(block_shape=BLOCK).read_bytes


def noted(values: np.ndarray, folder: Path) -> np.ndarray:
    (folder / uuid4().hex).touch()
    return values


@pytest.mark.parametrize("fill", [0, np.nan])
def test_a_mask_is_computed_once_a_block_and_for_no_plan(
    tmp_path: Path, near: Any, fill: float
) -> None:
    values = np.random.default_rng(0).random((6, 8))
    within = np.repeat([0.0, 1.0, 1.0], 2)[:, None] * np.ones(8)
    (calls := tmp_path / "calls").mkdir()
    within = dbw.Volume.from_array(within, chunks=(2, 8), stands_for=None)
    mask = dbw.map_overlap(noted, within, halo=1, dtype="float64", folder=calls) > 0.5
    raw = dbw.Volume.from_array(values, chunks=(2, 8), stands_for=None)
    made = raw.masked(mask, fill=fill)
    assert made.plan().empty is None
    assert "not counted" in str(made.plan())
    assert not any(calls.iterdir())
    summary = made.to_zarr(tmp_path / "out.zarr/made", client=near, progress=False)
    assert (summary["made"].completed, summary["made"].empty) == (2, 1)
    # And once more for the one that is empty.
    assert len(list(calls.iterdir())) == 4
