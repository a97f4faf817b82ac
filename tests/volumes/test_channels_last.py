"""Arrays whose channels come last are not taken for volumes of three voxels without a word."""

from functools import partial

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw


def stored(folder, values):
    zarr.create_array(str(folder / "a.zarr"), data=values)
    return str(folder / "a.zarr")


@pytest.mark.parametrize(("shape", "last"), [((20, 64, 64, 3), "zyxc"), ((64, 80, 4), "yxc")])
def test_they_are_warned_of_and_the_mend_brings_them_first(shape, last, tmp_path):
    values = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    path = stored(tmp_path, values)
    for make in (partial(dbw.open_volume, path), partial(dbw.Volume.from_array, values)):
        with pytest.warns(UserWarning, match=f"{shape[-1]} voxels along x.*axes={last!r}"):
            make()
    first = np.moveaxis(values, -1, 0)
    opened = dbw.open_volume(path, axes=last)
    made = dbw.Volume.from_array(first, axes="c" + last[:-1])
    for volume in (opened, made):
        assert volume.axes == tuple("c" + last[:-1])
        np.testing.assert_array_equal(volume[:], first)


@pytest.mark.parametrize(
    "shape", [(20, 64, 64), (3, 64, 64), (2, 6, 3), (16, 16, 4), (64, 4), (3, 20, 64, 64)]
)
def test_others_are_not(shape, tmp_path):
    values = np.zeros(shape, np.uint8)
    assert dbw.open_volume(stored(tmp_path, values)).shape == shape
    assert dbw.Volume.from_array(values).shape == shape


def test_those_that_are_said_to_be_voxels_are_not(tmp_path):
    values = np.zeros((64, 64, 3), np.uint8)
    assert dbw.open_volume(stored(tmp_path, values), axes="zyx").axes == ("z", "y", "x")
    assert dbw.Volume.from_array(values, axes="zyx").axes == ("z", "y", "x")


def test_axes_in_another_order_say_how_to_turn_the_array():
    values = np.zeros((4, 5, 6, 3), np.uint8)
    with pytest.raises(
        ValueError, match=r"np.transpose\(array, \(3, 0, 1, 2\)\), with axes='czyx'"
    ):
        dbw.Volume.from_array(values, axes="zyxc")
    turned = dbw.Volume.from_array(np.transpose(values, (3, 0, 1, 2)), axes="czyx")
    assert turned.shape == (3, 4, 5, 6)
