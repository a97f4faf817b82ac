"""What a prediction is stored as, and what its bytes stand for."""

import numpy as np
import pytest
import torch
from torch import nn

from dask_blockwise import Volume, open_volume, predict

torch.set_num_threads(1)
RAW = np.random.default_rng(0).random((40, 30), np.float32)


class Of(nn.Module):
    """A function as a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def ranked(x):
    return torch.cat([x, 0.7 - x, x / x * 0.5], 1).argmax(1, keepdim=True)


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (ranked, "int64"),
        (lambda x: ranked(x).to(torch.uint8), "uint8"),
        (lambda x: ranked(x).to(torch.int16) - 1, "int16"),
        (lambda x: x > 0.5, "bool"),
    ],
)
def test_whole_numbers_are_stored_as_they_are(function, dtype, tmp_path, threads):
    prediction = predict(Volume.from_array(RAW, chunks=(10, 30)), Of(function))
    assert (prediction.dtype, prediction.frame.stands_for) == (dtype, None)
    prediction.to_zarr(tmp_path / "a.zarr/p", client=threads, progress=False)
    expected = function(torch.from_numpy(RAW)[None, None])[0].numpy()
    np.testing.assert_array_equal(open_volume(tmp_path / "a.zarr/p")[:], expected)


def test_whole_numbers_as_asked():
    volume = Volume.from_array(RAW)
    assert predict(volume, Of(ranked), output_dtype="uint8")[:].max() == 2
    assert predict(volume, Of(ranked), output_dtype="float32").dtype == np.float32
    with pytest.raises(ValueError, match="whole numbers from 300 to 302, which uint8 can't"):
        predict(volume, Of(lambda x: ranked(x) + 300), output_dtype="uint8")


@pytest.mark.parametrize(
    ("function", "options", "stands_for"),
    [
        (lambda x: x * 8, {"activation": "sigmoid"}, (0, 1)),
        (lambda x: torch.cat([x * 8, -x], 1), {"activation": "softmax"}, (0, 1)),
        (lambda x: x * 8, {"activation": "tanh"}, (-1, 1)),
        (torch.sigmoid, {}, (0, 1)),
        (torch.tanh, {}, (-1, 1)),
        (lambda x: x - 0.5, {}, (-1, 1)),
        (lambda x: (x - 0.5).relu(), {}, (0, 1)),
        (lambda x: x * 8, {"output_range": (0, 10)}, (0, 10)),
    ],
)
def test_what_bytes_stand_for(function, options, stands_for):
    volume = Volume.from_array(RAW)
    prediction = predict(volume, Of(function), **options)
    real = predict(
        volume, Of(function), output_dtype="float32", activation=options.get("activation")
    )
    assert (prediction.dtype, prediction.frame.stands_for) == ("uint8", stands_for)
    low, high = stands_for
    found = low + prediction[:].astype(np.float32) / 255 * (high - low)
    np.testing.assert_allclose(found, real[:], atol=0.51 * (high - low) / 255)
    assert real.frame.stands_for is None


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (lambda x: x * 8, {}, r"values from 0\.0\d+ to 7\.\d+, but uint8 stands for \[-1, 1\]"),
        (lambda x: x * 8, {"output_range": (0, 4)}, r"stands for \[0, 4\], so they would be cut"),
        (lambda x: x.relu() * 8, {}, r"stands for \[0, 1\].*give activation='sigmoid'"),
        (lambda x: x / (x - x), {}, "gave NaN|to inf"),
        (ranked, {"activation": "softmax"}, "gives int64, such as classes"),
        (ranked, {"output_range": (0, 2)}, "gives int64, such as classes"),
        (lambda x: x * 8, {"activation": "softmax"}, "gives has one alone, .* 1 everywhere"),
        (torch.sigmoid, {"output_range": (1, 0)}, "output_range must be the numbers"),
        (torch.sigmoid, {"output_range": 3}, "output_range must be the numbers"),
        (torch.sigmoid, {"output_range": (0, 1), "output_dtype": "float32"}, "float32 is to be"),
    ],
)
def test_what_bytes_cannot_stand_for_is_refused(function, options, message):
    with pytest.raises(ValueError, match=message):
        predict(Volume.from_array(RAW), Of(function), **options)


def test_each_block_is_looked_at():
    """What no window showed is not cut off."""
    raw = np.zeros((400, 400), np.float32)
    raw[150:250, 150:250] = np.random.default_rng(0).random((100, 100))
    raw[395, 3] = 5
    prediction = predict(Volume.from_array(raw, chunks=(100, 100)), nn.Identity())
    with pytest.raises(ValueError, match=r"values from 0 to 5, but uint8 stands for \[-1, 1\]"):
        prediction[:, 300:, :100]
    raw[395, 3] = np.nan
    with pytest.raises(ValueError, match="gave NaN, which uint8 can't hold"):
        prediction[:, 300:, :100]
