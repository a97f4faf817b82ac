"""What workers held at most, beside what ``plan()`` had promised of their arrays.

    python benchmarks/worker_memory.py            # 128^3 and 256^3
    python benchmarks/worker_memory.py 128 512    # so many voxels along each axis

Each stage is stored from zarr to zarr in blocks of 64 voxels, on two fresh workers. The promise is
what a worker has before its first block, the cache of decoded chunks (256 MB), and the arrays that
the plan says; what libraries load meanwhile, and what functions allocate, is what comes on top.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zarr
from distributed import Client
from scipy.ndimage import gaussian_filter

import dask_blockwise as dbw

BLOCK, HALO = 64, 8
CACHE = 256e6
Stage = Callable[[dbw.Volume], dbw.Volume]


def smooth(volume: dbw.Volume) -> dbw.Volume:
    """A Gaussian that sees a halo."""
    return dbw.map_overlap(gaussian_filter, volume, halo=HALO, sigma=2)


STAGES: dict[str, Stage] = {
    "threshold": lambda volume: dbw.threshold(volume, 0.5),
    "gaussian": smooth,
    "gaussian, then threshold": lambda volume: dbw.threshold(smooth(volume), 0.5),
    "connected components": lambda volume: dbw.relabel(
        dbw.connected_components(dbw.threshold(smooth(volume), 0.5))
    ),
}


def measure(stage: Stage, source: Path, target: Path) -> tuple[float, float]:
    """Bytes that a worker held, and that were promised, each where they were most."""
    volume = stage(dbw.open_volume(source, stands_for=None))
    with dbw.local_cluster(n_workers=2) as cluster, Client(cluster) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        before = max(worker["metrics"]["memory"] for worker in workers)
        promised = before + CACHE + volume.plan(block_shape=(BLOCK,) * 3).worker_bytes
        summary = volume.to_zarr(
            target, client=client, progress=False, block_shape=(BLOCK,) * 3, overwrite=True
        )
    return max(task.peak_memory for task in summary.tasks), promised


def main() -> None:
    """Print a line a stage and size, and the worst of all."""
    sizes = list(map(int, sys.argv[1:])) or [128, 256]
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in sizes:
            values = np.random.default_rng(0).random((size,) * 3, np.float32)
            source = folder / f"raw{size}"
            zarr.create_array(source, data=values, chunks=(BLOCK,) * 3)
            for title, stage in STAGES.items():
                held, promised = measure(stage, source, folder / "out.zarr/x")
                worst = max(worst, held / promised)
                print(
                    f"{title}, {size}^3: a worker held {held / 1e6:.0f} MB of "
                    f"{promised / 1e6:.0f} MB promised, {held / promised:.2f}",
                    flush=True,
                )
    print(f"at most {worst:.2f} of what was promised")


if __name__ == "__main__":
    main()
