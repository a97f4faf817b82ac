"""Axes that files name otherwise than this package: understood or refused, never guessed."""

import json

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw
from dask_blockwise.volumes.frame import check_axes
from dask_blockwise.volumes.known import KnownArrays
from dask_blockwise.volumes.spans import Reading
from dask_blockwise.volumes.volume import Volume


def of_names(path, names, zarr_format=3):
    """An array whose dimensions have these names."""
    shape = tuple(range(2, 2 + len(names)))
    if zarr_format == 3:
        zarr.create_array(path, shape=shape, dtype="u1", dimension_names=names)
        return path
    made = zarr.create_array(path, shape=shape, dtype="u1", zarr_format=2)
    made.attrs["_ARRAY_DIMENSIONS"] = list(names)
    return path


def n5(path, names):
    """The head of an N5 array."""
    path.mkdir()
    n = len(names)
    head = {"dimensions": [4] * n, "blockSize": [4] * n, "dataType": "uint8", "axes": names}
    path.joinpath("attributes.json").write_text(json.dumps(head | {"compression": {"type": "raw"}}))
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_names_of_dimensions(tmp_path, zarr_format):
    path = of_names(tmp_path / "a", ["time", "Y", "X"], zarr_format)
    assert dbw.open_volume(path).axes == ("t", "y", "x")


@pytest.mark.parametrize("names", [["s", "y", "x"], ["q", "z", "y", "x"], ["y", "y", "x"]])
def test_others_are_refused_by_name_of_the_file(tmp_path, names):
    paths = [of_names(tmp_path / f"zarr{version}", names, version) for version in (2, 3)]
    for path in (*paths, n5(tmp_path / "n5", names[::-1])):
        with pytest.raises(
            ValueError, match=rf"{path} can't be understood: .*( z, y and x|\"y\" not)"
        ):
            dbw.open_volume(path)


def test_a_dimension_without_a_name_among_others(tmp_path):
    path = of_names(tmp_path / "a", [None, "y", "x"])
    with pytest.raises(ValueError, match=r"\(None, 'y', 'x'\) aren't understood"):
        dbw.open_volume(path)
    assert dbw.open_volume(of_names(tmp_path / "b", [None] * 3)).axes == ("z", "y", "x")


@pytest.mark.parametrize("axes", ["syx", ["s", "y", "x"], "yyx", ("", "y", "x"), "zyxtc", "tc1"])
def test_arguments(tmp_path, axes):
    array = np.zeros([2] * len(axes), np.uint8)
    for act in (
        lambda: Volume.from_array(array, axes=axes),
        lambda: dbw.create_volume(tmp_path / "a.zarr", shape=array.shape, dtype="u1", axes=axes),
    ):
        with pytest.raises(ValueError, match="axes"):
            act()
    assert not (tmp_path / "a.zarr").exists()


def test_capital_letters_as_arguments(tmp_path):
    volume = Volume.from_array(np.zeros((2, 3, 4)), axes="TYX", voxel_size=(1, 4, 4))
    made = dbw.create_volume(tmp_path / "a.zarr", shape=(2, 3, 4), dtype="u1", axes=("C", "Y", "X"))
    assert (volume.axes, made.axes) == (("t", "y", "x"), ("c", "y", "x"))
    assert dbw.open_volume(tmp_path / "a.zarr").axes == ("c", "y", "x")


@pytest.mark.parametrize("axes", [("s", "x"), ("t", "c"), ("c",), ("x", "c"), ("y", "y"), ("y",)])
def test_a_frame_refuses_them_too(axes):
    with pytest.raises(ValueError, match="out of 'z', 'y' and 'x'"):
        check_axes(axes, 1 if axes == ("c",) else 2)


def image(path, names, shape, **more):
    """An image of OME-Zarr 0.4; more of what is said of its axes, by name."""
    values = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=values, chunks=(2,) * len(shape))
    axes = [{"name": name} | more.get(name, {}) for name in names]
    scale = {"type": "scale", "scale": [2.0 + n for n in range(len(shape))]}
    level = {"path": "0", "coordinateTransformations": [scale]}
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [level]}]
    return path, values


