"""All the ways in which networks are stored."""

import json
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch
from distributed import Client, LocalCluster
from torch import nn

from dask_blockwise import Volume, predict
from dask_blockwise.demo.unet import UNet
from dask_blockwise.prediction import networks
from dask_blockwise.prediction.model_source import ModelSource
from dask_blockwise.prediction.networks import infer, load

# Small tests on a busy machine: threads would wait for one another.
torch.set_num_threads(1)


def test_stored_in_every_way(tmp_path):
    torch.manual_seed(0)
    net = UNet(1, 2, (2, 3)).eval()
    image = np.random.default_rng(0).random((1, 1, 8, 8, 8), np.float32)
    state, batch = net.state_dict(), torch.zeros(2, 1, 8, 8, 8)
    torch.save({k: v.half() for k, v in state.items()}, tmp_path / "half.pth")
    np.savez(tmp_path / "w.npz", **{k: v.numpy() for k, v in state.items()})
    torch.export.save(torch.export.export(net, (batch[:1],)), tmp_path / "net.pt2")
    torch.save(net, tmp_path / "whole.pt")
    arguments = {"in_channels": 1, "out_channels": 2, "features": [2, 3]}
    name = "dask_blockwise.demo.unet:UNet"
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


@pytest.fixture
def stored(tmp_path):
    """A pickled network, weights, a file of neither, and empty archives of networks."""
    torch.save(nn.ReLU(), tmp_path / "whole.pt")
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    (tmp_path / "text.pt").write_text("no network")
    for name, mark in {"script.pt": "constants.pkl", "export.pt2": "archive_format"}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(f"net/{mark}", "")
    return tmp_path


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        ("whole.pt", {}, ValueError, "runs code that the file brings: pass trust=True"),
        ("text.pt", {}, ValueError, "neither TorchScript nor torch.export"),
        ("none.pt", {}, FileNotFoundError, "no model at"),
        ("", {}, FileNotFoundError, "no rdf.yaml"),
        ("torch.nn:ReLU", {"weights": "none.pt"}, FileNotFoundError, "no weights at none.pt"),
        ("script.pt", {"weights": "none.pt"}, ValueError, "a model that brings its own"),
        (nn.ReLU, {}, TypeError, "make an object of the class"),
        (np.tanh, {}, TypeError, "wrap a function in a module"),
        (None, {}, TypeError, "must be a torch.nn.Module, a path or"),
    ],
)
def test_models_that_are_refused(stored, model, options, error, message):
    where = stored / model if isinstance(model, str) and ":" not in model else model
    with pytest.raises(error, match=message):
        ModelSource.of(where, **options)


@pytest.mark.parametrize(
    ("model", "weights", "error", "message"),
    [
        ("weights.pt", None, TypeError, "gives a dict"),
        ("text.pt", None, ValueError, "may be cut off"),
        ("script.pt", None, ValueError, "may be cut off"),
        ("export.pt2", None, ValueError, "may be cut off"),
        ("collections:Counter", None, TypeError, "gives a Counter"),
        ("torch.nn:ReLU", "whole.pt", ValueError, "more than tensors and would run code"),
        ("torch.nn:ReLU", "weights.pt", ValueError, "don't fit the network ReLU"),
    ],
)
def test_models_that_cannot_be_loaded(stored, model, weights, error, message):
    where = model if ":" in model else stored / model
    source = ModelSource.of(where, weights and stored / weights, trust=True)
    with pytest.raises(error, match=message):
        load(source)


def test_other_weights_at_the_same_path_are_another_model(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.zeros(1))
    before = ModelSource.of("dask_blockwise.demo.unet:UNet", path)
    np.savez(path, a=np.zeros(2))
    assert ModelSource.of("dask_blockwise.demo.unet:UNet", path) != before


def test_two_outputs_are_refused():
    source = ModelSource.of(nn.MaxPool2d(2, return_indices=True))
    with pytest.raises(TypeError, match=r"returns a tuple \[0: .*but one tensor"):
        infer(source, np.zeros((1, 1, 4, 4), np.float32))


def test_a_network_exported_for_one_shape(tmp_path):
    net = nn.Conv2d(1, 2, 3, padding=1)
    path = tmp_path / "net.pt2"
    torch.export.save(torch.export.export(net, (torch.zeros(1, 1, 40, 48),)), path)
    raw = np.random.default_rng(0).random((60, 70), np.float32)
    prediction = predict(Volume.from_array(raw, chunks=(30, 50)), path, output_dtype="float32")
    with torch.inference_mode():
        whole = net(torch.from_numpy(raw)[None])
    blocks = prediction.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, whole, atol=1e-5)
    with pytest.raises(ValueError, match=r"exported for inputs of \(40, 48\) alone"):
        predict(Volume.from_array(raw), path, input_shape=(32, 48))


@pytest.mark.parametrize("planes", [False, True])
def test_openvino_gives_what_torch_gives(planes):
    pytest.importorskip("openvino")
    raw = Volume.from_array(np.random.default_rng(0).random((6, 10, 12), np.float32))
    net = nn.Conv2d(1, 2, 3, padding=1) if planes else UNet(1, 2, (2, 3)).eval()
    expected = predict(raw, net, output_dtype="float32")[:]
    found = predict(raw, net, output_dtype="float32", device="openvino")[:]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def write_onnx(path, net):
    """Convolutions of 3 x 3 and what lies between them, for one shape of input."""
    onnx = pytest.importorskip("onnx")
    nodes, weights = [], []
    for n, layer in enumerate(net):
        names = [f"{n}", f"w{n}", f"b{n}"]
        if isinstance(layer, nn.ReLU):
            nodes.append(onnx.helper.make_node("Relu", names[:1], [f"{n + 1}"]))
            continue
        nodes.append(onnx.helper.make_node("Conv", names, [f"{n + 1}"], pads=[1] * 4))
        for name, values in zip(names[1:], (layer.weight, layer.bias)):
            weights.append(onnx.numpy_helper.from_array(values.detach().numpy(), name))
    image, result = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (
            ("0", (1, 1, 32, 32)),
            (f"{len(net)}", (1, net[-1].out_channels, 32, 32)),
        )
    )
    graph = onnx.helper.make_graph(nodes, "net", [image], [result], weights)
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)


