"""Stages over a real volume, stored by any workers in any blocks, equal those of it in memory."""

import logging
import random

import numpy as np
import pytest
import tifffile
import torch
from distributed import Client, LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from torch import nn

import dask_blockwise as dbw
from dask_blockwise import Volume
from dask_blockwise.engine.frontier import Frontier

SHAPE = (20, 36, 40)
# Small tests on a busy machine: threads would wait for one another.
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def raw(data):
    """A crop of FIB-25."""
    return tifffile.imread(data / "fib25/raw.tif")[tuple(slice(40, 40 + n) for n in SHAPE)]


@pytest.fixture(scope="module", params=[1, 3])
def workers(request):
    """A cluster of so many processes."""
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": logging.ERROR}
    with LocalCluster(n_workers=request.param, **options) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv3d(4, 3, 3, padding=1))


@pytest.fixture
def shuffled(monkeypatch):
    """Blocks of a batch run in any order."""
    take = Frontier.take

    def anyhow(self, task, count):
        numbers = take(self, task, count)
        random.shuffle(numbers)
        return numbers

    monkeypatch.setattr(Frontier, "take", anyhow)


def same_partition(one, other):
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return len(pairs[0]) == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


@pytest.mark.usefixtures("shuffled")
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    block=st.tuples(*(st.integers(15, n) for n in SHAPE)),
    zarr_format=st.sampled_from([2, 3]),
)
def test_stored_equals_in_memory(tmp_path_factory, raw, workers, network, block, zarr_format):
    folder = tmp_path_factory.mktemp("law") / "a.zarr"
    options = {"block_shape": block, "zarr_format": zarr_format}
    volume = Volume.from_array(raw, chunks=(16, 16, 16))
    predicted = dbw.predict(volume, network, output_dtype="float32")
    predicted = predicted.checkpoint(folder / "predicted", **options)
    run = {"client": workers, "progress": False} | options
    dbw.argmax(predicted).to_zarr(folder / "classes", **run)
    mask = dbw.threshold(volume, 120)
    objects = dbw.relabel(dbw.connected_components(mask), match="touch")
    mask.to_zarr(folder / "mask", **run)
    objects.to_zarr(folder / "objects", **run)

    found = {
        name: dbw.open_volume(folder / name)[:]
        for name in ("predicted", "classes", "mask", "objects")
    }
    with torch.inference_mode():
        whole = network(torch.from_numpy(raw[None, None].astype(np.float32) / 255))[0].numpy()
    np.testing.assert_allclose(found["predicted"], whole, atol=1e-5)
    np.testing.assert_array_equal(found["classes"], found["predicted"].argmax(0))
    np.testing.assert_array_equal(found["mask"], raw > 120)
    assert same_partition(found["objects"], label(raw > 120)[0])
