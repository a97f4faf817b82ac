"""Stamps: every change of a shard or chunk is noticed, in its own place, whatever its name."""

import json
import os
import shutil
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorstore as ts
import zarr
from dask.base import tokenize
from regions import box, numbers, whole

from dask_blockwise.storage.arrays import create_array, create_image, open_array
from dask_blockwise.storage.file_stamps import all_stamps
from dask_blockwise.storage.formats import UnitNames
from dask_blockwise.storage.stamps import stamps_of
from dask_blockwise.storage.units import WriteUnits

SHAPE, CHUNKS = (7, 10, 5), (3, 4, 5)
ENCODED = [
    (3, {"name": "default", "separator": "/"}),
    (3, {"name": "default", "separator": "."}),
    (3, {"name": "v2", "separator": "/"}),
    (3, {"name": "v2", "separator": "."}),
    (2, {"name": "v2", "separator": "/"}),
    (2, {"name": "v2", "separator": "."}),
]


def zarr_array(path, zarr_format, encoding):
    zarr.create_array(
        path, shape=SHAPE, chunks=CHUNKS, dtype="u1", zarr_format=zarr_format,
        chunk_key_encoding=encoding, attributes={"a": 1},
    )  # fmt: skip
    return open_array(path, writable=True)


def n5_array(path):
    """With x first, so that the shape in C order is the same."""
    spec = {"driver": "n5", "kvstore": {"driver": "file", "path": f"{path}/"}}
    metadata = {
        "dimensions": SHAPE[::-1], "blockSize": CHUNKS[::-1], "dataType": "uint8",
        "compression": {"type": "gzip"},
    }  # fmt: skip
    ts.open(spec | {"metadata": metadata}, create=True).result()
    return open_array(path, writable=True)


