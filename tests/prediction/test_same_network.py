"""Which edits of a network, and of its weights, make another computation of a prediction."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dask_blockwise as dbw
from dask_blockwise import OutputChanged, Volume

NET = """
import torch
{between}
class Net(torch.nn.Module):
    {doc}
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Conv3d(1, 2, 3, padding=1)

    def forward(self, x):
        return self.last(x){more}
"""


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """A module with a network, edited and imported anew."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def edited(between: str = "", doc: str = "'''A network.'''", more: str = "") -> Any:
        Path("net_of_mine.py").write_text(NET.format(between=between, doc=doc, more=more))
        importlib.invalidate_caches()
        sys.modules.pop("net_of_mine", None)
        return importlib.import_module("net_of_mine").Net

    yield edited
    sys.modules.pop("net_of_mine", None)


@pytest.fixture
def stored(near: Any) -> Callable[..., int]:
    """How many blocks a prediction ran."""
    values = np.random.default_rng(0).random((8, 8, 8)).astype(np.float32)
    raw = Volume.from_array(values, chunks=(4, 8, 8))

    def predicted(model: Any = "net_of_mine:Net", **options: Any) -> int:
        prediction = dbw.predict(raw, model, output_dtype="float32", **options)
        summary = prediction.to_zarr("out.zarr/p", client=near, progress=False)
        return int(summary["p"].completed)

    return predicted


def save(network: Any, seed: int) -> None:
    torch.manual_seed(seed)
    torch.save(network().state_dict(), "weights.pt")


def test_weights_are_known_by_their_content(network, stored):
    net = network()
    save(net, 0)
    assert stored(weights="weights.pt") == 2
    os.utime("weights.pt")
    assert stored(weights="weights.pt") == 0
    before = Path("weights.pt").stat()
    save(net, 1)
    os.utime("weights.pt", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Path("weights.pt").stat().st_size == before.st_size
    with pytest.raises(OutputChanged, match="weights"):
        stored(weights="weights.pt")
    save(net, 0)
    assert stored(weights="weights.pt") == 0


def test_a_class_is_known_by_what_it_does(network, stored):
    save(network(), 0)
    stored(weights="weights.pt")
    network(between="\n\nOTHER = 1\n", doc="'''Said in other words.'''")
    assert stored(weights="weights.pt") == 0
    network(more=" + 1")
    with pytest.raises(OutputChanged, match=r"class Net in net_of_mine.py: method forward changed"):
        stored(weights="weights.pt")


def test_a_module_is_known_by_both(network, stored):
    net = network()
    torch.manual_seed(0)
    module = net()
    assert stored(module) == 2
    other = net()
    other.load_state_dict(module.state_dict())
    assert stored(other) == 0
    with pytest.raises(OutputChanged, match="values changed"):
        stored(net())
