"""Parts of volumes, other blocks, axes and voxels, against numpy and scikit-image."""

from __future__ import annotations

import shutil
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter, uniform_filter
from scipy.stats import mode
from skimage.measure import block_reduce

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 255, (9, 10, 11)).astype(np.uint8)
CHANNELS = RNG.random((3, 9, 10, 11)).astype(np.float32)
PLACE = {"voxel_size": (40, 4, 4), "offset": (80, 0, 8), "unit": "nanometer"}


def lazy(array, **options):
    chunks = (*array.shape[:-3], 4, 5, 6)
    return dbw.map_overlap(np.copy, Volume.from_array(array, chunks=chunks, **PLACE | options))


def test_a_crop_is_a_volume_of_its_own(tmp_path, client):
    part = lazy(GREY).crop(Roi((160, 12, 16), (240, 24, 32)))
    box = GREY[2:8, 3:9, 2:10]
    assert (part.shape, part.offset, part.block_shape) == (box.shape, (160, 12, 16), (4, 5, 6))
    np.testing.assert_array_equal(part[:], box)
    mean = {"halo": 1, "boundary": "reflect", "size": 3, "dtype": float}
    smooth = dbw.map_overlap(uniform_filter, part.astype(float), **mean)
    assert smooth.plan().read_bytes > box.size
    smooth.to_zarr(tmp_path / "a.zarr/x", client=client, progress=False)
    found = dbw.open_volume(tmp_path / "a.zarr/x")
    assert found.roi == part.roi
    np.testing.assert_allclose(found[:], uniform_filter(box.astype(float), 3))


def test_a_crop_of_a_checkpoint_waits_for_it(tmp_path, client):
    stored = lazy(GREY).checkpoint(tmp_path / "a.zarr/raw")
    part = stored.crop(Roi((160, 12, 16), (240, 24, 32))).rechunk((3, 3, 8))
    summary = part.to_zarr(tmp_path / "a.zarr/part", client=client, progress=False)
    assert [task.completed for task in summary.tasks] == [12, 4]
    np.testing.assert_array_equal(
        dbw.open_volume(tmp_path / "a.zarr/part")[:], GREY[2:8, 3:9, 2:10]
    )


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ({"c": 1}, 1),
        ({"c": -1, "z": slice(2, 5)}, (-1, slice(2, 5))),
        ({"c": slice(1, 3), "x": slice(-4, None)}, (slice(1, 3), ..., slice(-4, None))),
        ({"y": slice(3)}, (..., slice(3), slice(None))),
        ({}, ()),
    ],
)
def test_parts_by_voxels(where, key):
    part, expected = lazy(CHANNELS, axes="czyx").isel(**where), CHANNELS[key]
    np.testing.assert_array_equal(part[:], expected)
    np.testing.assert_array_equal(part.data.compute(scheduler="synchronous"), expected)
    first = {axis: key.indices(99)[0] for axis, key in where.items() if isinstance(key, slice)}
    if first.get("z"):
        assert part.offset[0] == 80 + 2 * 40


def test_what_bytes_stand_for_goes_with_their_parts():
    volume = Volume.from_array(
        (255 * CHANNELS).astype(np.uint8), axes="czyx", stands_for=(0, 1), **PLACE
    )
    for part in volume.isel(c=1), volume.isel(c=slice(1, 3), z=slice(3)), volume.crop(volume.roi):
        assert part.frame.stands_for == (0, 1)
    assert (volume + 1).frame.stands_for is None


@pytest.mark.parametrize("axes", ["zyx", "xyz", "yxz"])
def test_transposed_where_it_is_stored(tmp_path, threads, axes):
    path = tmp_path / "a.zarr/x"
    place = {"voxel_size": (2, 3, 5), "offset": (2, 6, 20)}
    volume = Volume.from_array(CHANNELS, axes="czyx", chunks=(3, 4, 5, 6), **place)
    volume.to_zarr(path, client=threads, progress=False)
    expected = CHANNELS.transpose(0, *("zyx".index(axis) + 1 for axis in axes))
    for source in volume, dbw.open_volume(path):
        turned = source.transpose("c", *axes)
        assert (turned.axes, turned.shape) == (("c", *axes), expected.shape)
        assert dict(zip(axes, turned.offset)) == {"z": 2, "y": 6, "x": 20}
        np.testing.assert_array_equal(turned[:], expected)
        np.testing.assert_array_equal(turned[1, 2:5, 3], expected[1, 2:5, 3])
        copied = dbw.map_overlap(np.copy, turned, halo=1)
        np.testing.assert_array_equal(copied.data.compute(scheduler="synchronous"), expected)
        with pytest.raises(ValueError, match=r"computed from|exists"):
            dbw.open_volume(path).transpose("c", *axes).to_zarr(path, progress=False)


