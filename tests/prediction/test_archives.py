"""Files that would leave a trace when they are loaded, and leave none."""

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from dask_blockwise import Volume, predict
from dask_blockwise.demo.unet import UNet
from dask_blockwise.prediction.model_source import ModelSource
from dask_blockwise.prediction.networks import load

torch.set_num_threads(1)
ARGUMENTS = {"in_channels": 1, "out_channels": 1, "kernel_size": 1}


class Trace:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.fixture
def trace(tmp_path):
    """A file that is not there, and must not be afterwards."""
    path = tmp_path / "trace"
    yield path
    assert not path.exists()


def exported(path, net=None):
    torch.export.save(torch.export.export(net or nn.ReLU(), (torch.zeros(1, 1, 8, 8),)), path)
    return path


def rewritten(path, change):
    """The archive, with what a function makes of each member."""
    with zipfile.ZipFile(path) as archive:
        members = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def with_inputs(path, trace):
    """Pickled inputs of which one is a trace."""
    file = io.BytesIO()
    torch.save(Trace(trace), file)
    rewritten(exported(path), lambda n, c: file.getvalue() if n.endswith("model.pt") else c)


def with_plain_pickle(path, trace):
    pickled = pickle.dumps(Trace(trace), protocol=0)
    rewritten(exported(path), lambda n, c: pickled if n.endswith("model.pt") else c)


def with_weight(path, trace):
    """A weight that the archive has unpickled."""
    pickled = pickle.dumps(Trace(trace), protocol=0)

    def change(name, content):
        if name.endswith("weights_config.json"):
            return content.replace(b'"use_pickle": false', b'"use_pickle": true')
        return pickled if name.endswith("weight_0") else content

    rewritten(exported(path, nn.Conv2d(1, 1, 3)), change)


def in_program(change):
    """Something in the description of the program."""

    def write(path, trace):
        def changed(name, content):
            if not name.endswith("models/model.json"):
                return content
            program = json.loads(content)
            change(program, f"__import__('pathlib').Path({str(trace)!r}).touch()")
            return json.dumps(program)

        rewritten(exported(path), changed)

    return write


def as_guard(program, code):
    program["guards_code"] = [f"{code} is None"]


def as_function(program, code):
    program["graph_module"]["graph"]["nodes"][0]["target"] = "torch.hub.os.system"


def as_library(path, trace):
    with zipfile.ZipFile(exported(path), "a") as archive:
        archive.writestr("net/data/aotinductor/model/net.so", b"")


class Saving(nn.Module):
    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x):
        torch.save(x, self.path)
        return x


class Mapping(nn.Module):
    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def forward(self, x):
        return x + torch.from_file(self.path, True, 8).sum()


def scripted(kind):
    def write(path, trace):
        with pytest.warns(DeprecationWarning, match="torch.jit"):
            torch.jit.script(kind(str(trace))).save(str(path))

    return write


def pickled(path, trace):
    path.write_bytes(pickle.dumps(Trace(trace)))


def saved(path, trace):
    torch.save(Trace(trace), path)


def packaged(path, trace):
    with torch.package.PackageExporter(path) as exporter:
        exporter.save_pickle("model", "model.pkl", nn.ReLU())


def compressed(path, trace):
    joblib = pytest.importorskip("joblib")
    joblib.dump(Trace(trace), path, compress=3)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (with_inputs, "unpickles what is no tensor"),
        (with_plain_pickle, "unpickles what is no tensor"),
        (with_weight, "unpickles what is no tensor"),
        (in_program(as_guard), "it has .* evaluated"),
        (in_program(as_function), "it has 'torch.hub.os.system' evaluated"),
        (as_library, "compiled code"),
        (scripted(Saving), r"reads or writes files \(torch.save\)"),
        (scripted(Mapping), r"reads or writes files \(torch.from_file\)"),
        (pickled, "neither TorchScript nor torch.export"),
        (saved, "neither TorchScript nor torch.export"),
        (packaged, "neither TorchScript nor torch.export"),
        (compressed, "neither TorchScript nor torch.export"),
    ],
)
def test_a_file_that_would_run_code_is_refused(write, message, tmp_path, trace):
    path = tmp_path / "net.pt2"
    write(path, trace)
    with pytest.raises(ValueError, match=f"(?s){message}.*trust=True"):
        predict(Volume.from_array(np.zeros((8, 8), np.float32)), path)


def test_a_size_that_would_run_code_is_refused(tmp_path, trace):
    path = tmp_path / "net.pt2"
    wide = torch.export.Dim("wide", min=4, max=99)
    program = torch.export.export(
        nn.ReLU(), (torch.zeros(1, 1, 8, 8),), dynamic_shapes=({2: wide},)
    )
    torch.export.save(program, path)
    code = f"__import__('pathlib').Path('{trace}').touch()".encode()

    def change(name, content):
        start = content.find(b'"expr_str": "') + 13
        end = content.find(b'"', start)
        return content[:start] + code + content[end:] if start > 12 else content

    rewritten(path, change)
    with pytest.raises(ValueError, match=r"it has .* evaluated.*trust=True"):
        predict(Volume.from_array(np.zeros((8, 8), np.float32)), path)


def test_what_is_trusted_is_loaded(tmp_path):
    path = tmp_path / "net.pt2"
    scripted(Saving)(path, tmp_path / "trace")
    volume = Volume.from_array(np.zeros((8, 8), np.float32))
    predict(volume, path, trust=True, output_dtype="float32")
    assert (tmp_path / "trace").exists()


@pytest.mark.parametrize("dynamic", [False, True])
def test_plain_archives_need_no_trust(tmp_path, dynamic):
    auto = dict.fromkeys((2, 3, 4), torch.export.Dim.AUTO)
    options = {"dynamic_shapes": {"x": auto}} if dynamic else {}
    net = UNet(1, 2, (2, 3)).eval()
    program = torch.export.export(net, (torch.zeros(1, 1, 16, 16, 16),), **options)
    torch.export.save(program, tmp_path / "net.pt2")
    assert ModelSource.of(tmp_path / "net.pt2").kind == "export"


@pytest.mark.parametrize("name", ["w.npz", "w.pt"])
def test_weights_that_would_run_code_are_refused(name, tmp_path, trace):
    path = tmp_path / name
    if name == "w.npz":
        np.savez(path, weight=np.array([Trace(trace)], object))
    else:
        torch.save({"weight": Trace(trace)}, path)
    with pytest.raises(ValueError, match="would run code on loading"):
        load(ModelSource.of("torch.nn:Conv2d", path, ARGUMENTS))


@pytest.mark.parametrize("kind", ["above", "absolute", "url", "link"])
def test_weights_outside_of_a_folder_are_refused(kind, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "w.pt").touch()
    source = {
        "above": "../w.pt", "absolute": str(tmp_path / "w.pt"),
        "url": "https://example.org/w.pt", "link": "link.pt",
    }[kind]  # fmt: skip
    if kind == "link":
        (folder / "link.pt").symlink_to(tmp_path / "w.pt")
    described = {"inputs": [{}], "outputs": [{}], "weights": {"torchscript": {"source": source}}}
    (folder / "rdf.yaml").write_text(yaml.safe_dump(described))
    with pytest.raises(ValueError, match="which lie outside of it"):
        predict(Volume.from_array(np.zeros((8, 8))), folder)
