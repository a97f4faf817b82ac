"""Predictions of overlapping tiles, of turned inputs, and of several outputs at once."""

import itertools
from pathlib import Path
from shutil import which

import numpy as np
import pytest
import torch
from torch import nn

import dask_blockwise as dbw
from dask_blockwise import Volume, predict

torch.set_num_threads(1)
SHAPE = (14, 17, 19)
RAW = np.random.default_rng(0).random(SHAPE).astype(np.float32)


class SeesAll(nn.Module):
    """A network of instance normalisation, so that its output depends on all of its input."""

    def __init__(self, axes=3):
        super().__init__()
        torch.manual_seed(0)
        conv = nn.Conv3d if axes == 3 else nn.Conv2d
        norm = nn.InstanceNorm3d if axes == 3 else nn.InstanceNorm2d
        self.layers = nn.Sequential(conv(1, 2, 3, padding=1), norm(2), conv(2, 2, 3, padding=1))

    def forward(self, x):
        return self.layers(x)


def starts_of(size, tile, step):
    return [0] if size <= tile else sorted({*range(0, size - tile, step), size - tile})


def blended(network, raw, tile, step, weights):
    """The weighted mean over tiles of the whole volume in memory, tile by tile."""
    total, weight = np.zeros((2, *raw.shape)), np.zeros(raw.shape)
    profile = np.ones(())
    for n in tile:
        profile = np.multiply.outer(profile, weights(n))
    for start in itertools.product(*map(starts_of, raw.shape, tile, step)):
        box = tuple(slice(b, b + n) for b, n in zip(start, tile, strict=True))
        with torch.inference_mode():
            output = torch.sigmoid(network(torch.from_numpy(raw[box][None, None].copy())))
        total[(slice(None), *box)] += output[0].double().numpy() * profile
        weight[box] += profile
    return total / weight


def gaussian(n):
    away = np.arange(n) - (n - 1) / 2
    return np.exp(-(away**2) / (2 * (n / 8) ** 2))


def linear(n):
    return np.array([min(i + 1, n - i) for i in range(n)], float)


@pytest.mark.parametrize(
    ("blend", "weights", "overlap", "step"),
    [
        ("gaussian", gaussian, None, (4, 5, 4)),
        ("linear", linear, 3, (5, 7, 5)),
        ("gaussian", gaussian, (0.25, 2, 0.75), (6, 8, 2)),
    ],
    ids=["half", "voxels", "mixed"],
)
def test_tiles_are_those_of_the_whole_volume_whatever_the_blocks(blend, weights, overlap, step):
    network, tile = SeesAll(), (8, 10, 8)
    expected = blended(network, RAW, tile, step, weights)
    options = {"input_shape": tile, "blend": blend, "overlap": overlap, "normalize": (0, 1)}
    options |= {"activation": "sigmoid", "output_dtype": "float32", "device": "cpu"}
    found = []
    for block in SHAPE, (5, 17, 6), (3, 4, 5):
        volume = Volume.from_array(RAW, chunks=block)
        values = predict(volume, network, **options).data.compute(scheduler="synchronous")
        np.testing.assert_allclose(values, expected, atol=1e-5)
        found.append(values)
    assert all(np.array_equal(found[0], other) for other in found[1:])
    batched = predict(Volume.from_array(RAW), network, batch=3, **options)
    np.testing.assert_allclose(batched[:], expected, atol=1e-5)
    assert batched.halo == tuple((n - 1, n - 1) for n in tile)


def test_a_network_of_planes_is_blended_in_each(tmp_path, near):
    network = SeesAll(2)
    volume = Volume.from_array(RAW, chunks=(3, 7, 9))
    options = {"input_shape": (8, 8), "blend": "linear", "normalize": (0, 1)}
    made = predict(volume, network, activation="sigmoid", batch=4, **options)
    assert made.frame.stands_for == (0, 1)
    made.to_zarr(tmp_path / "a.zarr/b", client=near, progress=False)
    planes = [blended(network, plane, (8, 8), (4, 4), linear) for plane in RAW]
    expected = np.stack(planes, 1)
    np.testing.assert_allclose(
        dbw.open_volume(tmp_path / "a.zarr/b")[:] / 255, expected, atol=0.5 / 255 + 1e-4
    )