def smoothed(volume, **options):
    return dbw.map_overlap(uniform_filter, volume, size=(1, 3, 5), **options)


@pytest.mark.parametrize("boundary", ["reflect", "periodic"])
@pytest.mark.parametrize("axes", ["zyx", "xyz", "yxz"])
def test_what_is_computed_is_transposed_lazily(tmp_path, client, axes, boundary):
    """The halo of each axis goes with it, and blocks wait for all that they read."""
    order = tuple("zyx".index(axis) for axis in axes)
    mode = {"reflect": "reflect", "periodic": "wrap"}[boundary]
    smooth = uniform_filter(uniform_filter(GREY, (1, 3, 5), mode=mode), (1, 3, 5), mode=mode)
    stored = smoothed(lazy(GREY), halo=(0, 1, 2), boundary=boundary, mode=mode)
    for first in stored, stored.checkpoint(tmp_path / "a.zarr/once"):
        twice = smoothed(first, halo=(0, 1, 2), boundary=boundary, mode=mode)
        turned = dbw.map_overlap(np.copy, twice.transpose(*axes), halo=(0, 0, 1))
        expected = smooth.transpose(order)
        np.testing.assert_array_equal(turned[:], expected)
        np.testing.assert_array_equal(turned[1:4, 2, 3:], expected[1:4, 2, 3:])
        np.testing.assert_array_equal(turned.data.compute(scheduler="synchronous"), expected)
        turned.to_zarr(tmp_path / "a.zarr/turned", client=client, overwrite=True, progress=False)
        np.testing.assert_array_equal(dbw.open_volume(tmp_path / "a.zarr/turned")[:], expected)


def test_objects_of_what_is_transposed_wait_for_all_that_they_read(tmp_path, client):
    def slow(labels):
        time.sleep(0.2)
        return labels + 0

    rows = np.repeat(np.arange(1, 9, dtype=np.uint32)[:, None], 8, 1)
    lazy = dbw.map_overlap(slow, Volume.from_array(rows, chunks=(1, 4)), dtype=np.uint32)
    stored = lazy.checkpoint(tmp_path / "a.zarr/labels")
    wide = dbw.map_overlap(maximum_filter, stored, halo=1, size=3, dtype=np.uint32)
    for n, labels in enumerate((stored.transpose(), wide)):
        table = labels.objects(path=tmp_path / f"table{n}", client=client, progress=False)
        ids, voxels = np.unique(labels[:], return_counts=True)
        assert table[["id", "voxels"]].to_numpy().tolist() == np.stack([ids, voxels], 1).tolist()
        shutil.rmtree(tmp_path / "a.zarr")


def test_a_transposed_volume_costs_the_same():
    volume = smoothed(lazy(CHANNELS, axes="czyx").isel(c=1), halo=(0, 1, 2))
    plan, turned = volume.plan(), volume.transpose().plan()
    assert turned.block_shape == plan.block_shape[::-1]
    assert (turned.read_bytes, turned.recompute_factor) == (plan.read_bytes, plan.recompute_factor)


def test_a_transposed_volume_is_not_stored_over_what_it_reads(tmp_path, client):
    lazy(GREY).to_zarr(tmp_path / "a.zarr/x", client=client, progress=False)
    turned = (dbw.open_volume(tmp_path / "a.zarr/x") + 1).transpose()
    with pytest.raises(ValueError, match="read its own output"):
        turned.to_zarr(tmp_path / "a.zarr/x", overwrite=True, progress=False)


def cube(volume):
    return Volume.from_array(volume[:9, :9, :9])


ORACLES = {"mean": np.mean, "max": np.max, "min": np.min}


