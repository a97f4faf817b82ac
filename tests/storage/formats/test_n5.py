"""N5: equal to its specification, and turned to C order."""

import bz2
import json
import lzma
import struct
import zlib
from itertools import product

import numcodecs
import numpy as np
import pytest
from regions import box, whole

from dask_blockwise.storage.arrays import open_array
from dask_blockwise.storage.formats.n5 import n5_attributes
from dask_blockwise.storage.metadata import placement_from

DECODERS = {
    "raw": bytes,
    "gzip": lambda packed: zlib.decompress(packed, zlib.MAX_WBITS | 32),
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
    "blosc": lambda packed: bytes(numcodecs.blosc.decompress(packed)),
}


def decoded_n5(folder):
    """An N5 array by its specification: big-endian blocks, x first."""
    head = json.loads((folder / "attributes.json").read_text())
    decode = DECODERS[head["compression"]["type"]]
    whole = np.zeros(head["dimensions"][::-1], head["dataType"])
    counts = [-(-n // b) for n, b in zip(head["dimensions"], head["blockSize"])]
    for index in product(*map(range, counts)):
        block = folder.joinpath(*map(str, index)).read_bytes()
        _, dimensions = struct.unpack(">HH", block[:4])
        sizes = struct.unpack(f">{dimensions}I", block[4 : 4 + 4 * dimensions])[::-1]
        values = np.frombuffer(decode(block[4 + 4 * dimensions :]), f">{whole.dtype.str[1:]}")
        begin = [i * b for i, b in zip(index, head["blockSize"])][::-1]
        # A block at the border may be stored whole.
        part = whole[box(*((b, b + n) for b, n in zip(begin, sizes)))]
        part[...] = values.reshape(sizes)[box(*((0, n) for n in part.shape))]
    return whole


@pytest.mark.parametrize("compression", DECODERS)
def test_n5_equals_its_specification(data, compression):
    folder = data / "containers/tensorstore_n5" / compression
    array = open_array(folder)
    assert (array.shape, array.chunks, array.zarr_format) == ((4, 5), (2, 3), None)
    np.testing.assert_array_equal(array.read(whole(array)), decoded_n5(folder))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"resolution": [4, 4, 40], "offset": [1, 2, 3]}, ((40, 4, 4), (3, 2, 1), "")),
        ({"pixelResolution": [4, 4, 40]}, ((40, 4, 4), (0, 0, 0), "")),
        (
            {"pixelResolution": {"dimensions": [0.4, 0.4, 40], "unit": "um"}},
            ((40000, 400, 400), (0, 0, 0), "nanometer"),
        ),
    ],
)
def test_n5_is_turned(attributes, expected):
    placement = placement_from({}, "", n5_attributes(attributes), 3)
    assert (placement.voxel_size, placement.offset, placement.unit) == expected


@pytest.mark.parametrize("key", ["axes", "axis_names"])
def test_axes_are_turned(key):
    attributes = {key: ["x", "y", "z", "t"], "resolution": [4, 4, 40, 2]}
    placement = placement_from({}, "", n5_attributes(attributes), 4)
    assert (placement.axes, placement.voxel_size) == (("t", "z", "y", "x"), (2, 40, 4, 4))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"axes": ["z", "y", "x"]}, "N5 has x first"),
        ({"axis_names": ["c", "Z", "y", "x"]}, "N5 has x first"),
        ({"axes": ["x", "y", "s"]}, "aren't understood"),
        ({"axes": {"x": 1}}, "should be a list"),
        ({"pixelResolution": {"dimensions": 4}}, "should be a list"),
    ],
)
def test_axes_that_are_refused(attributes, message):
    with pytest.raises(ValueError, match=message):
        placement_from({}, "", n5_attributes(attributes), 3)
