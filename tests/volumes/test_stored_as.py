"""How arrays are compressed, filled and typed, as zarr itself reads them."""

from __future__ import annotations

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

import dask_blockwise as dbw

VALUES = np.arange(12 * 8, dtype=np.uint64).reshape(12, 8)


def volume(values=VALUES, **options):
    return dbw.Volume.from_array(values, chunks=(4, 4), **options)


def store(near, path, values=VALUES, **options):
    volume(values).to_zarr(path, progress=False, client=near, **options)
    return zarr.open_array(str(path / "s0"), mode="r")


CODECS = [
    (3, "zstd", ["ZstdCodec", 3]),
    (3, "zstd:9", ["ZstdCodec", 9]),
    (3, ("zstd", 1), ["ZstdCodec", 1]),
    (3, "gzip:2", ["GzipCodec", 2]),
    (3, "blosc:7", ["BloscCodec", 7]),
    (3, "lz4", ["BloscCodec", 1]),
    (3, ZstdCodec(level=5), ["ZstdCodec", 5]),
    (3, GzipCodec(level=4), ["GzipCodec", 4]),
    (3, BloscCodec(cname="lz4", clevel=2, shuffle="bitshuffle"), ["BloscCodec", 2]),
    (3, {"name": "gzip", "configuration": {"level": 3}}, ["GzipCodec", 3]),
    (2, "zstd:9", ["Zstd", 9]),
    (2, "zlib", ["Zlib", 5]),
    (2, "gzip:1", ["GZip", 1]),
    (2, "bz2:2", ["BZ2", 2]),
    (2, "blosc", ["Blosc", 5]),
    (2, "lz4:3", ["Blosc", 3]),
    (2, numcodecs.Zlib(level=2), ["Zlib", 2]),
    (2, {"id": "zstd", "level": 7}, ["Zstd", 7]),
]


@pytest.mark.parametrize(
    ("zarr_format", "given", "expected"), CODECS, ids=[str(c[:2]) for c in CODECS]
)
def test_arrays_are_compressed_as_asked(near, tmp_path, zarr_format, given, expected):
    array = store(near, tmp_path / "a.zarr", compressor=given, zarr_format=zarr_format, pyramid=1)
    codec, *checksum = array.compressors
    assert bool(checksum) is (zarr_format == 3 and str(given).partition(":")[0] in ("blosc", "lz4"))
    level = next(getattr(codec, n) for n in ("level", "clevel") if hasattr(codec, n))
    assert [type(codec).__name__, level] == expected
    np.testing.assert_array_equal(array[:], VALUES)
    level = zarr.open_array(str(tmp_path / "a.zarr/s1"), mode="r")
    assert level.compressors == array.compressors


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_none_is_no_compression(near, tmp_path, zarr_format):
    array = store(near, tmp_path / "a.zarr", compressor=None, zarr_format=zarr_format)
    assert array.compressors == ()
    np.testing.assert_array_equal(array[:], VALUES)


@pytest.mark.parametrize(
    ("given", "zarr_format", "match"),
    [
        ("lzma", 3, "one of zstd, gzip, blosc"),
        ("zlib", 3, "one of zstd, gzip, blosc"),
        ("lzo", 2, "one of zstd, gzip, zlib"),
        ("zstd:99", 3, "from 1 to 22"),
        ("gzip:fast", 3, "from 0 to 9"),
        (("zstd", "high"), 3, "from 1 to 22"),
        ({"id": "zstd"}, 3, "one of zstd"),
        ({"name": "zstd", "configuration": {"lvl": 1}}, 3, "isn't understood"),
        ({"name": "lz4", "configuration": {}}, 3, "of zstd, gzip, blosc;"),
        ({"id": "blosc", "cname": "nope"}, 2, "isn't understood"),
        (numcodecs.LZMA(), 2, "one of zstd"),
        (7, 3, "compressor is a name"),
    ],
)
def test_unknown_compressors_are_refused_before_anything_is_made(
    tmp_path, given, zarr_format, match
):
    with pytest.raises((TypeError, ValueError), match=match):
        volume().to_zarr(tmp_path / "a.zarr", compressor=given, zarr_format=zarr_format)
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.parametrize(
    ("dtype", "fill"), [("f4", np.nan), ("f8", -np.inf), ("u1", 255), ("i2", -7), ("?", True)]
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_was_not_written_is_fill_value(near, tmp_path, dtype, fill, zarr_format):
    values = np.ones((8, 8), dtype)
    made = dbw.Volume.from_array(values, chunks=(4, 4))
    region = dbw.Roi((0, 0), (4, 4))
    made.to_zarr(
        tmp_path / "a.zarr",
        fill_value=fill,
        roi=region,
        zarr_format=zarr_format,
        progress=False,
        client=near,
    )
    expected = np.full((8, 8), fill, dtype)
    expected[:4, :4] = 1
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "a.zarr")[:], expected)
    array = zarr.open_array(str(tmp_path / "a.zarr/s0"), mode="r")
    np.testing.assert_array_equal(array[:], expected)
    again = made.to_zarr(tmp_path / "a.zarr", fill_value=fill, progress=False, client=near)
    assert again.tasks[0].completed == 3


@pytest.mark.parametrize("fill", [-1, 2**64, 0.5, np.nan, "x", [1], None])
def test_a_fill_value_that_is_none_of_the_dtype_is_refused(tmp_path, fill):
    with pytest.raises(ValueError, match="a value of uint64"):
        volume().to_zarr(tmp_path / "a.zarr", fill_value=fill)


