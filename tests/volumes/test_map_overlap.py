"""map_overlap against dask.array.map_overlap."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d, maximum_filter

from dask_blockwise import Volume, map_overlap, open_volume


def peak(array):
    return maximum_filter(array, 5, mode="constant")


@pytest.mark.parametrize("boundary", ["none", "reflect", "nearest", "periodic", 0, 7])
@pytest.mark.parametrize(
    ("shape", "chunks", "halo"), [((23, 31), (8, 9), 3), ((13, 17, 11), (5, 6, 4), (2, 3, 2))]
)
def test_equals_dask(shape, chunks, halo, boundary):
    array = np.random.default_rng(0).random(shape)
    volume = Volume.from_array(array, chunks=chunks)
    mapped = map_overlap(peak, volume, halo=halo, boundary=boundary)
    theirs = da.map_overlap(
        peak, da.from_array(array, chunks), depth=halo, boundary=boundary, dtype=float
    )
    np.testing.assert_array_equal(
        mapped.data.compute(scheduler="synchronous"), theirs.compute(scheduler="synchronous")
    )


@st.composite
def overlaps(draw):
    """Shape, chunks, halo and boundary of 1 to 3 axes; halos may be larger than chunks."""
    shape = draw(st.lists(st.integers(2, 9), min_size=1, max_size=3))
    axes = [
        (
            draw(st.integers(1, size)),
            draw(st.integers(0, size)),
            draw(st.sampled_from(["none", "reflect", "nearest", "periodic", 5])),
        )
        for size in shape
    ]
    return tuple(shape), *zip(*axes)


def weighted(array, radius):
    """Sums that tell every voxel within the radius from every other."""
    for axis, size in enumerate(radius):
        array = correlate1d(array, np.arange(1.0, 2 * size + 2), axis, mode="constant")
    return array


@settings(max_examples=60)
@given(overlap=overlaps())
def test_any_overlap_equals_dask(overlap):
    shape, chunks, halo, boundary = overlap
    array = np.random.default_rng(0).random(shape)
    volume = Volume.from_array(array, axes=("z", "y", "x")[-len(shape) :], chunks=chunks)
    mapped = map_overlap(weighted, volume, halo=halo, boundary=boundary, dtype=float, radius=halo)
    theirs = da.map_overlap(
        weighted,
        da.from_array(array, chunks),
        depth=dict(enumerate(halo)),
        boundary=dict(enumerate(boundary)),
        dtype=float,
        radius=halo,
        meta=np.empty((0,) * array.ndim),
    )
    np.testing.assert_allclose(
        mapped.data.compute(scheduler="sync"), theirs.compute(scheduler="sync"), rtol=1e-12
    )


def test_a_stored_volume_takes_one_task_a_chunk(tmp_path, threads):
    values = np.random.default_rng(0).random((20, 20))
    with threads.as_current():
        Volume.from_array(values, chunks=(8, 8)).to_zarr(tmp_path / "a.zarr/x", progress=False)
    volume = open_volume(tmp_path / "a.zarr/x")
    smooth = map_overlap(peak, volume, halo=2)
    twice = map_overlap(peak, smooth, halo=2, boundary="reflect")
    assert len(dict(twice.data.__dask_graph__())) == 9
    np.testing.assert_array_equal(smooth.data.compute(scheduler="sync"), peak(values))


def test_over_a_dask_array_is_dasks_own():
    array = da.random.default_rng(0).random((20, 20), chunks=(7, 7))
    mapped = map_overlap(peak, Volume.from_array(array), halo=3, boundary="reflect")
    theirs = da.map_overlap(peak, array, depth=3, boundary="reflect", dtype=float)
    np.testing.assert_array_equal(*(x.compute(scheduler="sync") for x in (mapped.data, theirs)))


def test_time_points_are_mapped_one_by_one():
    array = np.random.default_rng(0).random((3, 2, 9, 9))
    volume = Volume.from_array(array, axes=("t", "c", "y", "x"), chunks=(1, 2, 4, 4))
    mapped = map_overlap(lambda a: maximum_filter(a, (1, 5, 5), mode="constant"), volume, halo=2)
    whole = maximum_filter(array, (1, 1, 5, 5), mode="constant")
    np.testing.assert_array_equal(mapped.data.compute(scheduler="sync"), whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"halo": (1, 2, 3)}, "halo must be"),
        ({"halo": -1}, "none of them negative"),
        ({"boundary": "mirror"}, "boundary must be one of"),
        ({"block_shape": (4,)}, "block_shape must be 2 positive"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(ValueError, match=message):
        map_overlap(peak, Volume.from_array(np.zeros((9, 9))), **options)


def test_a_function_that_changes_the_shape_is_named():
    shrunk = map_overlap(lambda a: a[1:], Volume.from_array(np.zeros((9, 9))), dtype=float)
    with pytest.raises(ValueError, match="returned"):
        shrunk[:]


def two_arrays(array):
    return array, array[:1]


@pytest.mark.parametrize("dtype", [None, "u1"])
def test_a_function_that_returns_no_array_is_named(dtype):
    volume = Volume.from_array(np.zeros((4, 5), np.uint8))
    several = r"two_arrays returned a tuple of 2: ndarray \(\d, \d\), ndarray \(1, \d\).*np.stack"
    with pytest.raises(TypeError, match=several):
        map_overlap(two_arrays, volume, dtype=dtype)[:]
    with pytest.raises(TypeError, match="returned a NoneType, but one array is needed"):
        map_overlap(lambda array: None, volume, dtype=dtype)[:]


@pytest.mark.parametrize(
    ("value", "dtype"), [(-1, "u8"), (-1.0, "u1"), (256, "u1"), (300.5, "u1"), (np.nan, "i4")]
)
def test_values_that_a_type_cannot_hold_are_refused(value, dtype):
    volume = Volume.from_array(np.full((3, 4), value))
    with pytest.raises(ValueError, match=r"returned values from .* can't hold: give a wider"):
        map_overlap(np.copy, volume, dtype=dtype)[:]
    assert map_overlap(np.copy, Volume.from_array(np.full((1, 2), 7.5)), dtype="u1")[0, 0] == 7


def test_complex_values_are_not_halved():
    volume = Volume.from_array(np.full((3, 4), 1 + 2j))
    with pytest.raises(ValueError, match="copy returned complex values, which float32 can't hold"):
        map_overlap(np.copy, volume, dtype="float32")[:]
    assert (map_overlap(np.copy, volume, dtype="complex64")[:] == 1 + 2j).all()


def halved_where_not_flat(values):
    """Of a trial array of ones just that, in its own type."""
    return values if values.min() == values.max() else values / 2


@pytest.mark.parametrize("array", [np.asarray, da.from_array])
def test_blocks_are_of_the_type_that_the_volume_has(array):
    values = np.arange(12, dtype="u1").reshape(3, 4)
    volume = Volume.from_array(array(values))
    tried = map_overlap(halved_where_not_flat, volume)
    for read in (tried.compute, lambda: tried[:]):
        with pytest.raises(ValueError, match=r"float64 values of a block, which uint8, .*dtype="):
            read()
    declared = map_overlap(halved_where_not_flat, volume, dtype="u1")
    np.testing.assert_array_equal(declared.compute(), values // 2, strict=True)
    even = map_overlap(halved_where_not_flat, Volume.from_array(array(values * 2)))
    np.testing.assert_array_equal(even.compute(), values, strict=True)


def test_a_shape_that_dask_would_join_is_refused():
    volume = Volume.from_array(da.ones((4, 6), chunks=(2, 3)))
    shorter = map_overlap(lambda array: array[1:], volume, dtype=float)
    with pytest.raises(ValueError, match="must keep the shape in space"):
        shorter.compute()


def subtracted(values):
    """Changes what it is given."""
    values -= values.min()
    return values


@pytest.mark.parametrize("order", ["zyx", "xyz"])
@pytest.mark.parametrize("made", ["in memory", "by dask", "stored"])
def test_a_function_may_change_what_it_is_given(tmp_path, made, order):
    values = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
    kept = values.copy()
    volume = Volume.from_array(values if made != "by dask" else da.from_array(values))
    if made == "stored":
        volume.to_zarr(tmp_path / "a.zarr/v", progress=False)
        volume = open_volume(tmp_path / "a.zarr/v")
    volume = volume.transpose(*order)
    mapped = map_overlap(subtracted, volume, halo=0)
    expected = (kept - kept.min()).transpose(["zyx".index(axis) for axis in order])
    np.testing.assert_array_equal(mapped[:], expected)
    np.testing.assert_array_equal(mapped[:], expected)
    np.testing.assert_array_equal(values, kept)
