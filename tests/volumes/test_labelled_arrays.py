"""Volumes from and as arrays of xarray: the same voxels in the same places, lazily."""

import sys
from fractions import Fraction

import dask.array as da
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dask_blockwise as dbw
from dask_blockwise import Volume
from dask_blockwise.geometry.meant import meant

xr = pytest.importorskip("xarray")

VALUES = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(np.uint8)
UNITS = st.sampled_from(["", "nanometer", "micrometer", "angstrom"])
# As people write them, and as quotients of whole numbers, unless that is a decimal by chance.
SIZES = st.one_of(
    st.integers(1, 10**6),
    st.decimals("0.0001", "9999", places=4).map(float),
    st.fractions(Fraction(1, 100), 100, max_denominator=600)
    .filter(lambda number: meant(float(number)) == number)
    .map(float),
)
OFFSETS = st.one_of(st.integers(-(10**6), 10**6), st.decimals(-999, 999, places=3).map(float))


def labelled(**coords):
    units = {"units": "micrometer"}
    place = {"z": [1, 2], "y": [0, 4.5, 9], "x": [-2, 0, 2, 4]} | coords
    return xr.DataArray(
        VALUES, {name: (name, values, units) for name, values in place.items()}, ("z", "y", "x")
    )


@given(st.tuples(SIZES, SIZES), st.tuples(OFFSETS, OFFSETS), UNITS, st.integers(1, 300))
@example((820 / 393, 1), (0, 0), "", 4)
@example((0.5190156599552572, 1), (0, 0), "", 18)
@example((1.1640625, 1), (9998, 0), "", 6)
@example((1.1640625, 1), (9998, 0), "", 3)
def test_what_goes_out_comes_in(sizes, offsets, unit, length):
    volume = Volume.from_array(np.zeros((length, 2), np.uint8), sizes, offsets, unit=unit)
    made = volume.to_xarray()
    again = Volume.from_xarray(made)
    assert again.placement.written_size == volume.placement.written_size
    assert again.placement.written_offset == volume.placement.written_offset
    assert (again.roi, again.voxel_size, again.unit) == (volume.roi, volume.voxel_size, volume.unit)
    # What xarray itself makes of it: a part begins where its first voxel lies.
    part = made.isel(y=slice(length // 3, None, 1))
    step, begin = (volume.placement.written_size[0], volume.placement.written_offset[0])
    expected = float(Fraction(str(begin)) + length // 3 * Fraction(str(step)))
    found = Volume.from_xarray(part).placement
    np.testing.assert_allclose(found.written_offset[0], expected, rtol=1e-9, atol=step * 1e-6)
    assert found.written_size == volume.placement.written_size


def test_coordinates_are_those_of_numpy_and_values_are_lazy():
    blocks = da.from_array(VALUES, chunks=(1, 3, 2))
    volume = Volume.from_array(blocks, (40, 0.5, 4), (80, -1.5, 0), unit="nanometer")
    made = volume.to_xarray(name="raw")
    assert (made.dims, made.name, made.dtype) == (("z", "y", "x"), "raw", np.uint8)
    np.testing.assert_array_equal(made.z, 80 + 40 * np.arange(2))
    np.testing.assert_array_equal(made.y, -1.5 + 0.5 * np.arange(3))
    assert {made[axis].units for axis in made.dims} == {"nanometer"}
    assert made.chunks == blocks.chunks
    again = Volume.from_xarray(made)
    assert again.data is made.data
    assert again.chunks == (1, 3, 2)
    np.testing.assert_array_equal(again[:], VALUES)
    np.testing.assert_array_equal(made.sel(z=120, x=slice(4, 8)), VALUES[1, :, 1:3])


def test_a_stage_on_it_is_stored(tmp_path, near):
    mask = dbw.threshold(Volume.from_xarray(labelled()), 10)
    mask.to_zarr(tmp_path / "a.zarr/mask", client=near, progress=False)
    found = dbw.open_volume(tmp_path / "a.zarr/mask")
    np.testing.assert_array_equal(found[:], VALUES > 10)
    assert found.placement.written_size == (1, 4.5, 2)
    assert found.placement.written_offset == (1, 0, -2)


def test_what_lies_in_a_file_is_not_loaded(tmp_path, monkeypatch):
    dbw.create_volume(tmp_path / "a.zarr/raw", Volume.from_array(VALUES, (4, 4, 4)))
    lazily = xr.open_dataset(tmp_path / "a.zarr/raw", engine="zarr", consolidated=False)
    monkeypatch.setattr(xr.core.indexing.MemoryCachedArray, "get_duck_array", None)
    array = next(iter(lazily.data_vars.values()))
    volume = Volume.from_xarray(array.rename(dict(zip(array.dims, "zyx"))))
    assert isinstance(volume.source.array, da.Array)


def test_time_and_channels():
    values = np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4)
    array = xr.DataArray(
        values,
        {"time": np.array([1500, 2000], "m8[ms]").astype("m8[ns]"), "Channel": ["a", "b", "c", "d"],
         "Y": [0, 2, 4], "x": np.arange(5) * 3.0},
        ("time", "Y", "x", "Channel"),
    )  # fmt: skip
    volume = Volume.from_xarray(array)
    assert volume.axes == ("t", "c", "y", "x")
    np.testing.assert_array_equal(volume[:], values.transpose(0, 3, 1, 2))
    place = volume.placement
    assert (place.written_size, place.written_offset) == ((500, 2, 3), (1500, 0, 0))
    assert place.as_written[0].unit == "millisecond"
    made = volume.to_xarray(channels=list("abcd"))
    assert made.c.values.tolist() == ["a", "b", "c", "d"]
    assert made.t.units == "millisecond"
    with pytest.raises(ValueError, match="3 names of channels"):
        volume.to_xarray(channels=list("abc"))


def test_one_voxel_and_no_coordinates():
    assert Volume.from_xarray(xr.DataArray(VALUES, dims=("z", "y", "x"))).voxel_size == (1, 1, 1)
    sized = Volume.from_xarray(xr.DataArray(VALUES, dims=tuple("zyx")), voxel_size={"z": 40})
    assert sized.voxel_size == (40, 1, 1)
    plane = labelled().isel(z=[1])
    with pytest.raises(ValueError, match=r"one voxel along 'z'.*voxel_size=\{'z'"):
        Volume.from_xarray(plane)
    assert Volume.from_xarray(plane, {"z": 1}).placement.written_size == (1, 4.5, 2)
    thin = Volume.from_array(VALUES[:1], (40, 4, 4), unit="nm")
    assert Volume.from_xarray(thin.to_xarray()).placement == thin.placement


@pytest.mark.parametrize(
    "left",
    [lambda a: a[1:2], lambda a: a[::9], lambda a: a.coarsen(z=len(VALUES)).mean()],
    ids=["one of them", "every other", "their mean"],
)
def test_one_voxel_that_is_left_of_several(left):
    """By its coordinate it may be as large as it was, or as all of them."""
    made = left(Volume.from_array(VALUES, (40, 4, 4), unit="nm").to_xarray())
    with pytest.raises(ValueError, match=r"one voxel along 'z'.*several.*voxel_size=\{'z'"):
        Volume.from_xarray(made)
    assert Volume.from_xarray(made, {"z": 80}).voxel_size == (80, 4, 4)


def test_a_size_that_coordinates_contradict_is_refused():
    with pytest.raises(ValueError, match=r"given as 3, and its coordinates are 4\.5 apart"):
        Volume.from_xarray(labelled(), {"y": 3})
    assert Volume.from_xarray(labelled(), {"y": 4.5}).placement.written_size[1] == 4.5


REFUSED = {
    "uneven": (labelled(x=[0, 1, 2, 4]), "voxel 1 would be 1.33333333, and it is 1"),
    "descending": (labelled(y=[9, 4.5, 0]), r"sortby\('y'\)"),
    "the same": (labelled(y=[9, 9, 9]), "begin and end with 9"),
    "not a number": (labelled(y=[0, np.nan, 9]), "finite numbers"),
    "texts": (labelled(y=["a", "b", "c"]), "assign_coords"),
    "dates": (labelled(z=np.array(["2026-01-01", "2026-01-02"], "M8[ns]")), "since a first one"),
    "other names": (labelled().rename(y="lat"), "'lat'"),
    "some": (labelled().drop_vars("y"), "none along 'y'"),
    "no space": (labelled().isel(z=0, y=0).rename(x="c"), "space"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_volume_is_refused(kind):
    array, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message):
        Volume.from_xarray(array)


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="choose one"):
        Volume.from_xarray(labelled().to_dataset(name="raw"))
    with pytest.raises(ValueError, match=r"names \['w'\]"):
        Volume.from_xarray(labelled(), {"w": 1})
    with pytest.raises(TypeError, match="numbers"):
        Volume.from_xarray(labelled().astype(str))


def test_turned_round_it_is_the_same():
    turned = labelled(y=[9, 4.5, 0]).sortby("y")
    np.testing.assert_array_equal(Volume.from_xarray(turned)[:], VALUES[:, ::-1])


@pytest.mark.parametrize("kind", ["linspace", "arange", "float32"])
def test_coordinates_as_others_compute_them(kind):
    size, begin, n = 0.108333333333333, 1000.25, 5000
    made = {
        "linspace": np.linspace(begin, begin + (n - 1) * size, n),
        "arange": np.arange(n) * size + begin,
        "float32": (np.arange(n) * size).astype(np.float32),
    }[kind]
    place = Volume.from_xarray(xr.DataArray(np.zeros((n, 1)), {"y": made}, ("y", "x")),
                               {"x": 1}).placement  # fmt: skip
    assert place.written_size[0] == pytest.approx(13 / 120, rel=1e-7)


def test_without_it_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    for ask in (Volume.from_array(VALUES).to_xarray, lambda: Volume.from_xarray(VALUES)):
        with pytest.raises(ImportError, match=r"dask_blockwise\[xarray\]"):
            ask()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_coordinates_beside_a_stored_array_are_told_of(tmp_path, zarr_format):
    where = {axis: 40.0 * np.arange(n) for axis, n in zip("zyx", (4, 5, 6))}
    array = xr.DataArray(np.ones((4, 5, 6), np.uint8), where, list("zyx"), "em")
    array.to_dataset().to_zarr(tmp_path / "a.zarr", zarr_format=zarr_format, consolidated=False)
    with pytest.warns(UserWarning, match="z, y, x beside it may be coordinates as xarray writes"):
        dbw.open_volume(tmp_path / "a.zarr/em")
    given = dbw.open_volume(tmp_path / "a.zarr/em", voxel_size=(40, 40, 40), unit="nm")
    with xr.open_zarr(tmp_path / "a.zarr", consolidated=False) as opened:
        read = dbw.Volume.from_xarray(opened["em"])
        assert read.voxel_size == given.voxel_size == (40, 40, 40)
        np.testing.assert_array_equal(read[:], given[:])
