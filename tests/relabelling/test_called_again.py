"""The same call again finds objects done, whatever they wait for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

import dask_blockwise as dbw
from dask_blockwise import Volume

CUBE, BLOCK = (8, 10, 12), (4, 5, 6)


def periodic(mask: Volume) -> Volume:
    return dbw.map_overlap(maximum_filter, mask, halo=1, boundary="periodic", size=2)


@pytest.mark.parametrize("stored", [False, True], ids=["computed", "of a checkpoint"])
@pytest.mark.parametrize(
    "made",
    [lambda mask: mask, lambda mask: mask.transpose(), periodic],
    ids=["plain", "turned", "periodic"],
)
def test_objects_are_found_done(tmp_path, near, made: Callable[[Volume], Volume], stored: bool):
    values = (np.random.default_rng(0).random(CUBE) < 0.3).astype(np.uint8)
    mask = Volume.from_array(values, voxel_size=(1,) * 3, unit="nm", chunks=BLOCK)
    mask = made(mask.checkpoint(tmp_path / "out.zarr/mask") if stored else mask)
    objects = dbw.relabel(dbw.connected_components(mask))
    path = tmp_path / "out.zarr/objects"
    first = objects.to_zarr(path, client=near, progress=False)
    before = dbw.open_volume(path)[:]
    again = objects.to_zarr(path, client=near, progress=False)
    assert any(task.completed for task in first.tasks)
    assert not any(task.completed for task in again.tasks)
    assert before.any()
    np.testing.assert_array_equal(dbw.open_volume(path)[:], before)
