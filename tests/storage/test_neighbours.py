"""Attributes by which other tools know where arrays lie: read by these tools themselves."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw
from dask_blockwise.storage.groups import put_group

VALUES = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
PLACES = [
    {"voxel_size": (40, 4, 4), "offset": (40, 0, 8), "unit": "nanometer"},
    {"voxel_size": (0.5, 0.25, 0.25), "offset": (1, -0.5, 0), "unit": "micrometer"},
    {"voxel_size": (1, 1, 3)},
]
IDS = ["nanometer", "parts of a micrometer", "no unit"]


def stored(near, path, place, zarr_format, values=VALUES, axes="czyx", **options):
    volume = dbw.Volume.from_array(values, axes=tuple(axes), **place)
    volume.to_zarr(path, zarr_format=zarr_format, progress=False, client=near, **options)
    return volume


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("place", PLACES, ids=IDS)
def test_funlib_persistence_finds_the_same_place(near, tmp_path, place, zarr_format):
    persistence = pytest.importorskip("funlib.persistence", reason="needs funlib.persistence")
    path = tmp_path / "a.zarr/raw"
    volume = stored(near, path, place, zarr_format, pyramid=1)
    for name in "s0", "s1":
        array = persistence.open_ds(str(path / name), strict_metadata=True)
        ours = dbw.open_volume(path / name)
        assert array.voxel_size == ours.voxel_size
        assert array.offset == ours.offset == volume.offset
        assert array.units == [ours.unit] * 3
        assert array.axis_names == list("czyx")
        assert array.roi == ours.roi
        np.testing.assert_array_equal(array[:], ours[:])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_xarray_opens_the_group_by_names_of_dimensions(near, tmp_path, zarr_format):
    xarray = pytest.importorskip("xarray", reason="needs xarray")
    stored(near, tmp_path / "a.zarr/raw", PLACES[0], zarr_format, pyramid=1)
    # Of zarr 2 it takes fill value, 0, for what is missing, unless it is told not to.
    opened = xarray.open_zarr(
        str(tmp_path / "a.zarr/raw"),
        consolidated=False,
        drop_variables=["s1"],
        mask_and_scale=zarr_format == 3,
    )
    assert opened["s0"].dims == tuple("czyx")
    np.testing.assert_array_equal(opened["s0"].to_numpy(), VALUES)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("place", PLACES, ids=IDS)
def test_what_neighbours_read_changes_nothing_here(near, tmp_path, place, zarr_format):
    volume = stored(near, tmp_path / "a.zarr/raw", place, zarr_format)
    for path in "a.zarr/raw", "a.zarr/raw/s0":
        opened = dbw.open_volume(tmp_path / path)
        assert opened.placement == volume.placement
    # An array that is taken out of its image still tells where it lies, in the world's units.
    put_group(str(tmp_path / "a.zarr/raw"), {}, zarr_format)
    alone = dbw.open_volume(tmp_path / "a.zarr/raw/s0")
    assert (alone.roi, alone.unit, alone.axes) == (volume.roi, volume.unit, volume.axes)


def test_time_has_its_own_unit(near, tmp_path):
    place = {"voxel_size": (2, 4, 4), "unit": ["second", "nanometer", "nanometer"]}
    stored(near, tmp_path / "a.zarr", place, 2, values=VALUES[0], axes="tyx")
    found = zarr.open_array(str(tmp_path / "a.zarr/s0"), mode="r").attrs.asdict()
    assert found["units"] == ["second", "nanometer", "nanometer"]
    assert found["types"] == ["time", "space", "space"]
    assert found["_ARRAY_DIMENSIONS"] == ["t", "y", "x"]
