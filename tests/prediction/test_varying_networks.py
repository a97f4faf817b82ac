"""Networks that aren't the same each time, and files that hold none."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dask_blockwise import Volume, open_volume, predict

RAW = np.random.default_rng(0).integers(0, 255, (8, 12, 16), np.uint8)
OPTIONS = [{}, {"halo": 2}, {"blend": "linear", "input_shape": (8, 8, 8)}]


def raw():
    return Volume.from_array(RAW, chunks=(8, 8, 8))


class Dropped(nn.Module):
    """Whose dropout is never off."""

    def forward(self, x):
        return nn.functional.dropout(x, 0.5, training=True)


class Remembering(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.calls


@pytest.mark.parametrize("options", OPTIONS, ids=["found", "halo", "blend"])
@pytest.mark.parametrize("network", [Dropped, Remembering])
def test_what_gives_other_values_each_time_is_refused(network, options):
    with pytest.raises(ValueError, match="other values each time"):
        predict(raw(), network(), **options)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_network_traced_in_training_is_refused_and_told_why(tmp_path):
    network = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.Dropout3d())
    path = tmp_path / "net.pt"
    torch.jit.trace(network.train(), torch.zeros(1, 1, 8, 8, 8), check_trace=False).save(path)
    with pytest.raises(ValueError, match=r"call eval\(\) before it is traced"):
        predict(raw(), path)


@pytest.mark.parametrize("network", [Dropped, nn.BatchNorm3d])
def test_dropout_and_batch_normalisation_are_those_of_inference(network):
    module = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1), nn.BatchNorm3d(2), nn.Dropout3d())
    module.train()(torch.rand(1, 1, 8, 8, 8))
    values = predict(raw(), module, output_dtype="float32")
    given = torch.from_numpy(RAW.astype(np.float32) / 255)[None, None]
    with torch.inference_mode():
        expected = module.eval()(given)[0].numpy()
    np.testing.assert_allclose(values[:], expected, atol=1e-5)


NETWORKS = """
import torch

class Random(torch.nn.Conv3d):
    def __init__(self):
        super().__init__(1, 1, 3, padding=1)

class Known(Random):
    def __init__(self):
        super().__init__()
        torch.nn.init.constant_(self.weight, 1 / 27)
        torch.nn.init.zeros_(self.bias)
"""


@pytest.fixture
def networks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    Path("made_at_random.py").write_text(NETWORKS)
    yield "made_at_random"
    sys.modules.pop("made_at_random", None)


@pytest.mark.parametrize("options", OPTIONS, ids=["found", "halo", "blend"])
def test_a_class_without_weights_is_not_stored_but_where_it_brings_them(networks, near, options):
    """Each worker process would make a network of its own."""
    options = {"output_range": (-2, 2), **options}
    with pytest.raises(ValueError, match=r"made_at_random:Random has random weights .* weights="):
        predict(raw(), f"{networks}:Random", **options).to_zarr("a.zarr/p", client=near)
    volume = predict(raw(), f"{networks}:Known", **options)
    volume.to_zarr("a.zarr/p", client=near, progress=False)
    np.testing.assert_array_equal(open_volume("a.zarr/p")[:], volume[:])


def test_random_weights_are_the_same_in_each_process_and_leave_the_users_numbers(networks):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    one = predict(raw(), f"{networks}:Random", output_dtype="float32")[:]
    assert torch.equal(torch.rand(4), expected)
    from dask_blockwise.prediction import modules

    again = modules.module_of(modules.ModelSource.of(f"{networks}:Random"))
    with torch.inference_mode():
        other = again(torch.from_numpy(RAW.astype(np.float32) / 255)[None, None])
    np.testing.assert_allclose(one, other[0].numpy(), atol=1e-6)


class Classes(nn.Module):
    def forward(self, x):
        return (x > 0.5).long()


@pytest.mark.parametrize("augment", ["flips", "rot90"])
def test_no_mean_is_taken_of_turned_classes(augment):
    with pytest.raises(ValueError, match="of which no mean can be taken"):
        predict(raw(), Classes(), augment=augment)


class Halved(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 1, 3, padding=1)

    def forward(self, x):
        return self.conv(x.half())


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_why_a_network_takes_nothing_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"Half.*nothing in it may need another type"):
        predict(raw(), Halved())
    torch.jit.script(Halved()).save(tmp_path / "net.pt")
    with pytest.raises(ValueError, match=r"RuntimeError: .*Half"):
        predict(raw(), tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("w.pt", b"", "is empty"),
        ("w.npz", b"", "is empty"),
        ("w.pt", b"PK\x03\x04 cut off", "is cut off"),
        ("w.npz", b"abc", "is no file of weights"),
        ("w.safetensors", b"\x02\0\0\0\0\0\0\0{}", "is no file of weights"),
    ],
)
def test_files_without_weights(networks, name, content, said):
    Path(name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        predict(raw(), f"{networks}:Known", weights=name)


def test_what_is_given_as_a_network_and_is_none(networks):
    with pytest.raises(FileNotFoundError, match="that of a file"):
        predict(raw(), f"{networks}:Known", weights=".")
    with pytest.raises(TypeError, match="load_state_dict them into the network") as found:
        predict(raw(), nn.Conv3d(1, 64, 3).state_dict())
    assert len(str(found.value)) < 300
    with pytest.raises(ValueError, match=r"class that it has, 'made_at_random:Net' with"):
        predict(raw(), "made_at_random.py")
    Path("rdf.yaml").touch()
    with pytest.raises(ValueError, match=r"folder of a bioimage\.io model, '\.'"):
        predict(raw(), "rdf.yaml")
