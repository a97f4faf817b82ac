"""Chunks that are damaged: an error that names the file, or fill value and a list of them."""

import errno
import gzip
import warnings
from functools import partial
from pathlib import Path

import numcodecs
import numpy as np
import pytest
from made_by_others import VALUES, n5_array, packed, precomputed_scale, zarr_array

import dask_blockwise as dbw
from dask_blockwise.storage import corrupt


def cut(content):
    return content[:-3]


def flipped(content):
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


def longer(content):
    return content + b"else"


def other(content):
    return b"else"


def nothing(content):
    return b""


SHARDED = partial(zarr_array, zarr_format=3, separator="/", shards=(6, 6), fill_value=3)
MADE = {
    "zarr 2": (zarr_array, "0.1", cut),
    "zarr 2 that isn't compressed": (partial(zarr_array, compressors=None), "0.1", cut),
    "zarr 2 of too many bytes": (partial(zarr_array, compressors=None), "0.1", longer),
    "zarr 2 of no bytes": (zarr_array, "0.1", nothing),
    "lzma": (partial(zarr_array, compressors=numcodecs.LZMA()), "0.1", other),
    "bz2": (partial(zarr_array, compressors=numcodecs.BZ2()), "0.1", other),
    "zlib": (partial(zarr_array, compressors=numcodecs.Zlib()), "0.1", other),
    "filters": (partial(zarr_array, filters=[numcodecs.Delta(dtype="u1")]), "0.1", other),
    "zarr 3": (partial(zarr_array, zarr_format=3, separator="/", fill_value=3), "c/0/1", other),
    "N5": (n5_array, "1/0", cut),
    "N5 header": (n5_array, "1/0", other),
    "precomputed": (precomputed_scale, "s/13-16_0-3_2-3", cut),
    "compressed as files": (
        lambda folder: packed(precomputed_scale(folder), ".gz", gzip.compress),
        *("s/13-16_0-3_2-3.gz", cut),
    ),
}


@pytest.mark.parametrize("kind", MADE)
def test_a_damaged_chunk(tmp_path, kind):
    make, name, damage = MADE[kind]
    folder = make(tmp_path / "a")
    file = Path(folder, name)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(OSError, match=rf"{name}.*store it anew, or open with on_corrupt='fill'"):
        dbw.open_volume(folder)[:]
    expected = VALUES.copy()
    expected[:3, 3:6] = 3 if kind == "zarr 3" else 0
    volume = dbw.open_volume(folder, on_corrupt="fill")
    with pytest.warns(UserWarning, match=rf"read as fill value, .*3:6.*{name}"):
        seen = volume[:]
    np.testing.assert_array_equal(np.squeeze(seen), expected)
    with warnings.catch_warnings(action="error"):
        volume[:]


def test_a_flipped_bit_in_a_shard(tmp_path):
    folder = SHARDED(tmp_path / "a")
    file = folder / "c/0/0"
    content = bytearray(file.read_bytes())
    content[5] ^= 1
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="c/0/0"):
        seen = dbw.open_volume(folder, on_corrupt="fill")[:]
    differs = seen != VALUES
    assert 0 < differs.sum() <= 9
    assert (seen[differs] == 3).all()


def test_the_index_of_a_shard(tmp_path):
    folder = SHARDED(tmp_path / "a")
    file = folder / "c/0/0"
    file.write_bytes(flipped(file.read_bytes()))
    with pytest.raises(OSError, match=r"c/0/0.*shard index.*on_corrupt='fill'"):
        dbw.open_volume(folder)[:]
    with pytest.warns(UserWarning, match="c/0/0"):
        seen = dbw.open_volume(folder, on_corrupt="fill")[:]
    expected = VALUES.copy()
    expected[:, :6] = 3
    np.testing.assert_array_equal(seen, expected)


def test_the_summary_has_the_list(tmp_path, near):
    folder = zarr_array(tmp_path / "a")
    for name in ("0.1", "1.2"):
        (folder / name).write_bytes(b"else")
    volume = dbw.open_volume(folder, on_corrupt="fill")
    made = dbw.map_overlap(lambda a: a, volume, halo=1, dtype="u1")
    with pytest.warns(UserWarning, match=r"2 damaged chunks .*summary\.corrupt"):
        summary = made.to_zarr(tmp_path / "out.zarr/a", progress=False, block_shape=(3, 3))
    assert sorted(chunk.partition(":")[0] for chunk in summary.corrupt) == [
        f"{folder}[0",
        f"{folder}[3",
    ]
    assert "0.1" in summary.corrupt[0] + summary.corrupt[1]
    assert "2 damaged chunks were read as fill value" in str(summary)
    expected = VALUES.copy()
    expected[:3, 3:6] = expected[3:, 6:] = 0
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "out.zarr/a")[:], expected)
    zarr_array(tmp_path / "b")
    (tmp_path / "b/0.1").rename(folder / "0.1")
    with pytest.raises(FileExistsError, match="1 of 6 chunks changed"):
        made.to_zarr(tmp_path / "out.zarr/a", progress=False, block_shape=(3, 3))


def test_what_cannot_be_read_is_not_damaged(tmp_path, monkeypatch):
    folder = zarr_array(tmp_path / "a")
    (folder / "0.1").unlink()
    (folder / "0.1").symlink_to(folder / "0.1")
    with pytest.raises(OSError, match="a can't be read"):
        dbw.open_volume(folder, on_corrupt="fill")[:]
    folder = zarr_array(tmp_path / "b", compressors=numcodecs.LZMA())
    volume = dbw.open_volume(folder, on_corrupt="fill")
    monkeypatch.setattr("zarr.storage._local._get", fails)
    with pytest.raises(OSError, match="Input/output error"):
        volume[:]
    assert not any(str(tmp_path) in chunk for chunk in corrupt._warned)


def fails(*_):
    raise OSError(errno.EIO, "Input/output error")


def test_formats_that_cannot_tell(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    with pytest.raises(ValueError, match="it isn't told apart what is damaged"):
        dbw.open_volume(tmp_path / "a.npy", on_corrupt="fill")
    with pytest.raises(ValueError, match="on_corrupt is 'raise' or 'fill', got 'skip'"):
        dbw.open_volume(tmp_path / "a.npy", on_corrupt="skip")