@settings(max_examples=30)
@given(
    st.tuples(*[st.integers(1, 4)] * 3),
    st.sampled_from(["mean", "max", "min", "first", "mode"]),
    st.tuples(*[st.integers(1, 5)] * 3),
)
def test_downsampled_equals_scikit_image(factors, method, block):
    values = GREY // 60
    small = Volume.from_array(values, chunks=(4, 5, 6), **PLACE).downsample(factors, method)
    whole = values[tuple(slice(n // f * f) for n, f in zip(values.shape, factors))]
    if method == "first":
        expected = whole[tuple(slice(None, None, f) for f in factors)]
    elif method == "mode":
        expected = block_reduce(whole, factors, lambda a, axis: mode_of(a, axis))
    else:
        expected = block_reduce(whole, factors, ORACLES[method])
    expected = np.rint(expected) if method == "mean" else expected
    found = small.rechunk(block).data.compute(scheduler="synchronous")
    np.testing.assert_array_equal(found, expected)
    assert small.voxel_size == tuple(v * f for v, f in zip((40, 4, 4), factors))
    assert (small.offset, small.dtype) == ((80, 0, 8), np.uint8)


def mode_of(array, axis):
    flat = array.reshape(*array.shape[: min(axis)], -1)
    return mode(flat, axis=-1).mode


def test_downsampled_on_the_way_is_stored_right(tmp_path, client):
    stored = lazy(GREY).checkpoint(tmp_path / "a.zarr/raw")
    small = dbw.map_overlap(np.copy, stored.downsample(2, "max"), halo=1)
    small.to_zarr(tmp_path / "a.zarr/small", client=client, progress=False)
    expected = block_reduce(GREY[:8, :, :10], 2, np.max)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "a.zarr/small")[:], expected)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda v: v.crop(Roi((0, 0, 0), (40, 4, 4))), "isn't within"),
        (lambda v: v.isel(q=slice(2)), "no axis 'q' among"),
        (lambda v: v.isel(z=3), r"z=3 of 9: .* slice\(3, 4\)"),
        (lambda v: v.isel(z=slice(0, 9, 2)), "slice of step 1"),
        (lambda v: v.isel(z=slice(4, 4)), "holds voxels"),
        (lambda v: v.rechunk((4, 4)), "block_shape must be 3"),
        (lambda v: v.rechunk(8), "block_shape must be 3 positive whole numbers of voxels.* got 8"),
        (lambda v: v.rechunk("8"), "block_shape must be 3 .* got '8'"),
        (lambda v: v.rechunk((4, 4, 4.0)), r"block_shape must be 3 .* got \(4, 4, 4.0\)"),
        (
            lambda v: dbw.map_overlap(np.copy, v, halo=1, block_shape=8),
            "must be 3 positive whole numbers",
        ),
        (lambda v: v.to_zarr("never.zarr/a", block_shape=8), "must be 3 positive whole numbers of"),
        (lambda v: v.transpose("x", "y"), "each of the axes"),
        (lambda v: dbw.connected_components(v > 9).transpose(), "transpose what is labelled"),
        (lambda v: dbw.connected_components(v > 9).isel(z=slice(2, 6)), "of what is labelled"),
        (lambda v: (dbw.connected_components(v > 9) + 1).crop(v.roi), "blocks: take the part"),
        (lambda v: dbw.map_overlap(np.add, cube(v), cube(v).transpose()), "voxels and axes"),
        (lambda v: v.transpose("z", "y", "y"), r"once, got \('z', 'y', 'y'\)"),
        (lambda v: v.downsample(0), "positive whole number"),
        (lambda v: v.downsample((2, 2)), "or 3 of them"),
        (lambda v: v.downsample(2.5), r"positive whole number.*got 2\.5"),
        (lambda v: v.downsample(99), "no larger than the volume"),
        (lambda v: v.downsample(2, "median"), "method must be one of mean, max"),
        (lambda v: v.astype(np.uint64).downsample(2), "may be labels"),
        (lambda v: dbw.connected_components(v).rechunk((3, 3, 3)), "depends on its blocks"),
        (lambda v: dbw.map_overlap(np.copy, v, halo="8"), "halo must be a number of voxels"),
        (lambda v: dbw.map_overlap(np.copy, v, halo=1.5), "none of them negative, got 1.5"),
    ],
)
def test_mistakes_are_explained(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake(lazy(GREY))
