"""What networks return, and which of it is taken."""

from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn

from dask_blockwise import Volume, predict

torch.set_num_threads(1)
RAW = Volume.from_array(np.random.default_rng(0).random((30, 20), np.float32), chunks=(9, 20))
Pair = namedtuple("Pair", "coarse fine")


class Of(nn.Module):
    """A function as a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Two(nn.Module):
    """Takes an image and a mask."""

    def forward(self, image, mask, scale=1):
        return image * mask * scale


@pytest.mark.parametrize(
    ("function", "output"),
    [
        (lambda x: (x, x * 2), 1),
        (lambda x: [x * 2, x], 0),
        (lambda x: (x, x * 2), -1),
        (lambda x: {"logits": x * 2, "others": None}, "logits"),
        (lambda x: {"logits": [x, (x * 2,)]}, ("logits", 1, 0)),
        (lambda x: Pair(x, x * 2), "fine"),
        (lambda x: (x * 2)[:, 0], None),
    ],
)
def test_one_is_taken(function, output):
    prediction = predict(RAW, Of(function), output=output, output_dtype="float32")
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, 2 * RAW[:][None])


@pytest.mark.parametrize(
    ("network", "output", "message"),
    [
        (Of(lambda x: (x, x)), None, r"a tuple \[0: a Tensor \(1, 1, 8, 8\), .*pick it with outp"),
        (Of(lambda x: {"out": x}), None, r"a dict \{'out': a Tensor \(1, 1, 8, 8\)\}"),
        (Of(lambda x: (x, x)), 2, r"output=2 isn't in what the network returns: a tuple \[0"),
        (Of(lambda x: {"out": [x]}), ("out", "in"), r"output=\('out', 'in'\) isn't in.*a list \[0"),
        (Of(lambda x: x), 0, r"output=0 isn't in what the network returns: a Tensor"),
        (Of(lambda x: x[0, 0]), None, r"makes a Tensor \(8, 8\) of an input of shape .*squeeze\(1"),
        (Of(lambda x: torch.fft.fft(x)), None, "complex numbers"),
        (Two(), None, "takes 2 inputs, image, mask, but is given one"),
    ],
)
def test_what_is_not_one_tensor_is_told(network, output, message):
    with pytest.raises(TypeError, match=message) as caught:
        predict(RAW, network, output=output, output_dtype="float32")
    assert "trained on" not in str(caught.value)


def test_two_outputs_are_one_network_and_two_computations():
    network = Of(lambda x: (x, x * 2))
    one, other = (predict(RAW, network, output=n, output_dtype="float32") for n in (0, 1))
    assert one.token != other.token


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": 1.5}, "output must be an index"),
        ({"output": True}, "output must be an index"),
        ({"output": 0, "device": "openvino"}, "OpenVINO is to run"),
        ({"device": ["cpu"]}, r"device must be one.*got \['cpu'\]"),
        ({"device": None}, "device must be one"),
        ({"halo": "8"}, "halo must be 'auto' or"),
        ({"halo": ("8", 8)}, "halo must be 'auto' or"),
        ({"halo": ((1, "2"), 3)}, "halo must be 'auto' or"),
        ({"halo": 1.5}, "halo must be 'auto' or"),
        ({"halo": None}, "halo must be 'auto' or"),
    ],
)
def test_options_of_another_kind(options, message):
    with pytest.raises(ValueError, match=message):
        predict(RAW, nn.Identity(), **options)
