"""A bit that changes on disk is an error that names the array, never another value."""

from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from regions import numbers, whole

from dask_blockwise.storage.arrays import create_array, open_array

SHAPE = (32, 32, 32)
# What compresses, so that there is more than raw blocks.
SMOOTH = np.add.reduce(np.indices(SHAPE), dtype=np.uint32)


def stored(path, values, **options):
    array = create_array(path, values.shape, values.dtype, chunks=(16,) * 3, **options)
    array.write(whole(array), values)
    return array


def assert_same_or_error(array, values):
    try:
        read = array.read(whole(array))
    except OSError as error:
        if array.path not in str(error):
            raise
        return
    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize("shards", [None, (32, 32, 16)])
@pytest.mark.parametrize("values", [SMOOTH, numbers(*SHAPE, dtype="u1")], ids=["smooth", "noise"])
def test_a_flipped_bit_is_never_read_as_a_value(tmp_path, values, shards):
    array = stored(tmp_path / "a.zarr/x", values, shards=shards)
    file = Path(array.location, "c/0/0/1")
    sound, random = file.read_bytes(), np.random.default_rng(0)
    ends = {*range(12), *range(len(sound) - 12, len(sound))}
    for place in ends | set(random.integers(0, len(sound), 40).tolist()):
        damaged = bytearray(sound)
        damaged[place] ^= 1 << int(random.integers(8))
        file.write_bytes(damaged)
        assert_same_or_error(open_array(array.path), values)


@pytest.mark.parametrize("part", [0, 0.5, 0.99])
def test_a_chunk_that_was_cut_off_is_an_error(tmp_path, part):
    array = stored(tmp_path / "a.zarr/x", SMOOTH)
    file = Path(array.location, "c/0/0/1")
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    with pytest.raises(OSError, match=r"a\.zarr/x can't be read"):
        open_array(array.path).read(whole(array))


@pytest.mark.parametrize(("zarr_format", "shards"), [(2, None), (3, None), (3, (32, 32, 32))])
def test_others_read_it(tmp_path, zarr_format, shards):
    stored(tmp_path / "a.zarr", SMOOTH, zarr_format=zarr_format, shards=shards)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r")[:], SMOOTH)


def test_a_reader_of_zstd_that_knows_of_no_checksum_finds_it(tmp_path):
    """As readers of frames alone do, such as those of zarr 2."""
    array = stored(tmp_path / "a.zarr", SMOOTH)
    frame = Path(array.location, "c/0/0/0").read_bytes()
    chunk = np.frombuffer(numcodecs.Zstd().decode(frame), "u4").reshape(16, 16, 16)
    np.testing.assert_array_equal(chunk, SMOOTH[:16, :16, :16])
    with pytest.raises(RuntimeError):
        numcodecs.Zstd().decode(frame[:-1] + bytes([frame[-1] ^ 1]))
