"""Chunks that aren't there: fill value as formats have it, or an error that names the file."""

import gzip
from functools import partial
from pathlib import Path

import numcodecs
import numpy as np
import pytest
from made_by_others import VALUES, n5_array, packed, precomputed_scale, zarr_array

import dask_blockwise as dbw

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
