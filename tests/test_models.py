"""What networks see, and all the ways in which they are stored."""

import json
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from dask_blockwise.models import ModelSource, infer, load, probe
from dask_blockwise.unet import UNet

# Small tests on a busy machine: threads would wait for one another.
torch.set_num_threads(1)


def meshnet(data):
    stem = data / "models/meshnet_mri/model5_gw_ae"
    weights, layers = np.load(stem.with_suffix(".npz")), []
    for layer in json.loads(stem.with_suffix(".json").read_text())["layers"]:
        if layer["type"] == "ReLU":
            layers.append(nn.ReLU())
            continue
        kernel = torch.from_numpy(weights[f"weight{layer['index']}"])
        shape = {k: tuple(layer[k]) for k in ("kernel_size", "padding", "dilation")}
        layers.append(nn.Conv3d(kernel.shape[1], kernel.shape[0], **shape))
        layers[-1].weight.data = kernel
        layers[-1].bias.data = torch.from_numpy(weights[f"bias{layer['index']}"])
    return nn.Sequential(*layers)


def test_the_meshnet_sees_46_voxels(data):
    footprint = probe(ModelSource.of(meshnet(data)), 1, 3)
    assert (footprint.halo, footprint.stride) == (((46, 46),) * 3, (1, 1, 1))


class Hidden(nn.Module):
    """Pools and upsamples within a field that a wide convolution hides."""

    def __init__(self):
        super().__init__()
        self.wide = nn.Conv2d(1, 1, 9, padding=4)

    def forward(self, x):
        coarse = nn.functional.interpolate(nn.functional.max_pool2d(x, 2), scale_factor=2)
        return coarse + self.wide(x)


def test_unet_has_the_stride_of_its_pooling():
    footprint = probe(ModelSource.of(UNet(1, 9, (8, 32, 96))), 1, 3)
    assert footprint.stride == (4, 4, 4)
    assert footprint.trim == (0, 0, 0)
    assert footprint.channels == 9


@pytest.mark.parametrize(
    ("net", "halo", "stride", "trim"),
    [
        (Hidden(), (4, 4), 2, 0),
        (nn.Sequential(*(nn.Conv2d(1, 1, 9) for _ in range(6))), (24, 24), 1, 24),
        (nn.Sequential(nn.MaxPool2d(3), nn.Upsample(scale_factor=3)), (2, 2), 3, 0),
    ],
)
def test_footprints(net, halo, stride, trim):
    footprint = probe(ModelSource.of(net), 1, 2)
    assert footprint.halo == (halo, halo)
    assert (footprint.stride, footprint.trim) == ((stride, stride), (trim, trim))


def test_bioimageio_folder_gives_its_test_output(data):
    folder = data / "models/unet2d_nuclei_broad"
    with np.load(folder / "test_io.npz") as arrays:
        given, expected = (arrays[name] for name in sorted(arrays, key=lambda n: "out" in n))
    given = given.reshape(1, 512, 512).astype(np.float32)
    result = infer(ModelSource.of(folder), (given - given.mean()) / (given.std() + 1e-6))
    probability = 1 / (1 + np.exp(-result))
    np.testing.assert_allclose(probability, expected.reshape(result.shape), atol=1e-3)


def test_stored_in_every_way(tmp_path):
    torch.manual_seed(0)
    net = UNet(1, 2, (2, 3)).eval()
    image = np.random.default_rng(0).random((1, 8, 8, 8), np.float32)
    state, batch = net.state_dict(), torch.zeros(2, 1, 8, 8, 8)
    torch.save({k: v.half() for k, v in state.items()}, tmp_path / "half.pth")
    np.savez(tmp_path / "w.npz", **{k: v.numpy() for k, v in state.items()})
    torch.export.save(torch.export.export(net, (batch[:1],)), tmp_path / "net.pt2")
    torch.save(net, tmp_path / "whole.pt")
    arguments = {"in_channels": 1, "out_channels": 2, "features": [2, 3]}
    name = "dask_blockwise.unet:UNet"
    sources = [
        ModelSource.of(name, tmp_path / "half.pth", arguments),
        ModelSource.of(name, tmp_path / "w.npz", arguments),
        ModelSource.of(tmp_path / "net.pt2"),
        ModelSource.of(tmp_path / "whole.pt", trust=True),
    ]
    expected = infer(ModelSource.of(net), image)
    for source in sources:
        again = pickle.loads(pickle.dumps(source))
        np.testing.assert_allclose(infer(again, image), expected, atol=1e-2)
        assert load(again) is load(source)


def test_models_that_cannot_be_loaded(tmp_path):
    torch.save(nn.ReLU(), tmp_path / "whole.pt")
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="trust=True"):
        ModelSource.of(tmp_path / "whole.pt")
    with pytest.raises(TypeError, match="holds a dict"):
        ModelSource.of(tmp_path / "weights.pt", trust=True)
    with pytest.raises(FileNotFoundError, match="no model at"):
        ModelSource.of(tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError, match="no weights at"):
        ModelSource.of("dask_blockwise.unet:UNet", tmp_path / "none.pt")


def test_other_weights_at_the_same_path_are_another_model(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.zeros(1))
    before = ModelSource.of("dask_blockwise.unet:UNet", path)
    np.savez(path, a=np.zeros(2))
    assert ModelSource.of("dask_blockwise.unet:UNet", path) != before
