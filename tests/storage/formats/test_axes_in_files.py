"""Axes that files name otherwise than this package: understood or refused, never guessed."""

import json

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw
from dask_blockwise.volumes.frame import check_axes
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
