"""The pass that gives labels their ids, beside a read-write copy by bare processes.

    python benchmarks/relabel_pass.py        # labels of 512^3, uint32 to uint64
    python benchmarks/relabel_pass.py 256    # of so many voxels along each axis

``renumber`` reads labels, notes which ids are in each block, numbers these, reads again and writes
ids: its last step is measured, from its first block to its last. The rival is two processes that
read the same chunks as uint32 and write them as uint64, with the same codec. Figures are the best
of some rounds, in turn.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import zarr
from distributed import Client
from stages import CHUNK, ROUNDS, bare, seconds, wider

import dask_blockwise as dbw

WORKERS = 2


def labels_of(size: int) -> np.ndarray:
    """Boxes of 16 voxels, each with an id of its own."""
    boxes = np.random.default_rng(0).permutation((size // 16) ** 3).astype(np.uint32) + 1
    wide = boxes.reshape((size // 16,) * 3)
    for axis in range(3):
        wide = np.repeat(wide, 16, axis)
    return wide


def renumbered(source: Path, target: Path) -> dict[str, float]:
    """Seconds of each step, from its first block to its last."""
    labels = dbw.open_volume(source, stands_for=None)
    summary = dbw.renumber(labels).to_zarr(target, progress=False)
    shutil.rmtree(target)
    return {task.name: task.seconds for task in summary.tasks}


def main() -> None:
    """Print both, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int, nargs="?", default=512)
    size = parser.parse_args().size
    with (
        tempfile.TemporaryDirectory() as name,
        # Before the cluster, whose settings for workers it would inherit.
        get_context("spawn").Pool(WORKERS) as pool,
        dbw.local_cluster(n_workers=WORKERS) as cluster,
        Client(cluster),
    ):
        source, target = Path(name, "labels"), Path(name, "out.zarr")
        zarr.create_array(source, data=labels_of(size), chunks=(CHUNK,) * 3)
        copies, steps = [], []
        for _ in range(ROUNDS):
            copies.append(seconds(partial(bare, pool, wider, source), target))
            steps.append(renumbered(source, target))
        copy = min(copies)
        print(f"a copy by two bare processes: {copy:.2f} s")
        for step in steps[0]:
            took = min(found[step] for found in steps)
            rate, title = copy / max(took, 1e-9), step.split()[-1]
            print(f"    {title}: {took:.2f} s, {rate:.2f} times the copy's rate")


if __name__ == "__main__":
    main()
