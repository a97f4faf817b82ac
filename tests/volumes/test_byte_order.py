"""Values in another order of bytes than the processor's are taken for what they are."""

import dask.array as da
import numpy as np
import pytest
from objects import assert_same_up_to_names

import dask_blockwise as dbw
from dask_blockwise import Volume, connected_components, map_overlap, relabel, renumber, segment
from dask_blockwise.labels.scores import score_segmentation

TRUTH = np.repeat(np.repeat(np.array([[1, 2, 0], [3, 0, 4]]), 3, 0), 3, 1)
SWAPPED = np.dtype("u8").newbyteorder("S")
# Ids that are too large to be counted as they are.
LABELS = np.where(TRUTH > 0, TRUTH.astype(np.uint64) + np.uint64(2**64 - 9), 0).astype(SWAPPED)


def computed(volume):
    return volume.data.compute(scheduler="synchronous")


@pytest.fixture(params=["numpy", "dask", "function", "astype"])
def labels(request):
    native = LABELS.astype(np.uint64)
    given = {
        "numpy": lambda: Volume.from_array(LABELS, chunks=(4, 5)),
        "dask": lambda: Volume.from_array(da.from_array(LABELS, chunks=(4, 5))),
        "function": lambda: map_overlap(
            lambda array: array.astype(SWAPPED),
            Volume.from_array(native, chunks=(4, 5)),
            dtype=SWAPPED,
        ),
        "astype": lambda: Volume.from_array(native, chunks=(4, 5)).astype(SWAPPED),
    }
    return given[request.param]()


def test_volumes_have_the_processors(labels):
    assert labels.dtype.isnative
    assert labels.dtype == np.uint64
    for values in (labels[:], computed(labels)):
        assert values.dtype.isnative
        np.testing.assert_array_equal(values, LABELS)


def test_labels_are_the_same_objects(labels):
    assert_same_up_to_names(computed(renumber(labels)), TRUTH)
    pieces = connected_components(labels, each_value=True)
    assert_same_up_to_names(computed(relabel(pieces)), TRUTH)


def test_a_segment_function_may_return_it():
    volume = Volume.from_array(TRUTH.astype(np.uint8), chunks=(4, 5))
    pieces = segment(volume, lambda array: array.astype(SWAPPED) * 1000, halo=1)
    assert_same_up_to_names(computed(relabel(pieces)), TRUTH)


def test_arrays_are_scored():
    assert score_segmentation(LABELS, LABELS) == (0, 0, 0)
    assert score_segmentation(LABELS, TRUTH) == (0, 0, 0)


def test_affinities_and_maps_give_the_same():
    values = np.random.default_rng(0).random((2, 9, 10)).astype(np.float32)
    found = [
        dbw.watershed(Volume.from_array(one, axes="cyx"), offsets=[(0, -1), (-1, 0)])[:]
        for one in (values, values.astype(values.dtype.newbyteorder("S")))
    ]
    np.testing.assert_array_equal(*found)
