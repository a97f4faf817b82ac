"""What networks return, and which of it is taken."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import special
from torch import nn

from dask_blockwise import Volume, activate, open_volume, predict, status, threshold

torch.set_num_threads(1)
RAW = Volume.from_array(np.random.default_rng(0).random((30, 20), np.float32), chunks=(9, 20))
ONE = Volume.from_array(np.zeros((1, 4, 4), np.float32), axes="cyx")
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


class Both(nn.Module):
    """Affinities as logits, and distances; writes down how many voxels it was given."""

    def forward(self, x):
        with Path(os.environ["SEEN"]).open("a") as file:
            file.write(f"{x.numel()}\n")
        return {"affinities": torch.cat([x - 0.5, 4 * x - 2], 1), "distances": 30 * x - 10}


def test_each_output_is_a_volume_of_its_own_and_the_network_runs_once(tmp_path, near, monkeypatch):
    raw, seen = RAW[:], tmp_path / "seen.txt"
    monkeypatch.setenv("SEEN", str(seen))
    both = predict(
        RAW, Both(), output=["affinities", "distances"], output_dtype="float32", halo=0
    ).checkpoint(tmp_path / "a.zarr/both")
    outputs = {
        "affinities": activate(both.isel(c=slice(0, 2)), "sigmoid"),
        "distances": activate(both.isel(c=2), output_range=(-10, 20)),
        "wide": activate(both.isel(c=slice(0, 2)), "softmax", output_dtype="float32"),
    }
    seen.unlink()
    for name, output in outputs.items():
        output.to_zarr(tmp_path / f"a.zarr/{name}", client=near, progress=False)
    assert sum(map(int, seen.read_text().split())) == raw.size
    logits = np.stack([raw - 0.5, 4 * raw - 2])
    affinities, distances, wide = (open_volume(tmp_path / f"a.zarr/{name}") for name in outputs)
    assert (affinities.dtype, affinities.shape) == (np.uint8, (2, *raw.shape))
    np.testing.assert_array_equal(affinities[:], np.round(255 * special.expit(logits)))
    np.testing.assert_array_equal(threshold(affinities, 0.5)[:], affinities[:] > 127)
    assert distances.shape == raw.shape
    np.testing.assert_allclose(distances[:], np.round(255 * raw), atol=1)
    assert distances.frame.stands_for == (-10, 20)
    np.testing.assert_allclose(wide[:], special.softmax(logits, axis=0), atol=1e-6)
    # Each resumes by itself.
    shutil.rmtree(tmp_path / "a.zarr/affinities/s0/c/0/0")
    summary = outputs["affinities"].to_zarr(
        tmp_path / "a.zarr/affinities", client=near, progress=False
    )
    assert sum(map(int, seen.read_text().split())) == raw.size
    assert summary["affinities"].completed == 1
    assert status(tmp_path / "a.zarr/distances", outputs["distances"]).is_current


@pytest.mark.parametrize("axes", ["tcyx", "cyx"])
def test_activations_are_those_of_scipy(axes):
    logits = np.random.default_rng(0).normal(0, 3, (3, 4, 6, 5)[-len(axes) :])
    volume = Volume.from_array(logits, axes=axes)
    channels = volume.axes.index("c")
    values = volume[:]
    made = activate(volume, "softmax", output_dtype="float32")
    np.testing.assert_allclose(made[:], special.softmax(values, axis=channels), rtol=1e-5)
    np.testing.assert_array_equal(made.data.compute(scheduler="synchronous"), made[:])


@pytest.mark.parametrize(
    ("volume", "given", "message"),
    [
        (RAW, {}, "isn't known without an activation: give output_range"),
        (RAW, {"activation": "relu"}, "activation must be one of 'sigmoid'"),
        (RAW, {"activation": "softmax"}, "softmax is over channels, .* has none"),
        (ONE, {"activation": "softmax"}, "has one alone, which would be 1 everywhere: choose sigm"),
        (RAW, {"activation": "tanh", "output_dtype": "int8"}, "must be uint8 or float32"),
        (RAW, {"output_dtype": "float32", "output_range": (0, 1)}, "but float32 is to be stored"),
        (RAW, {"output_range": (1, 0)}, "output_range must be the numbers"),
        (RAW.astype("uint8"), {"activation": "sigmoid"}, "takes what a network gave, as floats"),
    ],
    ids=[
        "no range",
        "unknown",
        "no channels",
        "one channel",
        "dtype",
        "float range",
        "range",
        "bytes",
    ],
)
def test_what_cant_be_activated_is_refused(volume, given, message):
    with pytest.raises(ValueError, match=message):
        activate(volume, **given)


def test_what_bytes_cant_hold_is_an_error():
    with pytest.raises(ValueError, match=r"values from .* but uint8 stands for"):
        activate(RAW, output_range=(0, 0.5))[:]