CHANNEL = {"type": "channel"}


@pytest.mark.parametrize(
    ("names", "shape", "more", "order", "axes", "size"),
    [
        ("zyxc", (4, 5, 6, 3), {}, (3, 0, 1, 2), "czyx", (2, 3, 4)),
        (("y", "x", "dye"), (5, 6, 3), {"dye": CHANNEL}, (2, 0, 1), "cyx", (2, 3)),
        (("Y", "X", "C", "T"), (5, 6, 3, 2), {}, (3, 2, 0, 1), "tcyx", (5, 2, 3)),
        ("ctyx", (3, 2, 5, 6), {}, (1, 0, 2, 3), "tcyx", (3, 4, 5)),
        ("TCZYX", (2, 3, 4, 5, 6), {}, (0, 1, 2, 3, 4), "tczyx", (2, 4, 5, 6)),
        ("xyzc", (4, 5, 6, 3), {}, (3, 0, 1, 2), "cxyz", (2, 3, 4)),
    ],
)
def test_time_and_channels_come_first(tmp_path, near, names, shape, more, order, axes, size):
    path, values = image(tmp_path / "a", names, shape, **more)
    volume = dbw.open_volume(path)
    np.testing.assert_array_equal(volume[:], values.transpose(order))
    assert ("".join(volume.axes), volume.placement.written_size) == (axes, size)
    assert volume.chunks == (2,) * len(shape)
    np.testing.assert_array_equal(volume.data.compute(), values.transpose(order))
    part = tuple(slice(1, n) for n in volume.shape)
    np.testing.assert_array_equal(volume[part], values.transpose(order)[part])


def test_a_chunk_that_changed_is_known_by_its_place(tmp_path, near):
    path, values = image(tmp_path / "a", "yxc", (4, 6, 2))
    made = dbw.map_overlap(np.negative, dbw.open_volume(path), halo=0)
    made.to_zarr(tmp_path / "out.zarr/a", progress=False)
    assert dbw.status(tmp_path / "out.zarr/a").is_current
    zarr.open_array(path / "0")[2:4, 4:6, :] = 7
    values[2:4, 4:6, :] = 7
    assert "1 of 6 chunks changed" in dbw.status(tmp_path / "out.zarr/a").changes[0]
    summary = made.to_zarr(tmp_path / "out.zarr/a", progress=False, on_change="redo")
    assert (summary.tasks[0].completed, summary.tasks[0].skipped) == (1, 5)
    stored = dbw.open_volume(tmp_path / "out.zarr/a")
    np.testing.assert_array_equal(stored[:], np.negative(values).transpose(2, 0, 1))


def test_axes_of_which_a_tiff_says_nothing_are_the_usual_ones_or_given(tmp_path):
    tifffile = pytest.importorskip("tifffile", reason="needs dask_blockwise[files]")
    array = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack")
    volume = dbw.open_volume(tmp_path / "a.tif")
    assert volume.axes == ("c", "z", "y", "x")
    np.testing.assert_array_equal(volume[:], array)
    volume = dbw.open_volume(tmp_path / "a.tif", axes="zcyx", voxel_size=(9, 2, 2), unit="um")
    assert (volume.axes, volume.voxel_size) == (("c", "z", "y", "x"), (9, 2, 2))
    np.testing.assert_array_equal(volume[:], array.swapaxes(0, 1))


def test_status_knows_the_axes_that_were_given(tmp_path, near, monkeypatch):
    path = of_names(tmp_path / "a", [None] * 3)
    made = dbw.map_overlap(np.negative, dbw.open_volume(path, axes="yxc"), halo=0)
    made.to_zarr(tmp_path / "out.zarr/a", progress=False)
    monkeypatch.setattr("dask_blockwise.volumes.status.kept_volume", no_volume)
    status = dbw.status(tmp_path / "out.zarr/a")
    assert (status.changes, len(status.unknown)) == ((), 1)
    zarr.open_array(path)[:] = 7
    assert "chunks changed" in dbw.status(tmp_path / "out.zarr/a").changes[0]


