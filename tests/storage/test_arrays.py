"""Arrays in stores: every container opens, writes are whole, and nothing stale is read."""

import errno
import json
import pickle
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
import zarr
from dask.base import tokenize
from ome_zarr_models import open_ome_zarr
from regions import box, numbers, whole

from dask_blockwise.geometry.placement import Placement
from dask_blockwise.storage.arrays import (
    create_array,
    create_image,
    exists,
    open_array,
    read_attributes,
    read_placement,
    remove,
    write_attributes,
)
from dask_blockwise.storage.arrays_below import array_paths
from dask_blockwise.storage.documents import list_names, read_bytes
from dask_blockwise.storage.location import kvstore_spec, location_of
from dask_blockwise.storage.stamps import stamps_of

ZYX = Placement(("z", "y", "x"), (40, 4, 4), (80, 0, 8), "nanometer")


def in_another_process(code, *arguments):
    """What a process that runs the code writes."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def test_every_container_opens(data):
    paths = array_paths(data / "containers")
    assert len(paths) >= 9
    for path in paths:
        array = open_array(data / "containers" / path)
        assert array.read(whole(array)).shape == array.shape


def test_an_image_opens_its_first_level(data):
    image = data / "containers/mobie/blobs space.ome.zarr"
    array = open_array(image)
    assert (array.path, array) == (f"{image}/s0", open_array(image / "s0"))
    assert read_placement(array) == Placement(("y", "x"), (1, 1), (0, 0), "pixel")


@pytest.mark.parametrize(
    ("zarr_format", "shards", "chunks"),
    [
        (2, None, (4, 4, 4)),
        (3, None, (4, 4, 4)),
        (3, (8, 8, 8), (4, 4, 4)),
        (3, None, (16, 16, 16)),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "bool", "int16", "uint64", "float32", "complex64"])
def test_what_is_written_comes_back(tmp_path, zarr_format, shards, chunks, dtype):
    values = numbers(9, 10, 11, dtype=dtype)
    array = create_array(
        tmp_path / "a b.zarr/deep/raw", values.shape, dtype, chunks=chunks, shards=shards,
        zarr_format=zarr_format, axes=("z", "y", "x"),
    )  # fmt: skip
    assert (array.chunks, array.shards, array.zarr_format) == (chunks, shards, zarr_format)
    unit = array.write_unit
    for begin in product(*(range(0, n, u) for n, u in zip(array.shape, unit))):
        part = box(*((b, min(n, b + u)) for b, u, n in zip(begin, unit, array.shape)))
        array.write(part, values[part])
    np.testing.assert_array_equal(array.read(whole(array)), values)
    part = box((1, 5), (3, 9), (0, 11))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array)).read(part), values[part])
    root = zarr.open_group(tmp_path / "a b.zarr", mode="r")
    np.testing.assert_array_equal(root["deep/raw"][:], values)


OVERWRITE = """
import sys
import numpy as np
from dask_blockwise.storage.arrays import create_array, open_array
path, value, anew = sys.argv[1:]
if int(anew):
    create_array(path, (4,), "u1", chunks=(4,), overwrite=True)
