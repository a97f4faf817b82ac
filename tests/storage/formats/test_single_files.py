"""TIFF, HDF5 and npy: equal to what their libraries read, placed by what they say, only read."""

import json
from concurrent.futures import ThreadPoolExecutor
from io import UnsupportedOperation

import h5py
import numpy as np
import pytest
import tifffile
from made_files import MADE, TCZYX, VALUES, hdf5, npy, tiff
from regions import numbers, whole

import dask_blockwise as dbw
from dask_blockwise.cli import main
from dask_blockwise.storage.arrays import open_array
from dask_blockwise.storage.arrays_below import array_paths


@pytest.mark.parametrize("kind", MADE)
def test_voxels_equal_what_was_written(tmp_path, kind):
    volume = dbw.open_volume(MADE[kind](tmp_path))
    assert (volume.axes, volume.dtype, volume.dtype.isnative) == (("z", "y", "x"), "u2", True)
    np.testing.assert_array_equal(volume[:], VALUES)
    np.testing.assert_array_equal(volume[1:4, 9:33, 15:34], VALUES[1:4, 9:33, 15:34])
    corners = [(z, y) for z in range(4) for y in range(0, 39, 5)]
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda at: volume[at[0] : at[0] + 2, at[1] : at[1] + 9, 3:], corners)
        for (z, y), part in zip(corners, parts):
            np.testing.assert_array_equal(part, VALUES[z : z + 2, y : y + 9, 3:])


@pytest.mark.parametrize("kind", ["npy", "tif.zlib", "tif", "h5.chunks"])
def test_worker_processes_read_it(tmp_path, client, kind):
    volume = dbw.open_volume(MADE[kind](tmp_path))
    twice = dbw.map_overlap(lambda a: a * 2, volume, halo=1, dtype="u2")
    assert twice.to_zarr(
        tmp_path / "o.zarr", client=client, block_shape=(2, 16, 32), progress=False
    )
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "o.zarr")[:], VALUES * 2)
    np.testing.assert_array_equal(client.compute(volume.data).result(), VALUES)


@pytest.mark.parametrize(
    ("axes", "order", "kind"),
    [
        ("TZCYX", (0, 2, 1, 3, 4), "imagej"),
        ("TZCYX", (0, 2, 1, 3, 4), "ome"),
        ("TCZYX", (0, 1, 2, 3, 4), "ome"),
        ("ZTCYX", (2, 0, 1, 3, 4), "ome"),
        ("czyxt", (1, 2, 3, 4, 0), "h5"),
        ("tzyxc", (0, 2, 3, 4, 1), "h5"),
        ("txyzc", (0, 4, 3, 2, 1), "h5"),
    ],
)
def test_axes_are_turned(tmp_path, axes, order, kind):
    values = TCZYX.transpose(order)
    if kind == "h5":
        tags = json.dumps({"axes": [{"key": axis, "resolution": 0} for axis in axes]})
        path = hdf5(tmp_path / "a.h5", values, attributes={"axistags": tags}, chunks=(2,) * 5)
    else:
        path = tiff(tmp_path / "a.tif", values, metadata={"axes": axes}, **{kind: True})
    volume = dbw.open_volume(path)
    assert volume.axes == ("t", "c", "z", "y", "x")
    np.testing.assert_array_equal(volume[:], TCZYX)
    np.testing.assert_array_equal(volume[1:, :, 1:3, 2:9, 4:7], TCZYX[1:, :, 1:3, 2:9, 4:7])


def test_samples_are_channels(tmp_path):
    values = numbers(2, 20, 30, 3, dtype="u1")
    for settings in ({}, {"compression": "zlib"}):
        volume = dbw.open_volume(tiff(tmp_path / "a.tif", values, photometric="rgb", **settings))
        assert (volume.axes, volume.shape[0]) == (("c", "z", "y", "x"), 3)
        np.testing.assert_array_equal(volume[:], values.transpose(3, 0, 1, 2))


