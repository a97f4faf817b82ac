"""Volumes of no voxels are refused where they would come to be."""

import dask.array as da
import numpy as np
import pytest
import zarr

import dask_blockwise as dbw
from dask_blockwise import Volume

SOME = Volume.from_array(np.ones((6, 6)))


def opened(folder):
    zarr.create_array(folder, shape=(0, 6), chunks=(3, 3), dtype="u1")
    return dbw.open_volume(folder)


MADE = {
    "numpy": lambda _: Volume.from_array(np.zeros((0, 6))),
    "dask": lambda _: Volume.from_array(da.zeros((6, 0))),
    "channels": lambda _: Volume.from_array(np.zeros((0, 6, 6)), axes="cyx"),
    "crop": lambda _: SOME.crop(dbw.Roi((2, 0), (0, 6))),
    "region": lambda _: SOME[dbw.Roi((0, 0), (0.5, 0.5))],
    "masked": lambda _: SOME.masked(dbw.Roi((0, 0), (0.5, 6))),
    "isel": lambda _: SOME.isel(y=slice(2, 2)),
    "map_overlap": lambda _: dbw.map_overlap(np.abs, SOME, channels=0),
    "create": lambda folder: dbw.create_volume(folder / "a", shape=(0, 6), dtype="u1"),
    "open": lambda folder: opened(folder / "a"),
}


@pytest.mark.parametrize("kind", MADE)
def test_it_is_refused_in_words(tmp_path, kind):
    with pytest.raises(ValueError, match=r"has no voxels|holds voxels"):
        MADE[kind](tmp_path)
    assert not list(tmp_path.glob("*.zarr"))
