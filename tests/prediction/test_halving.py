"""Batches that are too large for a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from dask_blockwise.prediction.halving import halved_if_need_be
from dask_blockwise.prediction.predict import predict
from dask_blockwise.volumes.volume import Volume


class Small:
    """A device with memory for a few inputs at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.batches: list[int] = []

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.batches.append(len(arrays))
        if len(arrays) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8.00 GiB.")
        return [array + 1 for array in arrays]


def test_a_batch_is_halved_once_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    device, arrays = Small(3), np.arange(10, dtype=np.float32).reshape(5, 1, 2)
    for _ in range(2):
        np.testing.assert_array_equal(halved_if_need_be(device, arrays, (1, 2)), arrays + 1)
    assert device.batches == [5, 3, 2, 3, 2]
    assert caplog.text.count("no memory for a batch of 5 inputs of shape (1, 2): 3 at once") == 1


@pytest.mark.parametrize(("most", "batches"), [(1, [4, 2]), (0, [1])])
def test_a_half_that_is_too_large_too_is_an_error(most: int, batches: list[int]) -> None:
    device, arrays = Small(most), np.zeros((batches[0], 1, 7), np.float32)
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        halved_if_need_be(device, arrays, (1, 7))
    assert device.batches == batches


def test_other_errors_are_left_alone() -> None:
    def broken(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        raise RuntimeError("Expected 4 channels")

    with pytest.raises(RuntimeError, match="Expected 4 channels"):
        halved_if_need_be(broken, np.zeros((2, 1, 3), np.float32), (1, 3))


def test_a_prediction_comes_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from dask_blockwise.prediction import networks

    whole = networks.finished

    def scarce(source: Any, arrays: np.ndarray, *options: Any) -> list[np.ndarray]:
        if len(arrays) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(source, arrays, *options)

    values = np.random.default_rng(0).random((16, 16, 16)).astype(np.float32)
    volume = Volume.from_array(values)
    options = {"output_dtype": "float32", "input_shape": (8, 8, 8), "batch": 4}
    predicted = predict(volume, torch.nn.Conv3d(1, 1, 3, padding=1), **options)
    expected = predicted[:]
    monkeypatch.setattr(networks, "finished", scarce)
    np.testing.assert_allclose(predicted[:], expected, atol=1e-6)