OME = {"axes": "ZYX", "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25}
OME |= {"PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 1000, "PhysicalSizeZUnit": "nm"}
NO_Z = {key: value for key, value in OME.items() if "SizeZ" not in key}


@pytest.mark.parametrize(
    ("options", "voxel_size", "unit"),
    [
        ({"ome": True, "metadata": OME}, (1000, 250, 250), "nanometer"),
        ({"ome": True, "metadata": NO_Z}, (1, 1, 1), ""),
        (
            {
                "imagej": True,
                "metadata": {"axes": "ZYX", "spacing": 0.5, "unit": "um"},
                "resolution": (1 / 0.235, 1 / 0.15),
            },
            *((500, 150, 235), "nanometer"),
        ),
        (
            {
                "imagej": True,
                "metadata": {"axes": "ZYX", "unit": "\\u00B5m"},
                "resolution": (2, 2),
            },
            *((1000, 500, 500), "nanometer"),
        ),
        ({"imagej": True, "metadata": {"axes": "ZYX"}, "resolution": (2, 2)}, (1, 1, 1), ""),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, (1, 1, 1), ""),
    ],
)
def test_sizes_of_tiff(tmp_path, options, voxel_size, unit):
    volume = dbw.open_volume(tiff(tmp_path / "a.tif", **options))
    assert (volume.voxel_size, volume.unit) == (voxel_size, unit)


def test_sizes_that_are_left_out_are_told(tmp_path, capsys):
    path = tiff(tmp_path / "a.ome.tif", metadata=NO_Z)
    said = "its file says y 0.25 µm, x 0.25 µm and no size along z: none is taken"
    assert said in repr(dbw.open_volume(path))
    main(["info", str(path)])
    assert said in capsys.readouterr().out
    for sized in (
        dbw.open_volume(path, voxel_size=(4, 1, 1), unit="um"),
        dbw.Volume.from_array(VALUES),
    ):
        assert "none is taken" not in repr(sized)
    for metadata in OME, {"axes": "ZYX"}:
        whole = dbw.open_volume(tiff(tmp_path / "b.ome.tif", metadata=metadata))
        assert "none is taken" not in repr(whole)


def test_a_series_in_time(tmp_path):
    said = {"axes": "TYX", "TimeIncrement": 0.5, "TimeIncrementUnit": "s", "PhysicalSizeX": 2}
    said |= {"PhysicalSizeY": 2}
    volume = dbw.open_volume(tiff(tmp_path / "a.ome.tif", metadata=said))
    place = volume.placement
    assert (place.voxel_size, place.unit, place.time_unit) == (
        (500, 2, 2),
        "micrometer",
        "millisecond",
    )


@pytest.mark.parametrize(
    ("attributes", "voxel_size", "unit"),
    [
        ({"element_size_um": [0.235, 0.15, 0.15]}, (235, 150, 150), "nanometer"),
        (
            {"element_size_um": [0.2837183895131086, 0.12756971653115998, 0.12756971653115998]},
            (283718, 127570, 127570),
            "picometer",
        ),
        (
            {"element_size_um": np.array([1, 0.1, 1 / 3], np.float32)},
            (10**6, 10**5, 333333),
            "picometer",
        ),
        ({"resolution": np.array([40, 4, 4.0])}, (40, 4, 4), ""),
        ({"voxel_size": [40, 4, 4], "units": ["nm"] * 3}, (40, 4, 4), "nanometer"),
        ({"resolution": [40, 4, 4], "unit": np.bytes_(b"nm")}, (40, 4, 4), "nanometer"),
        ({}, (1, 1, 1), ""),
    ],
)
def test_sizes_of_hdf5(tmp_path, attributes, voxel_size, unit):
    volume = dbw.open_volume(hdf5(tmp_path / "a.h5", attributes=attributes))
    assert (volume.voxel_size, volume.unit) == (voxel_size, unit)


def test_sizes_are_turned_with_the_axes(tmp_path):
    tags = json.dumps({"axes": [{"key": axis} for axis in "xyzc"]})
    said = {"axistags": tags, "element_size_um": [1, 2, 3], "offset": [4, 6, 9]}
    volume = dbw.open_volume(hdf5(tmp_path / "a.h5", np.zeros((4, 5, 6, 2)), attributes=said))
    assert (volume.shape, volume.voxel_size, volume.offset) == ((2, 6, 5, 4), (3, 2, 1), (9, 6, 4))


def test_labels_of_dimensions_are_axes(tmp_path):
    path = hdf5(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        for dim, label in zip(file["raw"].dims, "tyx"):
            dim.label = label
    assert dbw.open_volume(path).axes == ("t", "y", "x")


def test_real_files(data):
    pairs = {"fib25/raw.tif": None, "fluorescence/cellfinder_lightsheet_30x256x256.tif": None}
    pairs |= {f"fluorescence/ovule_cells_32x128x128.h5/{name}": name for name in ("raw", "label")}
    for path, name in pairs.items():
        volume = dbw.open_volume(data / path)
        expected = tifffile.imread(data / path) if name is None else None
        if name:
            with h5py.File((data / path).parent) as file:
                expected = file[name][:]
        np.testing.assert_array_equal(volume[:], expected)
    assert (volume.voxel_size, volume.unit) == ((235, 150, 150), "nanometer")
    nuclei = dbw.open_volume(data / "fluorescence/ovule_nuclei_1136_100.h5/raw")
    assert (nuclei.voxel_size, nuclei.unit) == ((283718, 127570, 127570), "picometer")


def test_listings_know_them(tmp_path):
    for make in (npy, tiff):
        make(tmp_path / f"a.{make.__name__.replace('tiff', 'tif')}")
    hdf5(tmp_path / "b.h5", name="x/raw")
    hdf5(tmp_path / "b.h5", name="label")
    (tmp_path / "c.tif").write_bytes(b"none")
    found = ["a.npy", "a.tif", "b.h5/label", "b.h5/x/raw", "c.tif"]
    assert array_paths(tmp_path) == found
    for path in ("b.h5", "b.h5/x", "b.h5/none"):
        with pytest.raises(FileNotFoundError, match=r"file has .*b\.h5/label, .*b\.h5/x/raw"):
            dbw.open_volume(tmp_path / path)


@pytest.mark.parametrize("name", ["a.tif", "a.npy", "a.h5/raw"])
def test_a_file_in_a_bucket_says_where_to_copy_it(bucket, name):
    with pytest.raises(FileNotFoundError, match="opened from a disk, copy it"):
        dbw.open_volume(f"{bucket}/{name}")


@pytest.mark.parametrize("kind", ["npy", "tif", "h5"])
def test_they_are_only_read(tmp_path, kind):
    path = MADE[kind](tmp_path)
    array = open_array(path)
    for act in (
        lambda: array.write(whole(array), VALUES),
        lambda: dbw.open_volume(path).to_zarr(path, overwrite=True, progress=False),
        lambda: dbw.create_volume(path, shape=(4, 4), dtype="u1", overwrite=True),
        lambda: dbw.create_volume(path / "b", shape=(4, 4), dtype="u1"),
    ):
        with pytest.raises((FileExistsError, UnsupportedOperation, ValueError)):
            act()
    np.testing.assert_array_equal(dbw.open_volume(path)[:], VALUES)
