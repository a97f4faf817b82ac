"""Chunks whose files have other names than metadata say are read, or refused, and never zeros."""

import bz2
import gzip
import json
import lzma
from importlib.util import find_spec

import numcodecs
import numpy as np
import pytest
import tensorstore as ts
import zarr
from made_by_others import VALUES, changed, n5_array, packed, precomputed_scale, zarr_array
from regions import box, whole

import dask_blockwise as dbw
from dask_blockwise.storage.arrays import create_array, open_array
from dask_blockwise.storage.formats import zarr as zarr_format
from dask_blockwise.storage.location import kvstore_spec
from dask_blockwise.storage.stamps import stamps_of

PART = box((2, 6), (1, 5))


def says(separator):
    def change(document):
        del document["dimension_separator"]
        document.update({"dimension_separator": separator} if separator else {})

    return change


def assert_read(path, values=VALUES):
    array = open_array(path)
    np.testing.assert_array_equal(np.squeeze(array.read(whole(array))), values)
    return array


@pytest.mark.parametrize("options", [{}, {"compressors": numcodecs.LZMA()}], ids=["zstd", "lzma"])
@pytest.mark.parametrize(("files", "said"), [("/", "."), ("/", None), (".", "/")])
def test_zarr_2_is_read_by_the_separator_of_its_files(tmp_path, files, said, options):
    folder = changed(zarr_array(tmp_path / "a", 2, files, **options), ".zarray", says(said))
    assert not zarr.open_array(folder, mode="r")[:].any()
    array = assert_read(folder)
    np.testing.assert_array_equal(array.read(PART), VALUES[PART])
    assert stamps_of(array).values.all()
    array.write(box((0, 3), (3, 6)), np.full((3, 3), 7, "u1"))
    assert [(folder / f"0{separator}1").exists() for separator in (files, said or ".")] == [1, 0]
    assert (array.again().read(box((0, 3), (3, 6))) == 7).all()


def test_a_run_reads_it_in_worker_processes(tmp_path):
    folder = changed(zarr_array(tmp_path / "a", 2, "/"), ".zarray", says("."))
    made = dbw.map_overlap(np.negative, dbw.open_volume(folder), halo=0)
    made.to_zarr(tmp_path / "out.zarr/a", progress=False)
    stored = dbw.open_volume(tmp_path / "out.zarr/a")
    np.testing.assert_array_equal(stored[:], np.negative(VALUES))


def test_zarr_2_by_both_kinds_of_names_is_refused(tmp_path):
    folder = zarr_array(tmp_path / "a", 2, "/")
    (folder / "0.1").write_bytes((folder / "0/1").read_bytes())
    with pytest.raises(ValueError, match=r"two kinds of names, with '/' .* and with '\.'"):
        open_array(folder)


@pytest.mark.parametrize("bucket", ["s3", "gs"], indirect=True)
def test_in_a_bucket(bucket, tmp_path):
    folder = changed(zarr_array(tmp_path / "a", 2, "/"), ".zarray", says("."))
    store = ts.KvStore.open(kvstore_spec(f"{bucket}/names{tmp_path.name}/a")).result()
    for file in (file for file in folder.rglob("*") if file.is_file()):
        store.write(str(file.relative_to(folder)), file.read_bytes()).result()
    assert_read(f"{bucket}/names{tmp_path.name}/a")


def by_default(document):
    document["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": "."}}


def flat_n5(folder):
    for file in [file for file in n5_array(folder).rglob("*/*") if file.is_file()]:
        file.rename(folder / f"{file.parent.name}.{file.name}")
    return folder


def gzipped_zarr(folder):
    for file in list(zarr_array(folder).glob("?.?")):
        file.rename(f"{file}.gz")
    return folder


