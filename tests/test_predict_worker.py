"""Prediction by blocks against that of the whole volume, and what networks see."""

import numpy as np
import pytest
import torch
from torch import nn

from dask_blockwise import Block, Roi, Volume, create_volume, open_volume, predict
from dask_blockwise.predict_worker import spawn_worker
from dask_blockwise.unet import UNet

# Small tests on a busy machine: threads would wait for one another.
torch.set_num_threads(1)


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


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (lambda: UNet(1, 2, (2, 3)), (14, 26, 26)),
        (lambda: nn.Conv3d(1, 2, 3), (7, 8, 9)),
        (lambda: nn.Conv2d(1, 2, 5, padding=2), (1, 9, 10)),
    ],
    ids=["same", "valid", "planes"],
)
def test_inputs_of_a_given_shape_in_batches(net, shape):
    torch.manual_seed(0)
    raw = np.random.default_rng(0).integers(0, 255, (13, 30, 27)).astype(np.uint8)
    volume, module = Volume.from_array(raw), net().eval()
    whole = predict(volume, module, output_dtype="float32")[:]
    tiled = predict(volume, module, output_dtype="float32", input_shape=shape, batch=3)
    np.testing.assert_allclose(tiled[:], whole, atol=1e-5)


def test_channels_and_volume_normalisation():
    raw = np.random.default_rng(0).normal(5, 2, (2, 6, 6, 6)).astype(np.float32)
    volume = Volume.from_array(raw, chunks=(2, 4, 4, 4))
    prediction = predict(volume, nn.Identity(), normalize="volume", output_dtype="float32")
    np.testing.assert_allclose(prediction[:], (raw - raw.mean()) / raw.std(), atol=1e-4)


@pytest.mark.parametrize(("activation", "value"), [("sigmoid", 128), (None, 128), ("softmax", 255)])
def test_quantised_to_bytes(activation, value):
    volume = Volume.from_array(np.zeros((4, 4, 4), np.uint8))
    prediction = predict(volume, nn.Conv3d(1, 1, 1, bias=False), activation=activation)
    assert prediction.dtype == np.uint8
    assert np.unique(prediction[:]).tolist() == [value]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (7, 8, 8)}, "after division by the network's stride"),
        ({"input_shape": (8, 2, 8)}, "leaves nothing"),
        ({"boundary": "none"}, "leaves nothing beyond"),
        ({"batch": 0}, "positive number of inputs"),
        ({"output_dtype": "int64"}, "uint8 or float32"),
        ({"normalize": "range"}, "'dtype', 'volume' or"),
    ],
)
def test_options_that_do_not_fit(options, message):
    volume = Volume.from_array(np.zeros((32, 32, 32), np.uint8))
    with pytest.raises(ValueError, match=message):
        predict(volume, UNet(1, 1, (2, 3)), **options)


def test_a_given_halo_accepts_instance_normalisation():
    net = nn.Sequential(nn.Conv3d(1, 2, 1), nn.InstanceNorm3d(2))
    prediction = predict(Volume.from_array(np.eye(8)[None].repeat(8, 0)), net, halo=2)
    assert prediction.shape == (2, 8, 8, 8)


def test_worker_writes_its_block(tmp_path):
    raw = create_volume(tmp_path / "in.zarr/raw", shape=(8, 8, 8), dtype="uint8")
    raw[raw.roi] = np.arange(512, dtype=np.uint16).reshape(8, 8, 8).astype(np.uint8)
    name = "dask_blockwise.unet:UNet"
    options = {"arguments": {"in_channels": 1, "out_channels": 2, "features": [2, 3]}}
    torch.manual_seed(0)
    torch.save(UNet(1, 2, (2, 3)).state_dict(), tmp_path / "w.pt")
    options["weights"] = tmp_path / "w.pt"
    output = create_volume(
        tmp_path / "out.zarr/p", shape=(2, 8, 8, 8), dtype="uint8", axes="czyx",
        block_shape=(4, 8, 8),
    )  # fmt: skip
    whole = Roi((0, 0, 0), (4, 8, 8))
    spawn_worker(str(raw.path), str(output.path), name, **options)(Block(raw.roi, whole, whole, 0))
    expected = predict(raw, name, **options)[:]
    written = open_volume(output.path)[:]
    np.testing.assert_array_equal(written[:, :4], expected[:, :4])
    assert not written[:, 4:].any()
