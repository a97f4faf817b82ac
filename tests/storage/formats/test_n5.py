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

import dask_blockwise as dbw
from dask_blockwise.storage.arrays import open_array
from dask_blockwise.storage.formats.n5 import n5_attributes
from dask_blockwise.storage.metadata import placement_from

# As tools write them: zarr 2, n5-zstandard, n5-blosc and z5.
OF_OTHERS = {
    "zarr 2": {"type": "zstd", "level": 3, "id": "zstd", "checksum": False},
    "n5-zstandard": {"type": "zstd", "level": 3, "nbWorkers": 0},
    "n5-blosc": {"type": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "nthreads": 2},
    "more of it": {"type": "gzip", "level": 5, "useZlib": True, "threads": 1},
}

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


def put_blocks(folder, values, chunks, encode, compression):
    """An N5 array by its specification, of which blocks at the border are cut."""
    folder.mkdir(parents=True)
    for index in np.ndindex(*(-(-n // c) for n, c in zip(values.shape, chunks))):
        block = values[tuple(slice(i * c, (i + 1) * c) for i, c in zip(index, chunks))]
        sizes = block.shape[::-1]
        file = folder.joinpath(*map(str, index[::-1]))
        file.parent.mkdir(parents=True, exist_ok=True)
        head = struct.pack(f">HH{len(sizes)}I", 0, len(sizes), *sizes)
        file.write_bytes(head + encode(block.astype(values.dtype.newbyteorder(">")).tobytes()))
    said = {"dimensions": values.shape[::-1], "blockSize": chunks[::-1], "dataType": "uint16"}
    (folder / "attributes.json").write_text(json.dumps(said | {"compression": compression}))


@pytest.mark.parametrize("tool", OF_OTHERS)
def test_what_tools_say_beside_of_a_compression_is_no_matter(tmp_path, tool):
    compression = OF_OTHERS[tool]
    encoders = {"zstd": numcodecs.Zstd(), "blosc": numcodecs.Blosc(), "gzip": numcodecs.Zlib()}
    values = np.random.default_rng(0).integers(0, 9, (7, 5, 6)).astype("u2")
    encode = encoders[compression["type"]].encode
    put_blocks(tmp_path / "a.n5/raw", values, (3, 5, 4), lambda b: bytes(encode(b)), compression)
    array = open_array(tmp_path / "a.n5/raw")
    np.testing.assert_array_equal(array.read(whole(array)), values)


def test_several_labels_a_voxel_are_refused_before_any_is_read(tmp_path):
    values = np.zeros((4, 4), "u2")
    put_blocks(tmp_path / "a.n5/seg", values, (4, 4), bytes, {"type": "raw"})
    file = tmp_path / "a.n5/seg/attributes.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"isLabelMultiset": True}))
    with pytest.raises(ValueError, match=r"label multiset of Paintera: .*paintera-convert"):
        dbw.open_volume(tmp_path / "a.n5/seg")
