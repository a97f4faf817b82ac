"""Chunks that aren't there: fill value as formats have it, or an error that names the file."""

import gzip
from functools import partial
from pathlib import Path

import numcodecs
import numpy as np
import pytest
from made_by_others import VALUES, n5_array, packed, precomputed_scale, zarr_array

import dask_blockwise as dbw
from dask_blockwise.storage.arrays import create_array

MADE = {
    "zarr 2": (zarr_array, "0.1"),
    "zarr 2 of zarr-python": (partial(zarr_array, compressors=numcodecs.LZMA()), "0.1"),
    "zarr 3": (partial(zarr_array, zarr_format=3, separator="/"), "c/0/1"),
    "N5": (n5_array, "1/0"),
    "precomputed": (precomputed_scale, "s/13-16_0-3_2-3"),
    "compressed as files": (
        lambda folder: packed(precomputed_scale(folder), ".gz", gzip.compress),
        "s/13-16_0-3_2-3.gz",
    ),
}


@pytest.mark.parametrize("kind", MADE)
def test_a_missing_chunk(tmp_path, kind):
    make, name = MADE[kind]
    folder = make(tmp_path / "a")
    np.testing.assert_array_equal(
        np.squeeze(dbw.open_volume(folder, on_missing="raise")[:]), VALUES
    )
    Path(folder, name).unlink()
    expected = VALUES.copy()
    expected[:3, 3:6] = 0
    np.testing.assert_array_equal(np.squeeze(dbw.open_volume(folder)[:]), expected)
    volume = dbw.open_volume(folder, on_missing="raise")
    named = name.removesuffix(".gz")
    with pytest.raises(OSError, match=rf"a/{named}\"? is missing.*on_missing='fill'"):
        volume[:]
    whole_part = (slice(0, 1),) * (volume.ndim - 2) + (slice(3, 6), slice(0, 7))
    np.testing.assert_array_equal(np.squeeze(volume[whole_part]), VALUES[3:])


def test_a_chunk_that_is_missing_in_a_shard(tmp_path):
    values = VALUES.copy()
    values[:3, :3] = 0
    zarr_array(tmp_path / "a", 3, "/", values, shards=(6, 9))
    with pytest.raises(OSError, match=r"0\}/.* in .*c/0/0\" is missing"):
        dbw.open_volume(tmp_path / "a", on_missing="raise")[:]


def test_a_block_says_so(tmp_path):
    folder = zarr_array(tmp_path / "a")
    (folder / "1.1").unlink()
    volume = dbw.open_volume(folder, on_missing="raise")
    made = dbw.map_overlap(np.negative, volume, halo=0)
    with pytest.raises(dbw.BlocksFailed, match=rf"{folder}/1\.1\" is missing"):
        made.to_zarr(tmp_path / "out.zarr/a", progress=False)
    zarr_array(tmp_path / "b")
    (tmp_path / "b/1.1").rename(folder / "1.1")
    made.to_zarr(tmp_path / "out.zarr/a", progress=False)
    stored = dbw.open_volume(tmp_path / "out.zarr/a")
    np.testing.assert_array_equal(stored[:], np.negative(VALUES))


def test_formats_that_cannot_tell(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    with pytest.raises(ValueError, match="it isn't known whether chunks are missing"):
        dbw.open_volume(tmp_path / "a.npy", on_missing="raise")
    with pytest.raises(ValueError, match="on_missing is 'fill' or 'raise', got 'warn'"):
        dbw.open_volume(tmp_path / "a.npy", on_missing="warn")


def test_they_are_counted(tmp_path, near):
    folder = zarr_array(tmp_path / "a", fill_value=7)
    assert "absent" not in repr(dbw.open_volume(folder))
    (folder / "1.1").unlink()
    (folder / "0.2").unlink()
    volume = dbw.open_volume(folder)
    assert repr(volume).endswith(", 2 of 6 chunks absent>")
    said = f"2 of 6 chunks of {folder} are absent: read as 7"
    made = dbw.map_overlap(np.negative, volume, halo=0)
    assert made.checkpoint(tmp_path / "b.zarr").plan().absent == (said,)
    assert str(made.plan()).endswith(said)
    summary = made.to_zarr(tmp_path / "out.zarr/a", progress=False)
    assert summary.absent == (said,)
    assert said in str(summary)
    again = made.to_zarr(tmp_path / "out.zarr/b", progress=False, verify="none")
    assert again.absent == (said,)
    strict = dbw.open_volume(folder, on_missing="raise").plan()
    assert strict.absent == (said.replace("read as 7", "an error where they are read"),)


def test_those_that_a_run_left_out_are_not_absent(tmp_path, near):
    values = np.repeat(np.array([[0, 1, 1]], np.uint8), 4, 1).repeat(4, 0)
    volume, path = dbw.Volume.from_array(values, chunks=(4, 4)), tmp_path / "out.zarr/a"
    volume.to_zarr(path, progress=False, roi=dbw.Roi((0, 0), (4, 8)))
    assert repr(dbw.open_volume(path)).endswith(", 2 of 3 chunks absent>")
    volume.to_zarr(path, progress=False)
    stored = dbw.open_volume(path)
    assert "absent" not in repr(stored)
    assert stored.plan().absent == ()
    assert (stored + 1).to_zarr(tmp_path / "out.zarr/b", progress=False).absent == ()
    strict = dbw.open_volume(path, on_missing="raise")
    assert "an error where" in strict.plan().absent[0]
    (path / "s0/c/0/1").unlink()
    assert repr(dbw.open_volume(path)).endswith(", 1 of 3 chunks absent>")
    summary = (stored + 2).to_zarr(tmp_path / "out.zarr/c", progress=False)
    assert summary.absent == (f"1 of 3 chunks of {path}/s0 are absent: read as 0",)


def test_what_is_not_counted_is_said_so(tmp_path):
    folder = precomputed_scale(tmp_path / "a")
    assert "absent" not in repr(dbw.open_volume(folder))
    volume = dbw.open_volume(packed(folder, ".gz", gzip.compress))
    assert repr(volume).endswith(", absent chunks not counted>")
    assert volume.plan().absent == (f"absent chunks of {tmp_path}/a/s are not counted",)
    array = create_array(tmp_path / "b", (5000, 4), "u1", chunks=(1, 1))
    assert repr(dbw.open_volume(array.path)).endswith(", absent chunks not counted>")
    assert dbw.open_volume(array.path).plan().absent[0].startswith("20000 of 20000 chunks of")
    np.save(tmp_path / "a.npy", VALUES)
    assert "absent" not in repr(dbw.open_volume(tmp_path / "a.npy"))


def test_those_that_channels_share_are_counted_all(tmp_path, near):
    array = create_array(tmp_path / "a", (2, 4, 4), "u1", chunks=(1, 4, 4), axes="cyx")
    array.write((slice(0, 1), slice(0, 4), slice(0, 4)), np.ones((1, 4, 4), np.uint8))
    summary = dbw.open_volume(tmp_path / "a").to_zarr(tmp_path / "out.zarr/a", progress=False)
    assert summary.absent[0].startswith("1 of 2 chunks of")