@pytest.mark.parametrize("folder", [False, True])
def test_onnx_gives_what_torch_gives(tmp_path, folder):
    pytest.importorskip("openvino")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 2, 3, padding=1))
    write_onnx(tmp_path / "net.onnx", net)
    described = {"inputs": [{}], "outputs": [{}], "weights": {"onnx": {"source": "net.onnx"}}}
    (tmp_path / "rdf.yaml").write_text(json.dumps(described))
    model = tmp_path if folder else tmp_path / "net.onnx"
    raw = Volume.from_array(np.random.default_rng(0).random((40, 50), np.float32), chunks=(16, 50))
    predicted = predict(raw, model, output_dtype="float32", halo=2)
    expected = predict(raw, net, output_dtype="float32")[:]
    blocks = predicted.data.compute(scheduler="synchronous")
    np.testing.assert_allclose(blocks, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "give halo="),
        ({"halo": 2, "device": "meta"}, ValueError, "run by OpenVINO on a CPU"),
        ({"halo": 2}, ValueError, "may be cut off"),
    ],
)
def test_onnx_that_cannot_be_run(tmp_path, options, error, message):
    pytest.importorskip("openvino")
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(error, match=message):
        predict(Volume.from_array(np.zeros((8, 8))), tmp_path / "net.onnx", **options)


@pytest.mark.parametrize("options", [{"halo": 2}, {"device": "openvino"}])
def test_openvino_that_is_missing_is_named(tmp_path, monkeypatch, options):
    (tmp_path / "net.onnx").write_bytes(b"no network")
    monkeypatch.setattr("dask_blockwise.prediction.openvino.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"dask_blockwise\[openvino\]"):
        predict(Volume.from_array(np.zeros((8, 8))), tmp_path / "net.onnx", **options)


class Counted(nn.Module):
    """Writes down in which process it is made."""

    def __init__(self, path):
        super().__init__()
        with Path(path).open("a") as file:
            file.write(f"{os.getpid()}\n")

    def forward(self, x):
        return x


def _threads_of_a_call(source):
    """Of torch in a block that runs alone, and afterwards in a new thread."""
    seen = []
    load(source).register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    infer(source, np.zeros((1, 1, 4, 4, 4), np.float32))
    with ThreadPoolExecutor(1) as pool:
        return seen[0], torch.get_num_threads(), pool.submit(torch.get_num_threads).result()


def test_loaded_once_a_worker_process_of_several_threads(tmp_path):
    raw = Volume.from_array(np.zeros((12, 12, 12), np.float32), chunks=(4, 4, 4))
    arguments = {"path": f"{tmp_path}/loads"}
    prediction = predict(raw, "test_networks:Counted", arguments=arguments, device="cpu")
    (tmp_path / "loads").unlink()
    with (
        LocalCluster(n_workers=1, threads_per_worker=3, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        prediction.to_zarr(tmp_path / "a.zarr/p", client=client, progress=False)
        assert client.submit(_threads_of_a_call, prediction.source.network.model).result() == (
            3,
            1,
            1,
        )
    loads = (tmp_path / "loads").read_text().split()
    assert len(loads) == 1
    assert int(loads[0]) != os.getpid()


class Watching(nn.Module):
    """Says how many threads torch has, once it runs three times at once."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.entered = threading.Semaphore(0)
        self.all = threading.Barrier(3)

    def forward(self, x):
        self.seen.append(torch.get_num_threads())
        self.entered.release()
        self.all.wait(10)
        return x


@pytest.fixture
def watching(monkeypatch):
    source, network = ModelSource.of(nn.Hardswish()), Watching()
    monkeypatch.setitem(networks._loaded, (source, "cpu", "", ()), network)
    yield source, network
    torch.set_num_threads(1)


def test_torch_threads_are_shared_and_restored(watching):
    source, network = watching
    image = np.zeros((1, 1, 4, 4), np.float32)
    torch.set_num_threads(4)
    calls = []
    with ExitStack() as stack:
        # Each thread is new to torch, and begins with what the one before has set.
        pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(3)]
        for pool in pools:
            calls.append(pool.submit(infer, source, image))
            assert network.entered.acquire(timeout=10)
        for call in calls:
            call.result()
        assert [pool.submit(torch.get_num_threads).result() for pool in pools] == [4, 4, 4]
    assert network.seen == [4, 2, 1]
    assert torch.get_num_threads() == 4


WITHOUT_TORCH = """
import sys
import numpy as np
import dask_blockwise as dbw
volume = dbw.Volume.from_array(np.random.rand(2, 4, 4, 4), chunks=(2, 2, 2, 2))
dbw.argmax(volume)[:]
fragments = dbw.connected_components(dbw.threshold(dbw.Volume.from_array(np.eye(4)), 0.5))
fragments[:]
dbw.relabel(fragments, match="touch")
heavy = {"torch", "matplotlib", "openvino"}
# Which dask imports by itself, where it is installed, and pandas with it.
heavy |= set() if "xarray" in sys.modules else {"pandas"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


def test_torch_is_imported_by_predict_alone(tmp_path):
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True, cwd=tmp_path, timeout=120)
