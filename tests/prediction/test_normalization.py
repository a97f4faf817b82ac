"""What is subtracted from voxels and what they are divided by."""

import pickle

import dask
import numpy as np
import pytest

from dask_blockwise import Volume, map_overlap
from dask_blockwise.prediction.declared import declared_normalization
from dask_blockwise.prediction.normalization import Numbers, WholeVolume

RAW = np.random.default_rng(0).integers(0, 200, (2, 6, 9, 8)).astype(np.uint8)
VOLUME = Volume.from_array(RAW, chunks=(2, 4, 4, 5))


@pytest.mark.parametrize(
    ("name", "arguments", "formula"),
    [
        ("scale_linear", {"gain": 2.0, "offset": -3.0}, lambda x: 2 * x - 3),
        (
            "scale_linear",
            {"gain": [2.0, 4.0], "offset": [1.0, 0.0], "axes": "xy"},
            lambda x: x * np.reshape([2, 4], (2, 1, 1, 1)) + np.reshape([1, 0], (2, 1, 1, 1)),
        ),
        (
            "zero_mean_unit_variance",
            {"mode": "per_sample", "axes": "cxyz"},
            lambda x: (x - x.mean()) / (x.std() + 1e-6),
        ),
        (
            "zero_mean_unit_variance",
            {"axes": ["x", "y"], "eps": 0.01},
            lambda x: (
                (x - x.mean((1, 2, 3), keepdims=True)) / (x.std((1, 2, 3), keepdims=True) + 0.01)
            ),
        ),
        (
            "zero_mean_unit_variance",
            {"mode": "fixed", "mean": 10, "std": 4},
            lambda x: (x - 10) / 4,
        ),
        ("fixed_zero_mean_unit_variance", {"mean": [1], "std": [2]}, lambda x: (x - 1) / 2),
        (
            "scale_range",
            {"min_percentile": 1.3, "max_percentile": 99.8},
            lambda x: (
                (x - np.percentile(x, 1.3)) / (np.percentile(x, 99.8) - np.percentile(x, 1.3))
            ),
        ),
    ],
)
def test_declared_by_a_model(name, arguments, formula):
    found = declared_normalization(name, arguments, VOLUME).apply(RAW)
    np.testing.assert_allclose(found, formula(RAW.astype(float)), rtol=1e-4, atol=1e-4)


def test_declared_but_unknown():
    with pytest.raises(ValueError, match=r"declares the preprocessing 'binarize'.*normalize="):
        declared_normalization("binarize", {"threshold": 1}, VOLUME)


def test_percentiles_of_floats_are_refused():
    volume = Volume.from_array(RAW.astype(np.float32))
    with pytest.raises(ValueError, match="uint8 or uint16"):
        declared_normalization("scale_range", {}, volume)


def test_taken_once_and_when_first_needed():
    blocks = []

    def watched(array):
        blocks.append(array.shape)
        return array

    volume = map_overlap(watched, VOLUME, dtype=np.uint8)
    whole = WholeVolume(volume, "moments")
    assert not blocks
    with dask.config.set(scheduler="synchronous"):
        whole.apply(RAW)
    assert len(blocks) == 2 * 3 * 2
    again = pickle.loads(pickle.dumps(whole))
    assert (type(again), again) == (Numbers, whole.numbers)
    whole.apply(RAW)
    assert len(blocks) == 2 * 3 * 2
