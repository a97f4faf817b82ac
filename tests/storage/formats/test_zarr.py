"""zarr 2 and 3: what others have written equals what zarr-python reads."""

import numcodecs
import numpy as np
import pytest
import zarr
from regions import box, numbers, whole

from dask_blockwise.storage.arrays import create_array, open_array, remove


@pytest.mark.parametrize(
    "path",
    [
        "mobie/blobs space.ome.zarr/s0",
        "n5-zarr/shardExamples/test.zarr/mid_sharded",
        "n5-zarr/examples/dimensionOrder.zarr/c-order",
        "n5-zarr/examples/dimensionOrder.zarr/f-order",
    ],
)
@pytest.mark.filterwarnings("ignore:Found an empty list of filters")
def test_zarr_of_others_equals_zarr_python(data, path):
    array = open_array(data / "containers" / path)
    reference = zarr.open_array(data / "containers" / path, mode="r")
    assert (array.shape, array.dtype) == (reference.shape, reference.dtype)
    assert (array.chunks, array.shards) == (reference.chunks, reference.shards)
    np.testing.assert_array_equal(array.read(whole(array)), reference[:])


@pytest.mark.parametrize(
    "settings",
    [
        {"filters": [numcodecs.Delta(dtype="i4")], "dtype": "i4"},
        {"compressors": numcodecs.LZMA(), "dtype": "u2"},
        {"order": "F", "dtype": "u2"},
        {"dtype": ">u4"},
        {"dtype": "?"},
        {"dtype": "c16"},
        {"dtype": "f2"},
        {"chunk_key_encoding": {"name": "v2", "separator": "/"}, "dtype": "u1"},
        {"compressors": numcodecs.Blosc(), "dtype": "f8"},
        {"compressors": None, "dtype": "i8"},
        {"dtype": "U3"},
    ],
    ids=str,
)
def test_zarr_2_in_all_its_ways(tmp_path, settings):
    values = numbers(7, 5, dtype="u1").astype(settings["dtype"])
    zarr.create_array(tmp_path / "a.zarr", shape=(7, 5), chunks=(3, 2), zarr_format=2, **settings)[
        :
    ] = values
    array = open_array(tmp_path / "a.zarr", writable=True)
    assert (array.chunks, array.zarr_format) == ((3, 2), 2)
    np.testing.assert_array_equal(array.read(box((1, 7), (0, 3))), values[1:7, :3])
    array.write(box((3, 6), (0, 2)), values[:3, 1:3])
    np.testing.assert_array_equal(array.read(box((3, 6), (0, 2))), values[:3, 1:3])


def test_an_array_that_is_gone_is_not_asked_of_zarr_python(tmp_path):
    array = create_array(tmp_path / "a.zarr/x", (4,), "u1", chunks=(4,))
    remove(array.path)
    with pytest.raises(FileNotFoundError, match="There is no array"):
        array.read(box((0, 4)))
