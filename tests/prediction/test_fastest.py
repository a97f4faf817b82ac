"""Whether OpenVINO runs a network in place of torch."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dask_blockwise import Volume, predict
from dask_blockwise.prediction.model_source import ModelSource
from dask_blockwise.prediction.networks import infer

pytest.importorskip("openvino")
torch.set_num_threads(1)
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is faster")
RAW = np.random.default_rng(0).random((10, 20, 22)).astype(np.float32)
OPTIONS = {"device": "fastest", "output_dtype": "float32"}


class Odd(nn.Module):
    """Computes otherwise as it is traced."""

    def forward(self, x):
        return x + 0.01 * torch.jit.is_tracing()


class TwoOutputs(nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize("make", [nn.Conv3d, nn.Conv2d], ids=["3-D", "planes"])
def test_what_gives_the_same_is_run_by_openvino(make):
    torch.manual_seed(0)
    network = nn.Sequential(make(1, 4, 3, padding=1), nn.ReLU(), make(4, 2, 3, padding=1))
    volume = Volume.from_array(RAW, chunks=(10, 10, 22))
    fast = predict(volume, network, **OPTIONS)
    assert fast.source.network.device == "openvino"
    slow = predict(volume, network, **OPTIONS | {"device": "cpu"})
    np.testing.assert_allclose(fast[:], slow[:], atol=1e-5)


@pytest.mark.parametrize(
    ("network", "options", "says"),
    [
        (Odd(), {}, "its values differ by 0.01"),
        (TwoOutputs(), {"output": 0}, "one of several outputs"),
        (nn.ReLU(), {"precision": "bfloat16"}, "are torch's"),
    ],
    ids=["other values", "outputs", "precision"],
)
def test_what_does_not_is_run_by_torch_and_told(caplog, network, options, says):
    caplog.set_level("WARNING")
    made = predict(Volume.from_array(RAW), network, **OPTIONS, **options)
    assert made.source.network.device == "cpu"
    assert says in caplog.text


def test_without_openvino_torch_runs(caplog, monkeypatch):
    caplog.set_level("WARNING")
    monkeypatch.setattr("dask_blockwise.prediction.fastest.find_spec", lambda name: None)
    assert predict(Volume.from_array(RAW), nn.ReLU(), **OPTIONS).source.network.device == "cpu"
    assert "isn't installed" in caplog.text


class Counting(nn.Module):
    """Notes in a file each time that torch runs it."""

    def __init__(self, notes):
        super().__init__()
        self.notes = notes

    def forward(self, x):
        with self.notes.open("a") as notes:
            notes.write("run ")
        return x + 1


def test_torch_runs_it_once_to_have_it_traced(tmp_path):
    source = ModelSource.of(Counting(tmp_path / "notes.txt"))
    for _ in range(2):
        infer(source, np.zeros((1, 1, 4, 4), np.float32), "openvino")
    assert (tmp_path / "notes.txt").read_text() == "run "


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system doesn't tell")
def test_its_threads_are_tied_to_no_core():
    network, array = ModelSource.of(nn.Conv2d(1, 8, 5)), np.zeros((1, 1, 1000, 1000), np.float32)
    infer(network, array, "openvino")  # as it compiles, it looks at each core
    seen, over = set(), threading.Event()

    def look():
        while not over.is_set():
            for thread in Path("/proc/self/task").iterdir():
                with suppress(OSError):  # it has ended
                    seen.add(frozenset(os.sched_getaffinity(int(thread.name))))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(10):
            infer(network, array, "openvino")
    finally:
        over.set()
        looking.join()
    assert seen == {frozenset(os.sched_getaffinity(0))}


class Replacing(nn.Module):
    """Which OpenVINO doesn't have."""

    def forward(self, x):
        return torch.nan_to_num(x)


def test_what_openvino_cannot_run_is_refused_at_once():
    with pytest.raises(ValueError, match="give device='fastest'"):
        predict(Volume.from_array(RAW), Replacing(), **OPTIONS | {"device": "openvino"})
    predict(Volume.from_array(RAW), nn.ReLU(), **OPTIONS | {"device": "openvino"})