def boxes(array):
    """Of all shards or chunks, and each one's number."""
    unit = array.write_unit
    for index in product(*(range(-(-n // u)) for n, u in zip(array.shape, unit))):
        bounds = zip(index, unit, array.shape)
        yield index, box(*((i * u, min(n, (i + 1) * u)) for i, u, n in bounds))


def check_each_unit_has_its_stamp(array):
    values, seen = numbers(*array.shape, dtype="u1"), set()
    assert not stamps_of(array).values.any()
    for index, part in boxes(array):
        before = stamps_of(array)
        array.write(part, values[part])
        for by in ("stamps", "content"):
            assert np.count_nonzero(stamps_of(array, by).values) == len(seen) + 1
        now = stamps_of(array)
        changed = np.argwhere(now.values != before.values)
        assert (now.unit, changed.tolist()) == (array.write_unit, [list(index)])
        assert array.stamp(part)[1] == now.values[index] == now.of(part)
        seen.add(now.values[index])
    assert len(seen) == now.values.size
    corner = box(*((1, n) for n in array.shape))
    assert array.stamp(whole(array))[1] == array.stamp(corner)[1] == now.of(corner)
    assert array.stamp(corner)[1] == sum(now.values.ravel().tolist()) % 2**64


@pytest.mark.parametrize(("zarr_format", "encoding"), ENCODED, ids=str)
def test_each_chunk_of_zarr_has_its_stamp(tmp_path, zarr_format, encoding):
    check_each_unit_has_its_stamp(zarr_array(tmp_path / "a.zarr", zarr_format, encoding))


def test_each_chunk_of_n5_has_its_stamp(tmp_path):
    check_each_unit_has_its_stamp(n5_array(tmp_path / "a.n5"))


def test_each_shard_has_its_stamp(tmp_path):
    array = create_array(tmp_path / "a.zarr/x", (9, 8), "u1", chunks=(2, 2), shards=(4, 4))
    check_each_unit_has_its_stamp(array)


@pytest.mark.parametrize(("zarr_format", "shards"), [(2, None), (3, None), (3, (4, 4))])
def test_each_object_of_a_bucket_has_its_stamp(bucket, zarr_format, shards):
    array = create_array(
        f"{bucket}/stamps-{zarr_format}{bool(shards)}/a b.zarr/x", (9, 8), "u1",
        chunks=(2, 4), shards=shards, zarr_format=zarr_format,
    )  # fmt: skip
    check_each_unit_has_its_stamp(array)


@pytest.mark.parametrize("names", [UnitNames("c", "/"), UnitNames("", ".")])
def test_a_scalar_is_one_file(tmp_path, names):
    units = WriteUnits(str(tmp_path), (), (), names)
    assert (units.stamps("stamps"), units.stamp(())) == (0, (0, 0))
    (tmp_path / (names.prefix or "0")).write_bytes(b"1")
    assert (1, units.stamps("stamps")) == units.stamp(()) != (1, 0)


def written(path):
    array = create_array(path, (4, 6), "u1", chunks=(2, 2))
    array.write(whole(array), numbers(4, 6, dtype="u1"))
    return array


def test_what_is_no_chunk_has_no_stamp(tmp_path):
    array = written(tmp_path / "a.zarr/x")
    before = stamps_of(array).values
    folder = tmp_path / "a.zarr/x"
    for name in ("c/0/3", "c/2/0", "c/0/01", "c/0/1.__lock", "c/0/-1", "c/1", "0/0", "c/0/1/2",
                 ".marks/c/0/0", "c/.old/0", f"c/0/{'9' * 30}", "c/0/٣"):  # fmt: skip
        if not (folder / name).exists() and not (folder / name).parent.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"?")
    np.testing.assert_array_equal(stamps_of(array).values, before)


def test_a_chunk_that_was_rewritten_or_changed_places_is_noticed(tmp_path):
    array, file = written(tmp_path / "a.zarr/x"), tmp_path / "a.zarr/x/c/0/0"
    by = {how: stamps_of(array, how).values for how in ("stamps", "content")}
    told = file.stat()
    file.write_bytes(bytes(told.st_size))
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns + 1))
    assert (stamps_of(array).values != by["stamps"]).sum() == 1
    assert (stamps_of(array, "content").values != by["content"]).sum() == 1
    other = file.with_name("1")
    for how, swapped in (("stamps", 2), ("content", 2)):
        before = stamps_of(array, how).values
        file.rename(tmp_path / "kept"), other.rename(file), (tmp_path / "kept").rename(other)
        assert (stamps_of(array, how).values != before).sum() == swapped


def test_a_copy_has_the_same_content(tmp_path):
    array = written(tmp_path / "a.zarr")
    shutil.copytree(tmp_path / "a.zarr", tmp_path / "b.zarr")
    copy = open_array(tmp_path / "b.zarr")
    for how, same in ("content", True), ("stamps", False):
        assert (stamps_of(array, how).values == stamps_of(copy, how).values).all() == same


def test_folders_may_be_links_even_in_circles(tmp_path):
    array = written(tmp_path / "a.zarr")
    before = stamps_of(array).values
    (tmp_path / "a.zarr/c").rename(tmp_path / "elsewhere")
    (tmp_path / "a.zarr/c").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/loop").symlink_to(tmp_path / "a.zarr")
    np.testing.assert_array_equal(stamps_of(array).values, before)


def test_precomputed_has_a_stamp_for_each_chunk(tmp_path):
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{tmp_path}/em/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": {"size": [8, 8, 8], "resolution": [4, 4, 40], "chunk_size": [4, 4, 4],
                           "encoding": "raw", "key": "4", "voxel_offset": [-3, 0, 7]},
    }  # fmt: skip
    made = ts.open(spec, create=True).result()[ts.d[:].translate_to[0]]
    made[4:].write(1).result()
    array = open_array(tmp_path / "em/4")
    before = stamps_of(array).values
    made[:4, :4, :4].write(2).result()
    after = stamps_of(array)
    assert after.unit == (4, 4, 4)
    assert np.argwhere(after.values != before).tolist() == [[0, 0, 0]]
    assert ((after.values != 0).sum(), before[0, 0, 0]) == (5, 0)
    region = box((0, 4), (0, 8), (0, 8))
    assert array.stamp(region) == (3, after.of(region))


