"""A mask of the voxels above a value."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dask_blockwise as dbw
from dask_blockwise import Block, Volume, create_volume, open_volume
from dask_blockwise.prediction.threshold import above, threshold
from dask_blockwise.threshold_worker import spawn_worker


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("threshold", [0, 0.5, 127, 300, -1])
def test_equals_numpy(dtype, threshold):
    array = np.arange(0, 256).reshape(2, 2, 8, 8).astype(dtype)
    result = above(array, threshold)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, array > threshold)


def test_nan_is_not_above():
    assert above(np.array([np.nan, np.inf]), 0).tolist() == [0, 1]


VALUES = np.random.default_rng(0).random((2, 9, 10, 11), np.float32)


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.integers(3, 12)] * 3))
def test_volume_by_blocks_equals_the_whole(block):
    mask = threshold(Volume.from_array(VALUES, chunks=(2, *block)), 0.3)
    assert (mask.shape, mask.axes, mask.dtype) == (VALUES.shape, ("c", "z", "y", "x"), np.uint8)
    np.testing.assert_array_equal(mask.data.compute(scheduler="synchronous"), VALUES > 0.3)


def test_a_fraction_of_bytes_is_one_of_255():
    bytes_ = np.arange(256, dtype=np.uint8).reshape(16, 16)
    probability = Volume.from_array(bytes_, stands_for=(0, 1))
    for fraction in (0.3, 0.5, 0.85):
        mask = threshold(probability, fraction)[:]
        np.testing.assert_array_equal(mask, threshold(Volume.from_array(bytes_ / 255), fraction)[:])
    for fraction in (-0.5, 0, 0.4):
        mask = threshold(Volume.from_array(bytes_, stands_for=(-1, 1)), fraction)[:]
        np.testing.assert_array_equal(mask, bytes_ / 127.5 - 1 > fraction)
    np.testing.assert_array_equal(threshold(probability, 1)[:], bytes_ > 1)
    np.testing.assert_array_equal(threshold(Volume.from_array(bytes_), 1)[:], bytes_ > 1)
    np.testing.assert_array_equal(threshold(Volume.from_array(bytes_), 0)[:], bytes_ > 0)


@pytest.mark.parametrize("dtype", ["uint8", "bool"])
def test_a_mask_is_no_probability(dtype):
    mask = np.random.default_rng(0).integers(0, 2, (8, 9)).astype(dtype)
    np.testing.assert_array_equal(threshold(Volume.from_array(mask), 0.5)[:], mask)


def test_a_mask_of_0_and_255_is_one():
    mask = np.random.default_rng(0).integers(0, 2, (8, 9)).astype(np.uint8)
    np.testing.assert_array_equal(threshold(Volume.from_array(mask * 255), 0.5)[:], mask)


def test_what_is_at_hand_is_refused_at_the_call():
    volume = Volume.from_array(np.arange(9, dtype=np.uint8).reshape(3, 3))
    with pytest.raises(ValueError, match=r"is 8, .* value=127\.5"):
        threshold(volume, 0.5)
    scores = Volume.from_array(np.ones((3, 4, 4)), axes="cyx")
    with pytest.raises(ValueError, match="is 2, of which"):
        threshold(dbw.argmax(scores), 0.5)


def test_bytes_of_which_nothing_is_known_are_refused(tmp_path, threads):
    bytes_ = np.array([[0, 1, 0, 1], [0, 1, 200, 1]], np.uint8)
    mask = threshold(Volume.from_array(bytes_, chunks=(1, 4)), 0.5)
    assert mask[:1].tolist() == [[0, 1, 0, 1]]
    with pytest.raises(ValueError, match=r"is 200, .* stands_for=\(0, 1\).* value=127\.5"):
        mask[:]
    with pytest.raises(dbw.BlocksFailed, match="is 200, of which it isn't known"):
        mask.to_zarr(tmp_path / "a.zarr/mask", client=threads, progress=False, max_retries=0)


def test_what_bytes_stand_for_is_stored(tmp_path, threads):
    bytes_ = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Volume.from_array(bytes_, stands_for=(0, 1), chunks=(8, 16)).to_zarr(
        tmp_path / "a.zarr/p", client=threads, progress=False
    )
    stored = open_volume(tmp_path / "a.zarr/p")
    for zarr_format in 2, 3:
        path = tmp_path / f"{zarr_format}.zarr"
        options = {"zarr_format": zarr_format}
        assert create_volume(path / "p", stored, **options).frame.stands_for is None
        made = create_volume(path / "q", stored, stands_for=(0, 1), **options)
        assert made.frame.stands_for == (0, 1)
    plain = open_volume(tmp_path / "a.zarr/p").checkpoint(tmp_path / "a.zarr/q")
    np.testing.assert_array_equal(threshold(plain, 0.5)[:], bytes_ > 127)
    assert dbw.map_overlap(np.copy, plain).frame.stands_for is None
    with pytest.raises(ValueError, match="stands_for says what 0 and 255 of uint8 stand for"):
        Volume.from_array(bytes_ / 255, stands_for=(0, 1))


def test_a_fraction_of_wider_integers_is_refused():
    volume = Volume.from_array(np.zeros((2, 2), np.uint16))
    with pytest.raises(ValueError, match=r"give value=0; .* such as 32768"):
        threshold(volume, 0.5)


def test_worker_writes_a_block(tmp_path):
    path, output = f"{tmp_path}/a.zarr/in", f"{tmp_path}/a.zarr/out"
    made = create_volume(path, Volume.from_array(VALUES))
    made[made.roi] = VALUES
    create_volume(output, made, dtype="uint8")
    spawn_worker(path, output, threshold=0.3)(Block(made.roi, made.roi, made.roi, ("mask", 0)))
    np.testing.assert_array_equal(open_volume(output)[:], VALUES > 0.3)


def test_worker_takes_a_fraction_of_bytes(tmp_path):
    path, output = f"{tmp_path}/a.zarr/in", f"{tmp_path}/a.zarr/out"
    made = create_volume(path, shape=(16, 16), dtype="uint8", stands_for=(0, 1))
    made[made.roi] = np.arange(256, dtype=np.uint8).reshape(16, 16)
    create_volume(output, made)
    spawn_worker(path, output, threshold=0.5)(Block(made.roi, made.roi, made.roi, ("mask", 0)))
    np.testing.assert_array_equal(open_volume(output)[:], made[:] >= 128)


@pytest.mark.parametrize(
    "given", ["3", [1, 2], None, 1j], ids=["text", "several", "nothing", "complex"]
)
def test_what_is_no_number_is_refused_in_words(given):
    with pytest.raises(TypeError, match=r"threshold takes one number as value, .* got"):
        threshold(Volume.from_array(VALUES), given)
