"""Values on another scale are refused, or brought into [0, 1] when that is said."""

import numpy as np
import pytest
from scipy import ndimage

from dask_blockwise import BlocksFailed, Volume, agglomerate, watershed
from dask_blockwise.relabelling.contacts import count_contacts
from dask_blockwise.segmentation.affinities import as_unit, check_unit, clipped
from dask_blockwise.segmentation.watershed import segment_function

OFFSETS = [(-1, 0), (0, -1), (-3, 0)]
WHOLE = (slice(0, 24), slice(0, 26))
NOISE = ndimage.gaussian_filter(np.random.default_rng(0).random((3, 24, 26)), (0, 1, 1))
UNIT = ((NOISE - NOISE.min()) / np.ptp(NOISE)).astype(np.float32)
FRAGMENTS = np.arange(24 * 26, dtype=np.uint64).reshape(24, 26) // 3 + 1


def spoilt(value):
    values = UNIT.copy()
    values[1, 5:9, 4] = value
    return values


USERS = {
    "mutex": lambda values, **more: segment_function(values, offsets=OFFSETS, **more),
    "nearest": lambda values, **more: segment_function(
        values, offsets=OFFSETS, attract="nearest", **more
    ),
    "distance": lambda values, **more: segment_function(
        values, offsets=OFFSETS, seeds="distance", sigma=1, **more
    ),
    "probability": lambda values, **more: segment_function(
        values[1], seeds="distance", sigma=1, **more
    ),
    "contacts": lambda values, **more: count_contacts(
        FRAGMENTS, values, OFFSETS, [0.5] * 3, WHOLE, **more
    ),
}
users = pytest.mark.parametrize("use", USERS.values(), ids=USERS.keys())


@users
@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (UNIT * 255, r"values from 0 to 2\d\d\.?\d*\. Divide .* by 255"),
        (spoilt(np.nan), r"from 0\.?\d* to \d\.?\d* and 4 NaN.*clip=True"),
        (spoilt(np.inf), "to inf"),
        (spoilt(-np.inf), r"from -inf.*activation=\"sigmoid\""),
        (spoilt(-0.01), "from -0.01 to"),
        (spoilt(1.01).astype(np.float64), "to 1.01"),
        (spoilt(1.01).astype(np.float16), "to 1.0"),
        (np.full_like(UNIT, np.nan), "no numbers and .* NaN"),
    ],
    ids=["bytes", "nan", "inf", "-inf", "below", "above", "half", "no number"],
)
def test_another_scale_is_refused_with_the_range_seen(use, values, seen):
    with pytest.raises(ValueError, match=rf"must be in \[0, 1\], got .*{seen}"):
        use(values)


@users
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 255, -3])
def test_clipped_when_said(use, value):
    held = np.clip(np.nan_to_num(spoilt(value), nan=0), 0, 1)
    np.testing.assert_array_equal(use(spoilt(value), clip=True), use(held))


@users
def test_what_is_in_range_up_to_rounding_is_taken_as_it_is(use):
    use(spoilt(np.float32(1 + 1e-6)))
    use(spoilt(np.float32(-1e-6)))
    np.testing.assert_array_equal(use(UNIT), use(UNIT, clip=True))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_are_those_of_numpy(dtype):
    values = np.array([-np.inf, -2, 0, 0.3, 1, 9, np.inf, np.nan]).astype(dtype)
    expected = np.where(np.isnan(values), 0, np.clip(values, 0, 1)).astype(np.float32)
    np.testing.assert_array_equal(as_unit(values, clip=True), expected)
    assert np.isnan(values[-1])
    bytes_ = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(as_unit(bytes_, clip=True), bytes_ * np.float32(1 / 255))
    assert clipped(bytes_) is bytes_
    check_unit(np.empty((0, 3)))


LABELS = np.random.default_rng(0).integers(1, 9, (24, 26))


@pytest.mark.parametrize(
    "stage",
    [
        lambda volume: watershed(volume, offsets=OFFSETS, halo=2),
        lambda volume: agglomerate(
            Volume.from_array(LABELS, chunks=(8, 8)), volume, offsets=OFFSETS
        ),
    ],
    ids=["watershed", "agglomerate"],
)
def test_a_run_fails_and_says_so(stage, threads, tmp_path):
    objects = stage(Volume.from_array(UNIT * 255, axes="cyx", chunks=(3, 8, 8)))
    with threads.as_current(), pytest.raises(BlocksFailed, match="Divide what is on a scale"):
        objects.to_zarr(f"{tmp_path}/out.zarr/objects", progress=False, max_retries=0)


@pytest.mark.parametrize("bias", [128, -0.1, [0.5, 0.5, 1.5], float("nan")])
def test_a_bias_that_no_affinity_is_beyond_is_refused(bias):
    volume = Volume.from_array(np.uint8(UNIT * 255), axes="cyx")
    with pytest.raises(ValueError, match=r"must be in \[0, 1\].*128 is 0.5.*got"):
        watershed(volume, offsets=OFFSETS, bias=bias)
    fragments = Volume.from_array(np.ones_like(FRAGMENTS))
    with pytest.raises(ValueError, match=r"must be in \[0, 1\].*got"):
        agglomerate(fragments, volume, offsets=OFFSETS, threshold=bias)


def test_bytes_that_stand_for_another_range_are_refused():
    array = np.zeros((2, 6, 6), np.uint8)
    offsets = [(-1, 0), (0, -1)]
    fragments = Volume.from_array(np.ones((6, 6), int), chunks=(3, 6))
    for span in (-1, 1), (0, 10):
        affinities = Volume.from_array(array, axes="cyx", stands_for=span)
        with pytest.raises(ValueError, match=r"these bytes stand for .* activation='sigmoid'"):
            watershed(affinities, offsets=offsets)
        with pytest.raises(ValueError, match="these bytes stand for"):
            agglomerate(fragments, affinities, offsets=offsets)
    watershed(Volume.from_array(array, axes="cyx", stands_for=(0, 1)), offsets=offsets)
