"""Prediction by blocks against that of the whole volume, and what networks see."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from torch import nn

from dask_blockwise import (
    Block,
    Coordinate,
    Roi,
    Volume,
    create_volume,
    map_overlap,
    open_volume,
    predict,
)
from dask_blockwise.demo.samples import fib25, mni152
from dask_blockwise.demo.unet import UNet
from dask_blockwise.predict_worker import spawn_worker
from dask_blockwise.prediction.networks import load

# Small tests on a busy machine: threads would wait for one another.
torch.set_num_threads(1)


RAW = np.random.default_rng(0).integers(0, 255, (12, 20, 24)).astype(np.uint8)
VOXELS = (8, 4, 4)


@dataclass(frozen=True)
class Case:
    make: Callable[[], nn.Module]
    # Context that the network takes off its input, on each side.
    lost: tuple[int, ...] = (0, 0, 0)
    # Input voxels that an output voxel is long.
    scale: tuple[float, ...] = (1, 1, 1)
    planes: bool = False

    def network(self):
        torch.manual_seed(0)
        return self.make().eval()

    def whole(self, raw, lost=None):
        """What torch makes of the whole volume and the context reflected around it."""
        padded = np.pad(raw, [(n, n) for n in lost or self.lost], "symmetric")
        image = torch.from_numpy(padded.astype(np.float32) / 255)[None]
        with torch.inference_mode():
            if self.planes:
                return self.network()(image.movedim(1, 0)).movedim(1, 0).numpy()
            return self.network()(image[None])[0].numpy()


CASES = {
    "same": Case(lambda: UNet(1, 2, (2, 3))),
    "valid": Case(
        lambda: nn.Sequential(nn.Conv3d(1, 3, 3), nn.ReLU(), nn.Conv3d(3, 2, (1, 3, 5))), (1, 2, 3)
    ),
    "part of it valid": Case(
        lambda: nn.Sequential(nn.Conv3d(1, 3, 3, padding=1), nn.Conv3d(3, 2, 3)), (1, 1, 1)
    ),
    "coarser": Case(lambda: nn.Conv3d(1, 2, 3, stride=2, padding=1), scale=(2, 2, 2)),
    "coarser in planes": Case(
        lambda: nn.Sequential(
            nn.MaxPool3d((1, 2, 4)), nn.Conv3d(1, 2, (1, 3, 3), padding=(0, 1, 1))
        ),
        scale=(1, 2, 4),
    ),
    "coarser, valid": Case(lambda: nn.Conv3d(1, 2, 4, stride=2), (1, 1, 1), (2, 2, 2)),
    "finer": Case(lambda: nn.ConvTranspose3d(1, 2, (1, 2, 2), (1, 2, 2)), scale=(1, 0.5, 0.5)),
    "planes": Case(lambda: nn.Conv2d(1, 2, (5, 3), padding=(2, 1)), planes=True),
    "coarser planes": Case(lambda: nn.Conv2d(1, 2, 2, 2), scale=(1, 2, 2), planes=True),
}


def raw_volume(chunks=None):
    return Volume.from_array(RAW, voxel_size=VOXELS, offset=(16, 0, 40), chunks=chunks)


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=8)
@given(block=st.tuples(*[st.integers(3, 25)] * 3))
def test_blocks_of_any_shape_equal_torch_on_the_whole(name, block):
    case = CASES[name]
    prediction = predict(raw_volume(), case.network(), output_dtype="float32", block_shape=block)
    whole = case.whole(RAW)
    assert prediction.shape == whole.shape
    assert prediction.voxel_size == tuple(int(v * s) for v, s in zip(VOXELS, case.scale))
    assert prediction.roi == raw_volume().roi
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, whole, atol=1e-5)


@pytest.mark.parametrize("name", ["valid", "part of it valid", "coarser, valid"])
@settings(max_examples=5)
@given(block=st.tuples(*[st.integers(3, 25)] * 3))
def test_a_smaller_output_as_asked(name, block):
    case = CASES[name]
    prediction = predict(
        raw_volume(), case.network(), output_dtype="float32", boundary="valid", block_shape=block
    )
    whole = case.whole(RAW, (0, 0, 0))
    assert prediction.shape == whole.shape
    margin = Coordinate(case.lost) * Coordinate(VOXELS)
    assert prediction.roi == raw_volume().roi.grow(-margin, -margin)
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, whole, atol=1e-5)


@settings(max_examples=8)
@given(block=st.tuples(*[st.integers(3, 25)] * 2), odd=st.integers(0, 3))
def test_an_odd_image_gives_the_voxels_that_lie_in_it(block, odd):
    raw = RAW[0, : 20 - odd]
    net = nn.Conv2d(1, 1, 3, stride=2, padding=1)
    prediction = predict(Volume.from_array(raw), net, output_dtype="float32", block_shape=block)
    assert prediction.shape == (1, (20 - odd) // 2, 12)
    with torch.inference_mode():
        whole = net(torch.from_numpy(raw.astype(np.float32) / 255)[None])
    # Where the network pads the odd image by nothing but the even one by a reflected row.
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, whole[:, : blocks.shape[1]], atol=1e-5)


PAIRS = st.tuples(st.sampled_from((1, 2, 3)), st.sampled_from((1, 2, 3)))
LAYERS = st.one_of(
    st.builds(lambda kernel: nn.LazyConv2d(2, kernel), PAIRS),
    st.builds(
        lambda wide: nn.LazyConv2d(2, (5, 3), padding=(2 * wide, 1), dilation=(wide, 1)),
        st.sampled_from((1, 2, 3)),
    ),
    st.builds(lambda step: nn.LazyConv2d(1, 3, step, padding=1), PAIRS),
    st.builds(nn.MaxPool2d, PAIRS),
    st.builds(lambda factor: nn.Upsample(scale_factor=tuple(map(float, factor))), PAIRS),
    st.just(nn.ELU()),
)


@settings(max_examples=25)
@given(
    layers=st.lists(LAYERS, min_size=1, max_size=4),
    block=st.tuples(*[st.integers(2, 15)] * 2),
    seed=st.integers(0, 9),
)
def test_random_networks_by_blocks_equal_torch_on_the_whole(layers, block, seed):
    torch.manual_seed(seed)
    net, image = nn.Sequential(*layers).eval(), np.float32(RAW.reshape(72, 80)[:36, :36] / 255)
    try:
        with torch.inference_mode():
            whole = net(torch.from_numpy(image)[None, None])[0].numpy()
        volume = Volume.from_array(image, voxel_size=(1296, 1296))
        prediction = predict(
            volume, net, output_dtype="float32", boundary="valid", block_shape=block
        )
    except (RuntimeError, ValueError):
        reject()
    # Else the voxels that don't fill a stride are left out, and torch makes something of them.
    assume(
        all((t.size - t.network.rest) % t.network.stride == 0 for t in prediction.source.tilings)
    )
    assert prediction.shape == whole.shape
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.timeout(500)  # A network is probed, and on a busy machine for minutes.
@pytest.mark.parametrize(
    ("sample", "corner", "shape"),
    [(mni152, (80, 100, 60), (28, 32, 40)), (fib25, (160, 0, 0), (28, 32, 40))],
)
def test_shipped_networks_by_blocks_equal_torch_on_the_whole(data, sample, corner, shape):
    found = sample()
    raw = found.raw[tuple(slice(b, b + n) for b, n in zip(corner, shape))]
    options = found.network.options | {"output_dtype": "float32", "block_shape": (24, 32, 20)}
    prediction = predict(Volume.from_array(raw), **options | {"activation": None})
    with torch.inference_mode():
        whole = load(prediction.source.network.model)(
            torch.from_numpy(np.float32(raw / 255))[None, None]
        )[0]
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, whole.numpy(), atol=1e-4)


@pytest.mark.timeout(500)  # A network is probed, and on a busy machine for minutes.
def test_the_meshnet_by_blocks_differs_by_nothing(meshnet):
    """With one voxel less of context it does."""
    raw = mni152().raw[40:140, 60:164, 60:156].astype(np.float32) / 255
    core = (slice(47, 53), slice(46, 58), slice(46, 50))
    with torch.inference_mode():
        whole = meshnet(torch.from_numpy(raw)[None, None])[0].numpy()[(slice(None), *core)]
    volume = Volume.from_array(raw, chunks=(53, 52, 48))
    for halo, equal in (("auto", True), (45, False)):
        options = {"normalize": (0, 1), "output_dtype": "float32", "halo": halo}
        with nullcontext() if equal else pytest.warns(UserWarning, match="there will be seams"):
            prediction = predict(volume, meshnet, **options)
        found = prediction[(slice(None), *core)]
        assert (np.abs(found - whole).max() < 1e-6) == equal


def test_stored_through_a_checkpoint_of_blocks_unlike_its_stride(tmp_path, client):
    """A block waits for all of what it reads, rounded to the network's stride."""
    case = CASES["same"]
    raw = map_overlap(np.copy, raw_volume(), dtype=np.uint8)
    prediction = predict(
        raw.checkpoint(tmp_path / "a.zarr/raw", block_shape=(5, 9, 24)),
        case.network(),
        output_dtype="float32",
        block_shape=(5, 20, 11),
    )
    prediction.to_zarr(tmp_path / "a.zarr/p", client=client, progress=False)
    np.testing.assert_allclose(open_volume(tmp_path / "a.zarr/p")[:], case.whole(RAW), atol=1e-5)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Conv3d(5, 1, 3), "takes no input of 1 channels"),
        (nn.Sequential(nn.Conv3d(1, 2, 1), nn.InstanceNorm3d(2)), "depends on inputs more than"),
        (nn.ConvTranspose3d(1, 1, 2, stride=2), "finer unit, or a larger voxel_size"),
        (nn.Conv1d(1, 1, 3), "and 3 axes of space"),
        ("no_such.module:Net", "can't be made with"),
        ("dask_blockwise.demo.unet:Net", "can't be made with"),
        ("dask_blockwise.demo.unet:UNet", "can't be made with"),
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