array = open_array(path, writable=True)
array.write((slice(0, 4),), np.full(4, int(value), "u1"))
"""


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_may_all_lie_in_one_folder(tmp_path, zarr_format):
    path, values = tmp_path / "a.zarr", numbers(5, 7, 6, dtype="uint16")
    settings = {"chunks": (2, 3, 6), "zarr_format": zarr_format, "separator": "."}
    array = create_array(path, values.shape, values.dtype, **settings)
    array.write(whole(values), values)
    np.testing.assert_array_equal(zarr.open_array(path)[:], values)
    np.testing.assert_array_equal(stamps_of(open_array(path)).values > 0, np.ones((3, 3, 1)))
    assert not [found for found in path.iterdir() if found.is_dir()]


def test_reads_see_what_another_process_writes_unless_it_is_steady(tmp_path):
    path, part = tmp_path / "a.zarr/x", box((0, 4))
    array = create_array(path, (4,), "u1", chunks=(4,))
    array.write(part, np.full(4, 1, "u1"))
    steady, asked = open_array(path).steady(), open_array(path)
    assert (steady.read(part)[0], asked.read(part)[0]) == (1, 1)
    in_another_process(OVERWRITE, path, 2, 0)
    assert (steady.read(part)[0], asked.read(part)[0]) == (1, 2)
    assert open_array(path).read(part)[0] == 2


def test_an_array_made_anew_is_read_anew(tmp_path):
    path, part = tmp_path / "a.zarr/x", box((0, 4))
    old = create_array(path, (4,), "u1", chunks=(4,))
    old.write(part, np.full(4, 1, "u1"))
    assert old.read(part)[0] == 1
    in_another_process(OVERWRITE, path, 2, 1)
    assert pickle.loads(pickle.dumps(open_array(path))).read(part)[0] == 2


def test_every_opening_has_the_same_token(tmp_path):
    path = tmp_path / "a.zarr/x"
    made = create_array(path, (4,), "u1", chunks=(4,), attributes={"a": [1]})
    assert (
        tokenize(made) == tokenize(open_array(path)) == tokenize(pickle.loads(pickle.dumps(made)))
    )
    anew = create_array(path, (4,), "u2", chunks=(4,), attributes={"a": [1]}, overwrite=True)
    assert tokenize(anew) != tokenize(made)


def test_a_relative_path_means_the_same_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    array = create_array("a.zarr/x", (4,), "u1", chunks=(4,))
    monkeypatch.chdir("/")
    assert array.path == "a.zarr/x"
    np.testing.assert_array_equal(array.read(box((0, 4))), 0)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_images_are_ome_zarr_in_plain_groups(tmp_path, zarr_format):
    image = tmp_path / "out.zarr/deep/raw"
    array = create_image(
        image, ZYX, (4, 4, 4), "u1", chunks=(2, 2, 2), zarr_format=zarr_format, name="EM"
    )
    assert read_placement(array) == read_placement(open_array(image)) == ZYX
    group = zarr.open_group(tmp_path / "out.zarr", mode="r")
    assert (dict(group.attrs), dict(group["deep"].attrs)) == ({}, {})
    multiscale = open_ome_zarr(group["deep/raw"]).ome_attributes.multiscales[0]
    assert (multiscale.name, multiscale.datasets[0].path) == ("EM", "s0")
    if zarr_format == 3:
        assert group["deep/raw/s0"].metadata.dimension_names == ("z", "y", "x")


def test_attributes_of_groups_are_kept(tmp_path):
    for path, zarr_format in (tmp_path / "a.zarr/g", 3), (tmp_path / "b.zarr", 2):
        write_attributes(path, {"a": 1}, zarr_format)
        write_attributes(path, {"b": [2]})
        assert read_attributes(path) == {"a": 1, "b": [2]}
        assert dict(zarr.open_group(path, mode="r").attrs) == {"a": 1, "b": [2]}
    assert read_attributes(tmp_path / "none") == {}


def test_dimension_names_are_axes(tmp_path):
    array = create_array(
        tmp_path / "a.zarr/x", (2, 4, 4), "u1", chunks=(2, 4, 4), axes=("t", "y", "x")
    )
    assert read_placement(array).axes == ("t", "y", "x")


def test_what_is_there_is_found_and_removed(tmp_path):
    path = tmp_path / "a.zarr/x"
    assert not exists(path)
    create_image(path, ZYX, (4, 4, 4), "u1", chunks=(2, 2, 2))
    assert exists(path)
    assert exists(tmp_path / "a.zarr")
    assert array_paths(tmp_path / "a.zarr") == ["x/s0"]
    remove(path / "s0")
    remove(path / "s0")
    assert array_paths(tmp_path / "a.zarr") == []
    assert exists(path)


def test_a_group_that_is_left_empty_goes_too(tmp_path):
    for name in "ab":
        create_array(tmp_path / "a.zarr/scratch" / name, (4,), "u1", chunks=(4,))
    remove(tmp_path / "a.zarr/scratch/a")
    assert exists(tmp_path / "a.zarr/scratch/b")
    remove(tmp_path / "a.zarr/scratch/b")
    assert not (tmp_path / "a.zarr/scratch").exists()


def image(path, **options):
    settings = {"chunks": (2, 2, 2)} | options
    return create_image(path, ZYX, (4, 4, 4), "u1", **settings)


def write(path, bounds, values):
    create_array(path, (5, 6), "u1", chunks=(2, 2), shards=(4, 4)).write(box(*bounds), values)


def ones(*shape, dtype="u1"):
    return np.ones(shape, dtype)


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda p: open_array(p / "b.zarr"), FileNotFoundError, "has a.zarr, notes"),
        (lambda p: open_array(p / "a.zarr"), FileNotFoundError, "Arrays below it: raw[.]"),
        (lambda p: open_array(p / "notes"), FileNotFoundError, "Nor was one found below it"),
        (lambda p: open_array("ftp://a/b"), ValueError, "https://; copy it to a disk"),
        (lambda p: image(p / "a.zarr/raw"), FileExistsError, "overwrite=True"),
        (lambda p: image(p / "a.zarr", overwrite=True), FileExistsError, "other arrays, raw/s0"),
        (lambda p: image(p / "notes", overwrite=True), FileExistsError, "is no zarr"),
        (lambda p: image(p / "notes/a.txt", overwrite=True), FileExistsError, r"a\.txt is there"),
        (lambda p: image(p / "a.zarr/raw/s0/x"), ValueError, "lie in the array"),
        (lambda p: image(p / "b.zarr", zarr_format=4), ValueError, "2 or 3, got 4"),
        (lambda p: image(p / "b.zarr", shards=(4, 4, 3)), ValueError, "must divide shards"),
        (lambda p: image(p / "b.zarr", chunks=(4, 4)), ValueError, "number for each axis"),
        (
            lambda p: image(p / "b.zarr", shards=(4, 4, 4), zarr_format=2),
            *(ValueError, "zarr 2 has no shards"),
        ),
        (lambda p: write(p / "w.zarr", [(0, 2), (0, 4)], ones(2, 4)), ValueError, "whole shards"),
        (lambda p: write(p / "w.zarr", [(2, 5), (0, 4)], ones(3, 4)), ValueError, "got .*2, 5"),
        (lambda p: write(p / "w.zarr", [(0, 4), (0, 4)], ones(4)), ValueError, "of that shape"),
        (
            lambda p: write(p / "w.zarr", [(0, 4), (0, 4)], 299 * ones(4, 4, dtype=int)),
            *(ValueError, "can't hold all of these int64 values, from 299 to 299:"),
        ),
        (
            lambda p: write(p / "w.zarr", [(0, 4), (0, 4)], np.nan * ones(4, 4)),
            *(ValueError, "can't hold all of these float64 values, NaN:"),
        ),
    ],
)
def test_mistakes(tmp_path, mistake, error, message):
    image(tmp_path / "a.zarr/raw")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("mine")
    with pytest.raises(error, match=message):
        mistake(tmp_path)
    assert (tmp_path / "notes/a.txt").read_text() == "mine"
    assert open_array(tmp_path / "a.zarr/raw").shape == (4, 4, 4)


def test_overwriting_leaves_nothing_of_the_old(tmp_path):
    image(tmp_path / "raw.zarr").write(box(*[(0, 4)] * 3), ones(4, 4, 4))
    array = image(tmp_path / "raw.zarr", overwrite=True, zarr_format=2)
    assert (array.zarr_format, array.read(whole(array)).any()) == (2, False)
    assert not (tmp_path / "raw.zarr/zarr.json").exists()


def test_the_far_border_may_be_written(tmp_path):
    write(tmp_path / "w.zarr", [(4, 5), (4, 6)], ones(1, 2, dtype=np.int64))
    assert zarr.open_array(tmp_path / "w.zarr", mode="r")[:].sum() == 2


@pytest.mark.parametrize("name", ["zarr.json", "c/0/0"])
def test_damaged_files_are_named(tmp_path, name):
    write(tmp_path / "w.zarr", [(0, 4), (0, 4)], ones(4, 4))
    (tmp_path / "w.zarr" / name).write_bytes(b"{")
    with pytest.raises((OSError, ValueError), match=r"w\.zarr.* (is damaged|can't be read)"):
        open_array(tmp_path / "w.zarr").read(box((0, 4), (0, 4)))


def test_a_full_or_read_only_disk_is_named(small_disk):
    disk, protect = small_disk
    noise = np.random.default_rng(0).integers(0, 255, (1 << 19,)).astype("u1")
    array = create_array(disk / "a.zarr/x", noise.shape, "u1", chunks=noise.shape)
    with pytest.raises(OSError, match=r"The disk of .* is full") as raised:
        array.write(whole(array), noise)
    assert raised.value.errno == errno.ENOSPC
    protect()
    for act in (
        lambda: array.write(whole(array), noise),
        lambda: open_array(array.path, writable=True),
        lambda: image(disk / "b.zarr/raw"),
        lambda: image(disk / "a.zarr/x", overwrite=True),
    ):
        with pytest.raises(PermissionError, match=r"can't be (written|removed)"):
            act()


@pytest.mark.parametrize(("zarr_format", "shards"), [(2, None), (3, None), (3, (4, 4, 4))])
def test_images_in_a_bucket(bucket, zarr_format, shards):
    path, values = (
        f"{bucket}/{zarr_format}{bool(shards)}/a b.zarr/raw",
        numbers(6, 5, 4, dtype="u1"),
    )
    settings = {"chunks": (2, 2, 2), "shards": shards, "zarr_format": zarr_format}
    array = create_image(path, ZYX, values.shape, "u1", **settings)
    array.write(whole(array), values)
    again = pickle.loads(pickle.dumps(open_array(path)))
    np.testing.assert_array_equal(again.read(box((1, 6), (0, 5), (2, 4))), values[1:, :, 2:])
    assert (read_placement(again), again.chunks, again.shards) == (ZYX, (2, 2, 2), shards)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        create_image(path, ZYX, values.shape, "u1", **settings)
    array = create_image(path, ZYX, values.shape, "u1", **settings, overwrite=True)
    assert not array.read(whole(array)).any()
    remove(array.location)
    with pytest.raises(FileNotFoundError, match="may be read"):
        open_array(array.location)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_documents_of_a_bucket_are_those_of_a_disk(bucket, tmp_path, zarr_format):
    stored = []
    settings = {"chunks": (2, 2, 2), "zarr_format": zarr_format}
    for place in (f"{bucket}/same/{zarr_format}.zarr", f"{tmp_path}/{zarr_format}.zarr"):
        create_image(f"{place}/a/raw", ZYX, (6, 5, 4), "u1", **settings)
        read = {name: json.loads(read_bytes(place, name)) for name in list_names(place)}
        # Version 2 may leave attributes out that are empty.
        stored.append({name: document for name, document in read.items() if document})
    assert stored[0] == stored[1]
    assert len(stored[0]) >= 4


def test_a_missing_bucket_is_named(bucket):
    reason = {"s3": "NoSuchBucket", "gs": "Not Found"}[bucket[:2]]
    with pytest.raises(OSError, match=rf"nowhere/a\.zarr.*can't be written: .*{reason}"):
        image(f"{bucket[:2]}://nowhere/a.zarr")


@pytest.mark.parametrize(
    ("path", "environment", "spec"),
    [
        ("gs://bucket/a.zarr/", {}, {"driver": "gcs", "bucket": "bucket", "path": "a.zarr/"}),
        ("s3://bucket/x", {}, {"driver": "s3", "bucket": "bucket", "path": "x/"}),
        (
            "s3://bucket/a b/x",
            {"AWS_ENDPOINT_URL": "http://e", "AWS_DEFAULT_REGION": "eu"},
            {
                "driver": "s3",
                "bucket": "bucket",
                "path": "a b/x/",
                "endpoint": "http://e",
                "aws_region": "eu",
            },
        ),
        ("file:///a/../b.zarr", {}, {"driver": "file", "path": "/b.zarr/"}),
        (Path("/a b.n5"), {}, {"driver": "file", "path": "/a b.n5/"}),
    ],
)
def test_stores_are_specified(path, environment, spec):
    built = kvstore_spec(location_of(path), environment)
    assert built == spec
    assert ts.KvStore.Spec(built).to_json()["path"] == spec["path"]


def test_the_cache_decodes_a_chunk_once(tmp_path):
    array = create_array(tmp_path / "a.zarr/x", (64, 64), "u1", chunks=(64, 64))
    array.write(whole(array), ones(64, 64))
    array = open_array(array.path).steady()
    assert array.read(box((0, 8), (0, 8))).all()
    (tmp_path / "a.zarr/x/c/0/0").unlink()
    assert array.read(box((8, 16), (0, 8))).all()