def test_a_dtype_holds_all_values_or_the_block_is_refused(near, tmp_path):
    array = store(near, tmp_path / "a.zarr", dtype="uint8")
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array[:], VALUES)
    large = VALUES * 3
    with pytest.raises(dbw.BlocksFailed, match=r"holds uint8, which can't hold .*to 2[0-9]*:"):
        store(near, tmp_path / "b.zarr", large, dtype=np.uint8, max_retries=0)


@pytest.mark.parametrize(
    ("values", "dtype", "fails"),
    [
        ([[0.5, 2.0]], "int32", True),
        ([[1.0, 2.0]], "int32", False),
        ([[1e300, 1.0]], "float32", True),
        ([[np.inf, np.nan]], "float32", False),
        ([[-1, 1]], "uint64", True),
        ([[70000, 1]], "float16", True),
        ([[2**24, -(2**24)]], "float32", False),
        ([[2**24 + 1, 0]], "float32", True),
        ([[2**53 + 1, 0]], "float64", True),
        ([[-(2**63), 2**62]], "float32", False),
        (np.array([[2**64 - 1]], "u8"), "float64", True),
        (np.array([[2**63 + 2**11]], "u8"), "float64", False),
    ],
)
def test_no_value_becomes_another(near, tmp_path, values, dtype, fails):
    made = dbw.Volume.from_array(np.array(values))
    options = {"dtype": dtype, "max_retries": 0, "progress": False, "client": near}
    if fails:
        with pytest.raises(dbw.BlocksFailed, match="can't hold all"):
            made.to_zarr(tmp_path / "a.zarr", **options)
        return
    made.to_zarr(tmp_path / "a.zarr", **options)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "a.zarr")[:], np.array(values))


@pytest.mark.parametrize(("min_size", "dtype"), [(0, "uint16"), (9, "uint8")])
def test_the_smallest_type_holds_as_many_ids_as_there_may_be(near, tmp_path, min_size, dtype):
    mask = np.indices((24, 24)).sum(0) % 2
    objects = dbw.relabel(
        dbw.connected_components(volume(mask.astype(np.uint8))), min_size=min_size
    )
    objects.to_zarr(tmp_path / "a.zarr", dtype="smallest", progress=False, client=near)
    objects.to_zarr(tmp_path / "b.zarr", progress=False, client=near)
    stored, wide = (dbw.open_volume(tmp_path / name) for name in ("a.zarr", "b.zarr"))
    assert (stored.dtype, wide.dtype) == (np.dtype(dtype), np.uint64)
    np.testing.assert_array_equal(stored[:], wide[:])


def test_ids_that_a_named_type_cant_hold_are_refused(near, tmp_path):
    mask = np.indices((32, 32)).sum(0) % 2
    objects = dbw.relabel(dbw.connected_components(volume(mask.astype(np.uint8))))
    with pytest.raises(dbw.BlocksFailed, match="holds uint8, which can't hold"):
        objects.to_zarr(
            tmp_path / "a.zarr", dtype="uint8", max_retries=0, progress=False, client=near
        )


@pytest.mark.parametrize(
    ("make", "dtype", "match"),
    [
        (volume, "smallest", "name a type"),
        (volume, "U8", "can't be stored"),
        (volume, "uint7", "a type of numpy"),
        (lambda: volume(VALUES.astype("complex64")), "float32", "can't be stored"),
        (lambda: volume(VALUES.astype("u1"), stands_for=(0, 1)), "float32", "quantised"),
    ],
    ids=["unknown ids", "text", "no type", "complex", "quantised"],
)
def test_types_that_cant_be_are_refused(tmp_path, make, dtype, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make().to_zarr(tmp_path / "a.zarr", dtype=dtype)
    assert not (tmp_path / "a.zarr").exists()


def test_a_checkpoint_is_of_its_dtype_in_previews_too(near, tmp_path):
    kept = volume().checkpoint(tmp_path / "a.zarr", dtype="uint8", compressor="gzip")
    assert (kept.dtype, kept[:].dtype, kept.data.dtype) == ("u1", "u1", "u1")
    made = dbw.map_overlap(lambda array: array.astype(array.dtype), kept, dtype="u1")
    made.to_zarr(tmp_path / "b.zarr", progress=False, client=near)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "b.zarr")[:], VALUES)
    assert dbw.open_volume(tmp_path / "a.zarr").dtype == "u1"


@pytest.mark.parametrize(
    "change",
    [{"compressor": "gzip"}, {"fill_value": 3}, {"dtype": "u1"}],
    ids=lambda c: next(iter(c)),
)
def test_what_is_stored_otherwise_is_asked_about(near, tmp_path, change):
    store(near, tmp_path / "a.zarr")
    with pytest.raises(dbw.OutputChanged, match=next(iter(change))):
        store(near, tmp_path / "a.zarr", **change)
    array = store(near, tmp_path / "a.zarr", **change, on_change="redo")
    np.testing.assert_array_equal(array[:], VALUES)


def test_a_rerun_is_stored_as_before(near, tmp_path):
    store(near, tmp_path / "a.zarr", compressor="gzip", dtype="u1", pyramid=1)
    dbw.rerun(tmp_path / "a.zarr", to=tmp_path / "b.zarr", progress=False, client=near)
    array = zarr.open_array(str(tmp_path / "b.zarr/s1"), mode="r")
    assert (array.dtype, type(array.compressors[0]).__name__) == (np.uint8, "GzipCodec")