REFUSED = {
    "zarr 3": (
        lambda folder: changed(zarr_array(folder, 3, "/"), "zarr.json", by_default),
        r"such as 'c\.0\.0'.*there is 'c/\d/\d'.*chunk_key_encoding",
    ),
    "N5": (flat_n5, r"such as '0/0'.*there is '\d\.\d'"),
    "zarr 2 of files": (gzipped_zarr, r"such as '0\.0'.*there is '\d\.\d\.gz'.*rename the files"),
    "other chunks": (
        lambda folder: changed(
            precomputed_scale(folder),
            "info",
            lambda d: d["scales"][0].update(chunk_sizes=[[2] * 3]),
        ),
        r"such as '10-12_0-2_2-3'.*there is '\d+-\d+_\d-\d_2-3'.*mend",
    ),
    "shards": (
        lambda folder: changed(
            precomputed_scale(folder, sharding=SHARDING),
            "info",
            lambda d: d["scales"][0].pop("sharding"),
        ),
        r"such as '10-13_0-3_2-3'.*there is '\d\.shard'.*sharding",
    ),
}
SHARDING = {
    "@type": "neuroglancer_uint64_sharded_v1",
    "preshift_bits": 1,
    "minishard_bits": 1,
    "shard_bits": 1,
    "hash": "identity",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_known_is_refused_with_both_names(tmp_path, kind):
    make, message = REFUSED[kind]
    with pytest.raises(ValueError, match=rf"{tmp_path}/a.*{message}"):
        open_array(make(tmp_path / "a"))


PACKERS = {
    ".gz": gzip.compress,
    ".zstd": numcodecs.Zstd().encode,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
}


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("key", ["", "/s"])
def test_precomputed_chunks_that_are_compressed_as_files(tmp_path, ending, key):
    """As cloudfiles, which writes for cloud-volume, names them on a disk."""
    folder = packed(precomputed_scale(tmp_path / "a"), ending, PACKERS[ending])
    array = assert_read(f"{folder}{key}")
    part = box((0, 1), (2, 6), (1, 5))
    np.testing.assert_array_equal(array.read(part)[0], VALUES[part[1:]])
    assert dbw.open_volume(folder).offset == (80, 0, 40)
    with pytest.raises(OSError, match="can't be written: precomputed is only read here"):
        array.write(whole(array), VALUES[None])


def test_some_compressed_as_files_and_some_not(tmp_path):
    folder = precomputed_scale(tmp_path / "a")
    plain = folder / "s/10-13_0-3_2-3"
    sound = plain.read_bytes()
    packed(folder, ".gz", gzip.compress)
    plain.with_name(f"{plain.name}.gz").unlink()
    plain.write_bytes(sound)
    assert_read(folder)


def test_several_channels_compressed_as_files(tmp_path):
    """By cloud-volume 12's layout: raw is in Fortran order of x, y, z and channel."""
    values = np.arange(2 * 4 * 3 * 5, dtype="u2").reshape(2, 4, 3, 5)
    scale = {"key": "s", "size": [5, 3, 4], "resolution": [1] * 3, "encoding": "raw"}
    scale |= {"chunk_sizes": [[5, 3, 4]], "voxel_offset": [-2, 0, 0]}
    info = {"@type": "neuroglancer_multiscale_volume", "type": "image", "num_channels": 2}
    (tmp_path / "s").mkdir()
    (tmp_path / "info").write_text(json.dumps(info | {"data_type": "uint16", "scales": [scale]}))
    (tmp_path / "s/-2-3_0-3_0-4.gz").write_bytes(gzip.compress(values.tobytes()))
    assert_read(tmp_path, values)


def test_brotli_needs_its_library(tmp_path):
    if find_spec("brotli"):
        pytest.skip("it is installed")
    folder = packed(precomputed_scale(tmp_path / "a"), ".br", bytes)
    with pytest.raises(ValueError, match=r"_2-3\.br'.*pip install brotli"):
        open_array(folder)


def test_unknown_compression_of_files(tmp_path):
    folder = packed(precomputed_scale(tmp_path / "a"), ".lz4", bytes)
    with pytest.raises(ValueError, match=r"such as '1\d-\S+_2-3', but there is '\S+_2-3\.lz4'"):
        open_array(folder)


CUT = {
    "head": b"\x1f\x8b\x08\x00",
    "end": gzip.compress(b"nine byte")[:-1],
    "other": b"none",
    "few voxels": gzip.compress(b"short"),
}


@pytest.mark.parametrize("part", CUT)
def test_damaged_files_are_named(tmp_path, part):
    folder = packed(precomputed_scale(tmp_path / "a"), ".gz", gzip.compress)
    file = folder / "s/13-16_0-3_2-3.gz"
    file.write_bytes(CUT[part])
    array = open_array(folder)
    with pytest.raises(OSError, match=r"s/13-16_0-3_2-3.*is damaged or only in part there"):
        array.read(whole(array))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_is_empty_or_being_filled_is_opened(tmp_path, zarr_format):
    array = create_array(
        tmp_path / "a.zarr/x", (4, 4), "u1", chunks=(2, 2), zarr_format=zarr_format
    )
    folder = tmp_path / "a.zarr/x"
    (folder / "notes.txt").write_text("")
    (folder / "1.0.__lock").write_text("")
    (folder / "labels").mkdir()
    (folder / "labels/0.0").write_text("")
    assert not open_array(folder, writable=True).read(whole(array)).any()
    array.write(box((0, 2), (0, 2)), np.ones((2, 2), "u1"))
    assert open_array(folder).read(whole(array)).sum() == 4


def test_only_some_names_are_looked_at(tmp_path, monkeypatch):
    folder = zarr_array(tmp_path / "a")
    for i in range(3000):
        (folder / f"{i + 5}.0").touch()
    seen = []
    names = zarr_format.some_names
    monkeypatch.setattr(
        zarr_format, "some_names", lambda path, likely: seen.extend(names(path)) or seen
    )
    open_array(folder)
    assert len(seen) == 1000
