"""Prediction by blocks against that of the whole volume, and what networks see."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from dask_blockwise import Volume, predict
from dask_blockwise.models import ModelSource, probe
from dask_blockwise.unet import UNet


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


@pytest.mark.parametrize(
    "net",
    [
        lambda: UNet(1, 2, (2, 3)),
        lambda: nn.Sequential(nn.Conv3d(1, 3, 3), nn.ReLU(), nn.Conv3d(3, 2, (1, 3, 5))),
        lambda: nn.Conv2d(1, 2, 5, padding=2),
    ],
    ids=["same", "valid", "planes"],
)
def test_blocks_equal_the_whole(net):
    torch.manual_seed(0)
    raw = np.random.default_rng(0).integers(0, 255, (13, 30, 27)).astype(np.uint8)
    volume = Volume.from_array(raw, chunks=(8, 12, 16))
    prediction = predict(volume, net().eval(), output_dtype="float32")
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, prediction[:], atol=1e-5)


def test_same_network_equals_torch_on_the_whole():
    torch.manual_seed(0)
    net = UNet(1, 2, (2, 3)).eval()
    raw = np.random.default_rng(0).integers(0, 255, (12, 20, 16)).astype(np.uint8)
    with torch.inference_mode():
        whole = net(torch.from_numpy(raw.astype(np.float32) / 255)[None, None])[0].numpy()
    prediction = predict(Volume.from_array(raw, chunks=(6, 6, 6)), net, output_dtype="float32")
    np.testing.assert_allclose(prediction.data.compute(scheduler="synchronous"), whole, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Conv3d(5, 1, 3), "takes no input of 1 channels"),
        (nn.Sequential(nn.Conv3d(1, 2, 1), nn.InstanceNorm3d(2)), "depends on inputs more than"),
        (nn.Conv3d(1, 1, 2, stride=2), "change the voxel size"),
    ],
)
def test_networks_that_do_not_fit(model, message):
    with pytest.raises(ValueError, match=message):
        predict(Volume.from_array(np.zeros((8, 8, 8), np.uint8)), model)
