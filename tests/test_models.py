"""All the ways in which networks are stored."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn

from dask_blockwise.models import ModelSource, infer, load
from dask_blockwise.unet import UNet

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
    name = "dask_blockwise.unet:UNet"
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


def test_models_that_cannot_be_loaded(tmp_path):
    torch.save(nn.ReLU(), tmp_path / "whole.pt")
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="trust=True"):
        ModelSource.of(tmp_path / "whole.pt")
    with pytest.raises(TypeError, match="holds a dict"):
        ModelSource.of(tmp_path / "weights.pt", trust=True)
    with pytest.raises(FileNotFoundError, match="no model at"):
        ModelSource.of(tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError, match="no weights at"):
        ModelSource.of("dask_blockwise.unet:UNet", tmp_path / "none.pt")


def test_other_weights_at_the_same_path_are_another_model(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, a=np.zeros(1))
    before = ModelSource.of("dask_blockwise.unet:UNet", path)
    np.savez(path, a=np.zeros(2))
    assert ModelSource.of("dask_blockwise.unet:UNet", path) != before
