"""Predicting on a GPU from zarr to zarr, beside a bare loop that only feeds the network.

    python -m benchmarks.gpu                       # as wide as the network that comes along
    python -m benchmarks.gpu --features 48 96 192  # a larger one of the same kind
    python -m benchmarks.gpu --device cpu --size 128

The bare loop is one process with every input in memory, ready: it sends one to the device, runs the
network and a sigmoid, and takes bytes back. It neither reads, nor normalises, nor writes. Ours is
one worker process of as many threads as are named, each with a block of its own, so that reads,
copies and writes go on while the GPU computes. Figures are the best of some rounds, in turn.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import zarr
from distributed import Client

import dask_blockwise as dbw
from dask_blockwise.demo.samples import FIB25
from dask_blockwise.demo.unet import UNet

BLOCK = 128
ROUNDS = 2


def bare(module: torch.nn.Module, inputs: torch.Tensor, blocks: int, device: str) -> float:
    """Seconds that the loop takes over as many blocks."""
    begin = time.perf_counter()
    with torch.inference_mode():
        for n in range(blocks):
            outputs = module(inputs[n % len(inputs)].to(device)).sigmoid()
            inside = outputs[..., :BLOCK, :BLOCK, :BLOCK]
            (inside * 255).round().byte().cpu()
    return time.perf_counter() - begin


def ours(volume: dbw.Volume, folder: Path, client: Client) -> float:
    """Seconds that a run takes."""
    begin = time.perf_counter()
    volume.to_zarr(folder / "out.zarr/p", block_shape=(BLOCK,) * 3, client=client, progress=False)
    passed = time.perf_counter() - begin
    shutil.rmtree(folder / "out.zarr")
    return passed


def main() -> None:
    """Print how fast we are by numbers of threads."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--features", type=int, nargs="*", default=FIB25.features)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--threads", type=int, nargs="*", default=(1, 2, 4))
    given = parser.parse_args()
    torch.manual_seed(0)
    network = UNet(1, len(FIB25.channels), given.features)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        coarse = np.random.default_rng(0).integers(0, 255, (given.size // 4,) * 3, np.uint8)
        values = np.repeat(np.repeat(np.repeat(coarse, 4, 0), 4, 1), 4, 2)
        zarr.create_array(folder / "raw", data=values, chunks=(BLOCK,) * 3)
        raw = dbw.open_volume(folder / "raw")
        volume = dbw.predict(raw, network, activation="sigmoid", device=given.device)
        blocks = (given.size // BLOCK) ** 3
        tiling = volume.source.tilings[0]
        low, high, _ = tiling.read(BLOCK, 2 * BLOCK)
        module = network.eval().to(given.device)
        inputs = torch.rand(4, 1, 1, *(high - low,) * 3)
        kind = torch.cuda.get_device_name() if given.device == "cuda" else "CPU"
        print(f"{blocks} blocks of {BLOCK}^3, inputs of {high - low}^3, on {kind}", flush=True)
        bare(module, inputs, 4, given.device)
        for threads in given.threads:
            on_gpu = {"gpus": 1} if given.device == "cuda" else {"workers": 1}
            with (
                dbw.cluster("local", cores=threads, **on_gpu) as cluster,
                Client(cluster) as client,
            ):
                ours(volume, folder, client)
                rounds = [
                    (ours(volume, folder, client), bare(module, inputs, blocks, given.device))
                    for _ in range(ROUNDS)
                ]
            here, loop = np.min(rounds, axis=0)
            each, alone = here / blocks * 1000, loop / blocks * 1000
            print(
                f"{threads} threads: {loop / here:.2f} of the bare loop's rate, {each:.1f} ms "
                f"a block beside {alone:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
