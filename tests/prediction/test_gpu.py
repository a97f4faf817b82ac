"""Prediction on a real GPU, where there is one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from distributed import Client

import dask_blockwise as dbw
from dask_blockwise.demo.unet import UNet

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

VALUES = np.random.default_rng(0).integers(0, 256, (72, 80, 88), np.uint8)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return UNet(1, 3, (4, 8)).eval()


def raw() -> dbw.Volume:
    return dbw.Volume.from_array(VALUES, chunks=(24, 40, 88))


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "tanh"])
def test_a_gpu_gives_what_a_cpu_gives(network: torch.nn.Module, activation: str) -> None:
    options = {"activation": activation, "output_dtype": "float32"}
    here, there = (
        dbw.predict(raw(), network, device=device, **options)[:] for device in ("cpu", "auto")
    )
    # Tensor cores round to 10 bits.
    np.testing.assert_allclose(there, here, atol=5e-3)
    assert there.dtype == np.float32


def test_bytes_are_those_of_a_cpu_but_for_rounding(network: torch.nn.Module) -> None:
    here, there = (
        dbw.predict(raw(), network, activation="sigmoid", device=device)[:].astype(int)
        for device in ("cpu", "cuda")
    )
    assert abs(there - here).max() <= 2
    assert (there != here).mean() < 0.1


def test_blocks_equal_the_whole(network: torch.nn.Module, tmp_path: Path, near: Client) -> None:
    volume = dbw.predict(raw(), network, output_dtype="float32", device="cuda")
    volume.to_zarr(tmp_path / "a.zarr/p", block_shape=(24, 40, 44), client=near, progress=False)
    image = torch.from_numpy(VALUES.astype(np.float32) / 255)[None, None].cuda()
    with torch.inference_mode():
        whole = network.cuda()(image)[0].cpu().numpy()
    network.cpu()
    np.testing.assert_allclose(dbw.open_volume(tmp_path / "a.zarr/p")[:], whole, atol=5e-3)


def test_what_bytes_cannot_stand_for_is_refused(network: torch.nn.Module) -> None:
    with pytest.raises(ValueError, match="uint8 stands for"):
        dbw.predict(raw(), network, output_range=(0, 1e-6), device="cuda")[:]


class Hungry(torch.nn.Module):
    """Takes a gigabyte for each input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        torch.empty(len(x) << 30, dtype=torch.uint8, device=x.device)
        return x


def test_a_batch_without_memory_is_halved(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING")
    total = torch.cuda.mem_get_info()[1]
    options = {"device": "cuda", "input_shape": (16, 16, 16), "halo": 0, "batch": 4}
    volume = dbw.predict(raw(), Hungry(), output_dtype="float32", **options)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((3 << 30) / total)
    try:
        values = volume[:]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    np.testing.assert_allclose(values[0], VALUES / np.float32(255), atol=1e-6)
    assert caplog.text.count("no memory for a batch of 4 inputs") == 1


def _device_and_process() -> tuple[str, int, int]:
    return os.environ["CUDA_VISIBLE_DEVICES"], torch.cuda.device_count(), os.getpid()


def test_a_worker_has_the_gpu_for_itself_and_the_next_one_takes_it_over(
    network: torch.nn.Module, tmp_path: Path
) -> None:
    volume = dbw.predict(raw(), network, activation="sigmoid", device="cuda")
    with dbw.cluster("local", gpus=1) as cluster, Client(cluster) as client:
        ((device, count, process),) = client.run(_device_and_process).values()
        assert (device, count) == ("0", 1)
        os.kill(process, signal.SIGKILL)
        assert volume.to_zarr(tmp_path / "a.zarr/p", client=client, progress=False)
        ((device, count, other),) = client.run(_device_and_process).values()
    assert (device, count) == ("0", 1)
    assert other != process
    stored = dbw.open_volume(tmp_path / "a.zarr/p")[:].astype(int)
    assert abs(stored - volume[:]).max() <= 1