@pytest.mark.parametrize(
    ("activation", "formula"),
    [
        ("sigmoid", lambda x: np.clip(1 / (1 + np.exp(-x)), 0, 1) * 255),
        ("tanh", lambda x: (np.tanh(x) + 1) / 2 * 255),
        ("softmax", lambda x: np.exp(x) / np.exp(x).sum(0) * 255),
    ],
)
def test_quantised_to_bytes(activation, formula):
    values = np.random.default_rng(0).normal(0, 2, (3, 6, 6, 6)).astype(np.float32)
    options = {"activation": activation, "normalize": (0, 1)}
    prediction = predict(Volume.from_array(values), nn.Identity(), **options)
    assert prediction.dtype == np.uint8
    np.testing.assert_allclose(prediction[:], formula(values), atol=0.51)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_shape": (7, 8, 8)}, "after division by the network's stride"),
        ({"input_shape": (8, 2, 8)}, "leaves nothing"),
        ({"boundary": "none"}, "leaves nothing beyond"),
        ({"boundary": "mirror"}, "boundary must be one of"),
        ({"boundary": ("valid", "reflect", "reflect")}, "mixes 'valid' with others"),
        ({"batch": 0}, "positive number of inputs"),
        ({"batch": "2"}, "positive number of inputs"),
        ({"output_dtype": "int64"}, "uint8 or float32"),
        ({"output_dtype": "byte8"}, "uint8 or float32"),
        ({"normalize": "range"}, "'dtype', 'volume' or"),
        ({"normalize": (0, float("nan"))}, "a finite number"),
        ({"halo": "wide"}, "halo must be 'auto' or"),
        ({"weights": "w.pt"}, "beside a model that brings its own"),
        ({"arguments": {"in_channels": 1}}, "beside a model that brings its own"),
        ({"normalize": (1, 0)}, "none to divide by 0"),
        ({"normalize": (1, 2, 3)}, "'dtype', 'volume' or"),
        ({"activation": "relu"}, "activation must be one of 'sigmoid'"),
        ({"precision": "int8"}, "precision must be one of"),
        ({"device": "abacus"}, "no device 'abacus'"),
        ({"input_shape": (8, 8, 8, 8)}, "input_shape must be 3 whole numbers"),
        ({"input_shape": (8, 8, 8.5)}, "input_shape must be 3 whole numbers"),
        ({"input_shape": 8}, "input_shape must be 3 whole numbers"),
        ({"halo": (1, 1)}, "halo must be"),
        ({"boundary": "valid", "input_shape": (64, 64, 64)}, "too small"),
    ],
)
def test_options_that_do_not_fit(options, message):
    volume = Volume.from_array(np.zeros((32, 32, 32), np.uint8))
    with pytest.raises(ValueError, match=message):
        predict(volume, UNet(1, 1, (2, 3)), **options)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [("complex64", "real numbers"), ("uint32", "labels"), ("uint64", "labels")],
)
def test_volumes_that_no_network_is_for(dtype, message):
    with pytest.raises(ValueError, match=message):
        predict(Volume.from_array(np.zeros((8, 8, 8), dtype)), nn.Conv3d(1, 1, 1))


def test_a_volume_smaller_than_a_valid_network(tmp_path):
    with pytest.raises(ValueError, match="too small"):
        predict(Volume.from_array(np.zeros((8, 2), np.uint8)), nn.Conv2d(1, 1, 3), boundary="valid")


def test_a_given_halo_accepts_instance_normalisation():
    net = nn.Sequential(nn.Conv3d(1, 2, 1), nn.InstanceNorm3d(2))
    volume = Volume.from_array(np.eye(8)[None].repeat(8, 0))
    with pytest.warns(UserWarning, match="there will be seams"):
        prediction = predict(volume, net, halo=2, output_dtype="float32")
    assert prediction.shape == (2, 8, 8, 8)


def test_worker_writes_its_block(tmp_path):
    raw = create_volume(tmp_path / "in.zarr/raw", shape=(8, 8, 8), dtype="uint8")
    raw[raw.roi] = np.arange(512, dtype=np.uint16).reshape(8, 8, 8).astype(np.uint8)
    name = "dask_blockwise.demo.unet:UNet"
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