def no_volume(*_):
    raise ValueError("its code can't be imported")


def test_one_array_by_two_names_of_axes(tmp_path):
    path = of_names(tmp_path / "a", [None] * 3)
    known = KnownArrays()
    for axes, shape in (("zyx", (1, 1, 1)), ("cyx", (1, 1))):
        volume = dbw.open_volume(path, axes=axes)
        (found,) = known.read_by([Reading(volume.frame, None, volume.stored)])
        assert found.values.shape == shape


def test_a_turned_array_is_not_written(tmp_path):
    path, _ = image(tmp_path / "a", "yxc", (4, 6, 2))
    volume = dbw.open_volume(path)
    with pytest.raises(OSError, match="can't be written: its channels or times are stored last"):
        volume[volume.roi] = np.zeros(volume.shape)


def test_unknown_names_and_kinds_are_named_by_the_caller(tmp_path):
    more = {"lambda": {"type": "wavelength"}}
    path, values = image(tmp_path / "a", ("lambda", "y", "x"), (2, 4, 6), **more)
    with pytest.raises(ValueError, match=r"'lambda'.*open_volume\(path, axes="):
        dbw.open_volume(path)
    volume = dbw.open_volume(path, axes="cyx")
    np.testing.assert_array_equal(volume[:], values)
    assert volume.placement.written_size == (3, 4)
    volume = dbw.open_volume(path, axes="zyx", voxel_size=(5, 6, 7), unit="um")
    assert (volume.placement.written_size, volume.axes) == ((5, 6, 7), ("z", "y", "x"))


@pytest.mark.parametrize(
    ("names", "axes"), [("xyt", "tyx"), ("XYZ", "zyx"), ("xyc", "cyx"), ("cxy", "cyx")]
)
def test_axes_of_n5(tmp_path, names, axes):
    assert "".join(dbw.open_volume(n5(tmp_path / "a", [*names])).axes) == axes


def test_axes_of_n5_that_are_not_known(tmp_path):
    for names, said in ((["x", "y", "dye"], "'dye'"), (["z", "y", "x"], "N5 has x first")):
        path = n5(tmp_path / names[2], names)
        with pytest.raises(ValueError, match=said):
            dbw.open_volume(path)
        volume = dbw.open_volume(path, axes="zyx", voxel_size=(40, 4, 4), unit="nm")
        assert volume.voxel_size == (40, 4, 4)


@pytest.mark.parametrize("suffix", ["tif", "h5/raw"])
def test_axes_given_of_a_file_that_has_channels_last(tmp_path, suffix):
    h5py, tifffile = pytest.importorskip("h5py"), pytest.importorskip("tifffile")
    pixels = np.arange(105, dtype=np.uint8).reshape(5, 7, 3)
    path = tmp_path / f"a.{suffix}"
    if suffix == "tif":
        tifffile.imwrite(path, pixels, photometric="rgb")
    else:
        with h5py.File(path.parent, "w") as file:
            file["raw"] = pixels
            file["raw"].attrs["axis_names"] = ["y", "x", "c"]
    for axes in (None, "cyx", "yxc", "YXC", ["y", "x", "c"]):
        volume = dbw.open_volume(path, axes=axes, voxel_size=(4, 5), unit="nm")
        assert (volume.axes, tuple(volume.voxel_size)) == (("c", "y", "x"), (4, 5))
        np.testing.assert_array_equal(volume[:], np.moveaxis(pixels, -1, 0))
    for axes in ("zyx", "xyc"):
        with pytest.raises(ValueError, match="y, x, c, which come as c, y, x"):
            dbw.open_volume(path, axes=axes, voxel_size=(1,) * (3 - ("c" in axes)), unit="nm")
