"""Weights under other names than the network's, or within a checkpoint."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from dask_blockwise.prediction.model_source import ModelSource
from dask_blockwise.prediction.networks import load

ARGUMENTS = {"in_channels": 1, "out_channels": 2, "kernel_size": 3}
NAME = "torch.nn:Conv2d"
STATE = nn.Conv2d(**ARGUMENTS).state_dict()


def named(prefix):
    return {f"{prefix}{name}": value for name, value in STATE.items()}


def loaded(path, checkpoint):
    torch.save(checkpoint, path)
    return load(ModelSource.of(NAME, path, ARGUMENTS)).state_dict()


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (named(""), ""),
        (named("module."), "names that begin with 'module.'"),
        (named("_orig_mod."), "names that begin with '_orig_mod.'"),
        (named("module._orig_mod."), "names that begin with 'module._orig_mod.'"),
        ({"epoch": 3, "state_dict": named("model.")}, "['state_dict'], of names that begin with"),
        ({"model": STATE, "optimizer": {"state": {0: {"exp_avg": torch.zeros(1)}}}}, "['model']"),
        ({"model_state_dict": STATE}, "['model_state_dict']"),
        ({"a": {"b": named("net.")}}, "['a']['b']"),
        (named("model.") | {"loss.weight": torch.zeros(1)}, "names that begin with 'model.'"),
    ],
)
def test_weights_are_recognised_by_their_names(tmp_path, caplog, checkpoint, message):
    with caplog.at_level(logging.INFO, "dask_blockwise"):
        found = loaded(tmp_path / "w.pt", checkpoint)
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)
    assert message in caplog.text
    assert bool(caplog.text) == bool(message)


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (
            named("model.") | named("ema."),
            r"2 times, in .*'ema\.'; in .*'model\.'.*the ones that you",
        ),
        (
            {"model": STATE, "ema": STATE},
            r"2 times, in checkpoint\['model'\]; in checkpoint\['ema'",
        ),
        ({"state_dict": {"weight": STATE["weight"]}}, "don't fit the network Conv2d"),
        ([1, 2], "don't fit the network Conv2d"),
    ],
)
def test_weights_that_are_not_clear_are_refused(tmp_path, checkpoint, message):
    with pytest.raises(ValueError, match=message):
        loaded(tmp_path / "w.pt", checkpoint)


def test_arrays_of_other_names(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, **{name: value.numpy() for name, value in named("module.").items()})
    found = load(ModelSource.of(NAME, path, ARGUMENTS)).state_dict()
    assert torch.equal(found["bias"], STATE["bias"])


def test_weights_and_networks_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    torch.save(STATE, tmp_path / "w.pt")
    torch.save(nn.Conv2d(**ARGUMENTS), tmp_path / "network.pt")
    assert torch.equal(
        load(ModelSource.of(NAME, "~/w.pt", ARGUMENTS)).state_dict()["weight"], STATE["weight"]
    )
    assert ModelSource.of("~/network.pt", trust=True).where == str(tmp_path / "network.pt")
