"""Halos of networks that drop NaN: found by other means, or refused on the volume's own values."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from dask_blockwise import Volume, predict
from dask_blockwise.prediction import proof

torch.set_num_threads(1)
RAW = np.random.default_rng(0).integers(0, 255, (90, 80)).astype(np.uint8)


class Of(nn.Module):
    """A function of the input and of what a convolution of five by five makes of it."""

    def __init__(self, function, channels=3):
        super().__init__()
        torch.manual_seed(0)
        self.convolve = nn.Conv2d(1, channels, 5, padding=2)
        self.function = function

    def forward(self, x):
        return self.function(x, self.convolve(x))


HIDING = {
    "argmax": lambda x, y: y.argmax(1, keepdim=True),
    "one-hot": lambda x, y: functional.one_hot(y.argmax(1), 3).movedim(-1, 1).float(),
    "gate": lambda x, y: x * (y[:, :1] > 0.1),
    "where": lambda x, y: torch.where(y > 0, 1.0, x),
    "replaced": lambda x, y: torch.nan_to_num(y, 0.0),
    "pooled comparison": lambda x, y: functional.max_pool2d((y > 0.3).float(), 3, 1, 1),
    "rank": lambda x, y: y.sort(1).indices,
    "truth": lambda x, y: y > 0,
    "beside": lambda x, y: functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False) + (y > 0),
    "behind a step": lambda x, y: functional.avg_pool2d((y > 0.2).float(), 3, 1, 1),
}


@pytest.mark.parametrize("name", HIDING)
def test_what_drops_nan_by_blocks_equals_torch_on_the_whole(name):
    net = Of(HIDING[name])
    volume = Volume.from_array(RAW, chunks=(13, 17))
    dtype = {} if name in ("argmax", "rank", "truth") else {"output_dtype": "float32"}
    prediction = predict(volume, net, **dtype)
    with torch.inference_mode():
        whole = net(torch.from_numpy(RAW / np.float32(255))[None, None])[0].numpy()
    assert prediction.dtype == whole.dtype
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, whole, atol=1e-5)


class Grey(nn.Module):
    """Looks for one grey value seven voxels away, which noise never has."""

    def forward(self, x):
        return functional.avg_pool2d(x, 3, 1, 1) + torch.where(x.roll(7, -1) == 0.625, 1.0, 0.0)


def test_what_only_the_data_shows_is_refused():
    data = np.float32(RAW // 32 / 8)
    with pytest.raises(ValueError, match=r"probing found.*differs in \d+ of \d+ values by up to 1"):
        predict(Volume.from_array(data, chunks=(20, 20)), Grey(), output_dtype="float32")


def test_numbers_of_the_whole_volume_are_proven_before_work_begins(tmp_path, threads):
    """Half of the volume is 0, so the window has another mean."""
    data = np.float32(RAW // 32 / 8)
    data[:, :40] = 0
    whole = (0.625 - data.mean()) / data.std()

    class Normalised(nn.Module):
        def forward(self, x):
            return x + torch.where((x.roll(7, -1) - float(whole)).abs() < 1e-4, 1.0, 0.0)

    options = {"normalize": "volume", "output_dtype": "float32"}
    prediction = predict(Volume.from_array(data, chunks=(30, 30)), Normalised(), **options)
    with pytest.raises(ValueError, match="probing found"):
        prediction.to_zarr(tmp_path / "a.zarr/p", client=threads, progress=False)


@pytest.mark.parametrize("shape", [(3, 40, 60, 50), (2, 2, 30, 60, 60)])
def test_more_axes(shape):
    """Time, channels, and planes of a network of two axes."""
    data = np.random.default_rng(0).random(shape, np.float32)
    axes = "tczyx"[-len(shape) :]
    volume = Volume.from_array(data, axes=axes, chunks=(*shape[:-2], 20, 20))
    prediction = predict(volume, nn.Conv2d(shape[-4], 1, 3, padding=1), output_dtype="float32")
    assert proof.prove(prediction.source).differing == 0


def test_a_halo_that_is_given_too_small_is_believed_with_a_warning():
    with pytest.warns(UserWarning, match=r"halo=\[\(1, 1\), \(1, 1\)\].*there will be seams"):
        predict(Volume.from_array(RAW), Of(lambda x, y: y), halo=1, output_dtype="float32")


def test_what_is_padded_by_reflection_sees_further_inwards():
    """So a block of one voxel at the end reads more than its halo elsewhere."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 1, 2, padding="same", padding_mode="reflect")
    )
    image = np.float32(RAW[:41, :31] / 255)
    prediction = predict(Volume.from_array(image, chunks=(10, 10)), net, output_dtype="float32")
    with torch.inference_mode():
        whole = net(torch.from_numpy(image)[None, None])[0].numpy()
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, whole, atol=1e-5)
