"""The most probable class of each voxel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dask_blockwise import Block, Volume, create_volume, open_volume
from dask_blockwise.argmax_worker import spawn_worker
from dask_blockwise.prediction.argmax import argmax, argmax_channels, class_dtype

SHAPES = hnp.array_shapes(min_dims=2, max_dims=4, max_side=6)
FLOATS = st.floats(-2, 2, width=32) | st.sampled_from([np.nan, np.inf, -np.inf])


def nan_argmax(array):
    """The index of the largest channel that is a number; 0 where none is."""
    best = np.zeros(array.shape[1:], int)
    for position in np.ndindex(best.shape):
        numbers = [(v, -c) for c, v in enumerate(array[(slice(None), *position)]) if v == v]
        best[position] = -max(numbers)[1] if numbers else 0
    return best


@given(hnp.arrays(np.float32, SHAPES, elements=FLOATS))
def test_nan_never_wins(array):
    np.testing.assert_array_equal(argmax_channels(array), nan_argmax(array))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 70, 61, 47), (2, 300, 301), (1, 5, 5)])
def test_equals_numpy_over_several_pieces(dtype, shape):
    array = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    result = argmax_channels(array)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, np.argmax(array, 0))


def test_reads_any_memory_layout():
    array = np.random.default_rng(0).random((20, 30, 4)).transpose(2, 1, 0)
    np.testing.assert_array_equal(argmax_channels(array), np.argmax(array, 0))


@pytest.mark.parametrize(
    "classes, dtype", [(1, "uint8"), (256, "uint8"), (257, "uint16"), (70_000, "uint32")]
)
def test_type_holds_every_class(classes, dtype):
    assert class_dtype(classes) == dtype


def test_class_299_is_not_class_43():
    array = np.zeros((300, 1, 1), np.float32)
    array[299] = 1
    assert argmax_channels(array) == 299


PREDICTION = np.random.default_rng(0).random((3, 9, 10, 11), np.float32)


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.integers(3, 12)] * 3))
def test_volume_by_blocks_equals_the_whole(block):
    volume = Volume.from_array(PREDICTION, chunks=(3, *block))
    classes = argmax(volume)
    assert (classes.shape, classes.axes, classes.dtype) == ((9, 10, 11), ("z", "y", "x"), np.uint8)
    result = classes.data.compute(scheduler="synchronous")
    np.testing.assert_array_equal(result, np.argmax(PREDICTION, 0))


def test_each_time_point_by_itself():
    array = np.random.default_rng(0).random((2, 4, 5, 6))
    classes = argmax(Volume.from_array(array, axes="tcyx"))
    assert classes.axes == ("t", "y", "x")
    np.testing.assert_array_equal(classes[:], np.argmax(array, 1))


@pytest.mark.parametrize(
    "array, axis, message",
    [
        (np.zeros((2, 3, 4)), "c", r"over the channels 'c' .* axes \('z', 'y', 'x'\)"),
        (np.zeros((2, 3, 4, 5)), "z", r"got axis='z'"),
    ],
)
def test_a_volume_without_classes_is_refused(array, axis, message):
    with pytest.raises(ValueError, match=message):
        argmax(Volume.from_array(array), axis)


def test_worker_writes_a_block(tmp_path):
    path, output = f"{tmp_path}/a.zarr/in", f"{tmp_path}/a.zarr/out"
    made = create_volume(path, Volume.from_array(PREDICTION))
    made[made.roi] = PREDICTION
    create_volume(
        output, made, shape=(9, 10, 11), axes="zyx", dtype="uint8", block_shape=(9, 10, 11)
    )
    spawn_worker(path, output)(Block(made.roi, made.roi, made.roi, ("argmax", 0)))
    np.testing.assert_array_equal(open_volume(output)[:], np.argmax(PREDICTION, 0))
