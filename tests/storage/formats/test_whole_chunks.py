"""Reads of whole chunks, which pass the cache of decoded chunks by."""

import gzip
from functools import partial

import numpy as np
import pytest
import tensorstore as ts
import zarr
from made_by_others import VALUES, n5_array, packed, precomputed_scale, zarr_array

import dask_blockwise as dbw
from dask_blockwise.storage.arrays import open_array
from dask_blockwise.storage.formats import read_once

MADE = {
    "zarr 2": zarr_array,
    "zarr 3": partial(zarr_array, zarr_format=3, separator="/"),
    "N5": n5_array,
    "precomputed": precomputed_scale,
    "compressed as files": lambda folder: packed(precomputed_scale(folder), ".gz", gzip.compress),
}


@pytest.fixture
def of_any_size(monkeypatch):
    """As if chunks were large."""
    monkeypatch.setattr(read_once, "_LARGE_CHUNK", 0)


@pytest.mark.parametrize("kind", MADE)
def test_they_have_the_voxels_that_are_there(tmp_path, of_any_size, monkeypatch, kind):
    array = open_array(str(MADE[kind](tmp_path / "a")))
    # So that no region counts as read again.
    monkeypatch.setattr(read_once, "_REMEMBERED", 0)
    for y in ((0, 3), (3, 6), (0, 6), (1, 3)):
        for x in ((0, 3), (3, 6), (6, 7), (0, 7), (2, 7)):
            region = (slice(*y), slice(*x))
            box = (slice(0, 1),) * (len(array.shape) - 2) + region
            np.testing.assert_array_equal(array.read(box).squeeze(), VALUES[region].squeeze())


def test_of_two_mebibytes_that_are_compressed_as_files(tmp_path):
    """They are unpacked into memory, which each opening has of its own."""
    values = np.random.default_rng(0).integers(1, 255, (1, 256, 128, 128), np.uint8)
    scale = {"key": "s", "size": [128, 128, 256], "resolution": [1] * 3, "encoding": "raw"}
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{tmp_path}/a/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": scale | {"chunk_size": [128, 128, 128]},
    }
    ts.open(spec, create=True).result().write(values.T).result()
    volume = dbw.open_volume(packed(tmp_path / "a", ".gz", gzip.compress))
    np.testing.assert_array_equal(volume[:128], values[0, :128])
    np.testing.assert_array_equal(volume[128:], values[0, 128:])


def test_what_is_written_between_is_seen(tmp_path, of_any_size):
    array = open_array(str(zarr_array(tmp_path / "a")), writable=True)
    chunk = (slice(0, 3), slice(3, 6))
    for number in (7, 8):
        array.write(chunk, np.full((3, 3), number, np.uint8))
        assert (array.read(chunk) == number).all()
        assert (array.read((slice(1, 2), slice(3, 6))) == number).all()


def test_what_is_missing_is_told(tmp_path, of_any_size):
    folder = zarr_array(tmp_path / "a")
    (folder / "0.1").unlink()
    assert not dbw.open_volume(folder)[:3, 3:6].any()
    with pytest.raises(OSError, match=r"0\.1\"? is missing"):
        dbw.open_volume(folder, on_missing="raise")[:3, 3:6]


@pytest.mark.parametrize("whole", [True, False])
def test_they_are_not_kept(tmp_path, whole):
    """As is seen when the file is gone, by who doesn't ask whether it is there."""
    options = {"shape": (2, 1024, 1024), "chunks": (1, 1024, 1024), "dtype": "u1"}
    zarr.create_array(tmp_path / "a", **options)[:] = 9
    array = open_array(str(tmp_path / "a")).steady()
    part = slice(0, 1), slice(0, 1024), slice(0, 1000)
    assert (array.read((*part[:2], slice(0, 1024)) if whole else part) == 9).all()
    (tmp_path / "a/c/0/0/0").unlink()
    assert (array.read(part) == (0 if whole else 9)).all()


def test_what_is_read_twice_by_each_block_is_decoded_once(tmp_path, client):
    """Where two stages share an input; but for the first block of each worker."""
    values = np.random.default_rng(0).random((512, 128, 128), np.float32)
    zarr.create_array(tmp_path / "a", data=values, chunks=(64, 128, 128))
    volume = dbw.open_volume(tmp_path / "a", stands_for=None)
    before = sum(client.run(bytes_read).values())
    (2 * volume + volume).to_zarr(tmp_path / "b.zarr", client=client, progress=False)
    read = sum(client.run(bytes_read).values()) - before
    stored = sum(file.stat().st_size for file in (tmp_path / "a/c").rglob("0") if file.is_file())
    assert stored <= read < 1.6 * stored
    np.testing.assert_allclose(dbw.open_volume(tmp_path / "b.zarr")[:], 3 * values)


def bytes_read():
    """From disks, by TensorStore in this process."""
    name = "/tensorstore/kvstore/file/bytes_read"
    found = ts.experimental_collect_matching_metrics(name)
    return found[0]["values"][0]["value"] if found else 0
