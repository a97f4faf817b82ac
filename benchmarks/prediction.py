"""Predicting on two cores from zarr to zarr, beside two bare processes that only run the network.

    python benchmarks/prediction.py                 # 8 blocks of 128^3
    python benchmarks/prediction.py 64              # of so many voxels along each axis
    python benchmarks/prediction.py 128 cpu         # by torch, not by OpenVINO

The network is the one that comes along for fib25. Each of the bare processes has one thread and its
input in memory, as large as a block needs, and takes bytes back: it neither reads, nor normalises,
nor writes. Figures are the best of some rounds, in turn.
"""

from __future__ import annotations

import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import zarr
from distributed import Client

import dask_blockwise as dbw
from dask_blockwise.demo.samples import FIB25
from dask_blockwise.demo.unet import UNet

BLOCKS, ROUNDS = 8, 2


def forwards(seen: int, block: int) -> float:
    """Seconds that a bare process takes over half of the blocks, its start aside."""
    torch.set_num_threads(1)
    network = UNet(1, len(FIB25.channels), FIB25.features)
    network.load_state_dict(torch.load(FIB25.weights))
    module, inputs = network.eval(), torch.rand(1, 1, *(seen,) * 3)
    begin = time.perf_counter()
    with torch.inference_mode():
        for _ in range(BLOCKS // 2):
            inside = module(inputs).sigmoid()[..., :block, :block, :block]
            (inside * 255).round().byte()
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and print the ratio."""
    block = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    device = sys.argv[2] if len(sys.argv) > 2 else "fastest"
    options = FIB25.options | {"block_shape": (block,) * 3, "device": device}
    with (
        tempfile.TemporaryDirectory() as name,
        # Before the cluster, whose settings for workers it would inherit.
        get_context("spawn").Pool(2) as pool,
        dbw.local_cluster(n_workers=2) as cluster,
        Client(cluster) as client,
    ):
        values = np.random.default_rng(0).integers(0, 255, (2 * block,) * 3, np.uint8)
        zarr.create_array(f"{name}/raw", data=values, chunks=(block,) * 3)
        volume = dbw.predict(dbw.open_volume(f"{name}/raw"), **options)
        low, high, _ = volume.source.tilings[0].read(block, 2 * block)

        def ours() -> float:
            begin = time.perf_counter()
            where = Path(name, "out.zarr/p")
            volume.to_zarr(where, client=client, progress=False, overwrite=True)
            return time.perf_counter() - begin

        def bare() -> float:
            calls = [pool.apply_async(forwards, (high - low, block)) for _ in range(2)]
            return max(call.get() for call in calls)

        ours()  # which starts what workers need
        here, there = np.min([[ours(), bare()] for _ in range(ROUNDS)], axis=0)
    print(
        f"{BLOCKS} blocks of {block}^3, inputs of {high - low}^3, device={device!r}: {here:.2f} s"
    )
    print(f"    {there / here:5.2f} times as fast as two bare processes ({there:.2f} s)")


if __name__ == "__main__":
    main()