def test_a_volume_smaller_than_a_tile_is_in_its_middle():
    network = nn.Conv2d(1, 1, 1)
    raw = RAW[0, :5, :6]
    options = {"input_shape": (8, 9), "blend": "gaussian", "output_dtype": "float32"}
    found = predict(Volume.from_array(raw), network, normalize=(0, 1), **options)[:]
    with torch.inference_mode():
        np.testing.assert_allclose(found, network(torch.from_numpy(raw[None])).numpy(), atol=1e-6)


def flipped(network, raw, quarters):
    """The mean over mirrored, and perhaps turned, whole volumes in memory."""
    outputs = []
    for turn in range(2 if quarters else 1):
        for axes in itertools.chain.from_iterable(
            itertools.combinations(range(1, raw.ndim + 1), n) for n in range(raw.ndim + 1)
        ):
            turned = np.flip(np.rot90(raw[None], turn, (-2, -1)), axes).copy()
            with torch.inference_mode():
                output = network(torch.from_numpy(turned)[None])[0].numpy()
            outputs.append(np.rot90(np.flip(output, axes), -turn, (-2, -1)))
    return np.mean(outputs, 0)


def lopsided():
    """A network that sees further on one side than on the other, and pools."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.ZeroPad3d((0, 2, 2, 0, 1, 0)),
        nn.Conv3d(1, 2, (2, 3, 3)),
        nn.MaxPool3d(2),
        nn.Upsample(scale_factor=2),
    )


@pytest.mark.parametrize("augment", ["flips", "rot90"])
def test_turned_inputs_by_blocks_are_those_of_the_whole(augment):
    raw = np.random.default_rng(1).random((8, 24, 26)).astype(np.float32)
    network = lopsided()
    options = {"augment": augment, "normalize": (0, 1), "output_dtype": "float32", "device": "cpu"}
    expected = flipped(network, raw, augment == "rot90")
    for block in (4, 8, 8), (8, 11, 13):
        made = predict(Volume.from_array(raw, chunks=block), network, **options)
        values = made.data.compute(scheduler="synchronous")
        np.testing.assert_allclose(values, expected, atol=1e-5)
    plain = predict(Volume.from_array(raw), network, **options | {"augment": None})
    assert not np.allclose(plain[:], expected, atol=1e-3)


def test_turned_tiles_are_blended():
    network, tile = SeesAll(), (8, 8, 8)

    class Mean(nn.Module):
        def forward(self, x):
            axes = [2, 3, 4]
            sets = itertools.chain.from_iterable(itertools.combinations(axes, n) for n in range(4))
            return torch.mean(
                torch.stack([network(x.flip(some)).flip(some) for some in map(list, sets)]), 0
            )

    options = {"input_shape": tile, "blend": "linear", "normalize": (0, 1)}
    options |= {"output_dtype": "float32", "device": "cpu"}
    volume = Volume.from_array(RAW, chunks=(8, 9, 10))
    found = predict(volume, network, augment="flips", **options)
    np.testing.assert_allclose(found[:], predict(volume, Mean(), **options)[:], atol=1e-5)


def brighter(array):
    """Itself, and itself twice as bright."""
    return [(array, lambda output: output), (2 * array, lambda output: output / 2)]


def mirrored(array):
    """Itself, and itself mirrored along y, for affinities to the voxel before along y."""

    def back(output):
        # The affinity between two voxels is now that of the other one.
        moved = output[:, ::-1].copy()
        moved[:, 1:] = moved[:, :-1].copy()
        return moved

    return [(array, lambda output: output), (array[:, ::-1], back)]


class Steps(nn.Module):
    """How alike voxels are to those before them along y."""

    def forward(self, x):
        before = torch.cat([x[..., :1, :], x[..., :-1, :]], -2)
        return 1 - (x - before).abs()


def test_a_function_may_turn_affinities():
    options = {"normalize": (0, 1), "output_dtype": "float32"}
    volume = Volume.from_array(RAW[0], chunks=(9, 8))
    plain, own = (predict(volume, Steps(), augment=a, **options)[:] for a in (None, mirrored))
    np.testing.assert_allclose(own[:, 1:], plain[:, 1:], atol=1e-6)
    wrong = predict(volume, Steps(), augment="flips", **options)[:]
    assert not np.allclose(wrong[:, 1:], plain[:, 1:], atol=1e-2)


def test_a_function_turns_inputs_and_outputs():
    raw = RAW[0]
    options = {"normalize": (0, 1), "output_dtype": "float32"}
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False), nn.ReLU())
    volume = Volume.from_array(raw, chunks=(9, 8))
    plain, own = (
        predict(volume, network, **options),
        predict(volume, network, augment=brighter, **options),
    )
    np.testing.assert_allclose(own[:], plain[:], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"blend": "cosine"}, ValueError, "blend must be"),
        ({"overlap": 4}, ValueError, "give blend="),
        ({"blend": "linear"}, ValueError, "give input_shape="),
        ({"blend": "linear", "boundary": "valid"}, ValueError, "leave one of them out"),
        ({"blend": "linear", "input_shape": (8, 8), "overlap": 8}, ValueError, "less than the ti"),
        ({"blend": "linear", "input_shape": (8, 8), "overlap": (1, 2, 3)}, ValueError, "overlap"),
        ({"blend": "linear", "input_shape": (8, 8), "overlap": "half"}, ValueError, "overlap mus"),
        ({"augment": "mirror"}, ValueError, "augment must be"),
        ({"compile": True, "device": "openvino"}, (ValueError, ModuleNotFoundError), "OpenVINO"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(options, error, says):
    with pytest.raises(error, match=says):
        predict(Volume.from_array(RAW[0]), nn.Conv2d(1, 1, 3, padding=1), **options)


@pytest.mark.parametrize(
    ("network", "options", "says"),
    [
        (nn.Conv2d(1, 1, 3), {"blend": "linear", "input_shape": (9, 9)}, "other"),
        (nn.Conv2d(1, 1, 2), {"augment": "flips"}, "half a voxel"),
        (nn.AvgPool2d((1, 2)), {"augment": "rot90"}, "give augment='flips'"),
    ],
    ids=["valid", "even", "strides"],
)
def test_networks_that_cannot_be_so_used_are_refused(network, options, says):
    with pytest.raises(ValueError, match=says):
        predict(Volume.from_array(RAW[0]), network, output_dtype="float32", **options)


class Notes(nn.Module):
    """Notes each call; gives affinities of two channels and one of distances."""

    def __init__(self, path):
        super().__init__()
        self.path = str(path)

    def forward(self, x):
        with Path(self.path).open("a") as file:
            file.write("called\n")
        return {"affinities": torch.cat([x, x / 2], 1), "distances": [x / 4]}


def test_several_outputs_are_computed_and_stored_once(tmp_path, near):
    volume = Volume.from_array(RAW[0], chunks=(7, 19))
    both = predict(
        volume,
        Notes(tmp_path / "calls"),
        output=["affinities", ("distances", 0)],
        normalize=(0, 1),
        output_dtype="float32",
    )
    both = both.checkpoint(tmp_path / "a.zarr/both")
    affinities, distances = both.isel(c=slice(0, 2)), both.isel(c=2)
    Path(tmp_path / "calls").write_text("")
    (affinities + np.float32(0)).to_zarr(
        tmp_path / "a.zarr/affinities", client=near, progress=False
    )
    (distances + np.float32(0)).to_zarr(tmp_path / "a.zarr/distances", client=near, progress=False)
    assert Path(tmp_path / "calls").read_text().count("called") == 3
    found = {name: dbw.open_volume(tmp_path / "a.zarr" / name)[:] for name in ("both", "distances")}
    np.testing.assert_array_equal(found["both"], np.stack([RAW[0], RAW[0] / 2, RAW[0] / 4]))
    np.testing.assert_array_equal(found["distances"], RAW[0] / 4)


def test_outputs_of_other_voxels_are_not_stored_together():
    class Two(nn.Module):
        def forward(self, x):
            return x, x[..., ::2]

    with pytest.raises(TypeError, match="can't be stored together"):
        predict(Volume.from_array(RAW[0]), Two(), output=[0, 1])


# Of torch's own.
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.skipif(not (which("g++") or which("clang++")), reason="torch compiles by a compiler")
def test_a_compiled_network_gives_the_same():
    network = nn.Conv2d(1, 2, 3, padding=1)
    options = {"input_shape": (8, 8), "blend": "linear", "output_dtype": "float32"}
    volume = Volume.from_array(RAW, chunks=(5, 17, 19))
    compiled = predict(volume, network, compile=True, **options)
    np.testing.assert_allclose(compiled[:], predict(volume, network, **options)[:], atol=1e-5)