def test_a_single_file_has_one_stamp(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 4), "u1"))
    check_one_stamp(
        open_array(tmp_path / "a.npy"), lambda: np.save(tmp_path / "a.npy", np.ones((4, 4), "u1"))
    )
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/raw"] = np.zeros((4, 4), "u1")

    def change():
        with (tmp_path / "a.h5").open("ab") as file:
            file.write(b"more")

    check_one_stamp(open_array(tmp_path / "a.h5/deep/raw"), change)


def check_one_stamp(array, change):
    before = {how: stamps_of(array, how) for how in ("stamps", "content")}
    assert before["stamps"].unit == array.shape
    assert before["stamps"].values.shape == (1,) * len(array.shape)
    assert array.stamp(box(*[(0, 1)] * len(array.shape)))[1] == before["stamps"].values.sum() != 0
    change()
    for how, was in before.items():
        assert stamps_of(array, how).values.sum() not in (0, was.values.sum())


def test_a_store_that_cannot_be_listed_is_named(tmp_path, s3_bucket):
    array = written(tmp_path / "a.zarr/x")
    with pytest.raises(OSError, match=r"s3://nowhere/x can't be listed: .*NoSuchBucket|404"):
        all_stamps("s3://nowhere/x")
    shutil.rmtree(tmp_path / "a.zarr/x/c")
    (tmp_path / "a.zarr/x/c").symlink_to("c")
    with pytest.raises(OSError, match=r"a\.zarr/x can't be listed"):
        stamps_of(array)
    with pytest.raises(ValueError, match="'stamps' or 'content', got 'time'"):
        stamps_of(array, "time")


def test_the_identity_is_that_of_how_voxels_are_stored(tmp_path):
    def recipe(name, **options):
        settings = {"chunks": (2, 2)} | options
        array = create_array(tmp_path / name, (4, 6), "u1", **settings)
        found = array.__recipe__()
        assert found.pop("~path") == str(tmp_path / name)
        json.dumps(found)
        return found

    plain = recipe("a.zarr")
    assert plain == recipe("b.zarr", attributes={"resolution": [4, 4]})
    assert (plain["array"], plain["dtype"], plain["fill_value"]) == ("zarr3", "|u1", 0)
    others = [{"fill_value": 3}, {"shards": (4, 2)}, {"zarr_format": 2}, {"chunks": (4, 2)}]
    for i, options in enumerate(others):
        assert recipe(f"{i}.zarr", **options) != plain


def test_attributes_are_no_part_of_the_identity_nor_the_token(tmp_path):
    for array in n5_array(tmp_path / "a.n5"), *(zarr_array(tmp_path / str(i), *e) for i, e in
                                                enumerate(ENCODED)):  # fmt: skip
        folder = Path(array.location)
        name = next(n for n in ("zarr.json", ".zattrs", "attributes.json") if (folder / n).exists())
        document = json.loads((folder / name).read_text())
        document.get("attributes", document)["more"] = 1
        (folder / name).write_text(json.dumps(document))
        again = open_array(array.path)
        assert again.attributes != array.attributes
        assert (again.__recipe__(), tokenize(again)) == (array.__recipe__(), tokenize(array))


def test_images_of_others_have_stamps(data, tmp_path):
    for path in ("mobie/blobs space.ome.zarr/s0", "n5-zarr/shardExamples/test.zarr/mid_sharded"):
        array = open_array(data / "containers" / path)
        stamps = stamps_of(array)
        assert stamps.values.all()
        assert stamps.of(whole(array)) == array.stamp(whole(array))[1]


def test_marks_beside_chunks_are_no_part(tmp_path):
    from dask_blockwise.geometry.placement import Placement

    array = create_image(
        tmp_path / "a.zarr/x", Placement(("y", "x"), (4, 4), (0, 0), "nanometer"), (4, 4), "u1",
        chunks=(2, 2),
    )  # fmt: skip
    (Path(array.location) / ".dask_blockwise/c/0").mkdir(parents=True)
    (Path(array.location) / ".dask_blockwise/c/0/0").write_bytes(b"1")
    assert not stamps_of(array).values.any()
