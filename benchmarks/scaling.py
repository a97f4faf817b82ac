"""How much faster two workers are than one, of stages from zarr to zarr.

    python benchmarks/scaling.py [voxels along each axis]

Efficiency is the time on one worker over twice that on two; 1 where nothing is lost. Workers are
processes of one thread. Figures are the best of some rounds, in turn.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from distributed import Client
from stages import above_here, smooth_above_here, sources, wider_here

import dask_blockwise as dbw

ROUNDS = 3
STAGES = {
    "threshold": (above_here, "raw"),
    "gaussian, then threshold": (smooth_above_here, "raw"),
    "argmax of 8 channels": (dbw.argmax, "channels"),
    "labels to 64 bits": (wider_here, "labels"),
}


def main() -> None:
    """Print a line a stage, and the least efficient."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    found = []
    with (
        tempfile.TemporaryDirectory() as name,
        dbw.local_cluster(n_workers=1) as one,
        dbw.local_cluster(n_workers=2) as two,
        Client(one) as alone,
        Client(two) as both,
    ):
        made = sources(Path(name), size)

        def seconds(title: str, client: Client) -> float:
            make, source = STAGES[title]
            volume = make(dbw.open_volume(made[source], stands_for=None))
            begin = time.perf_counter()
            where = f"{name}/out.zarr/x"
            volume.to_zarr(where, client=client, progress=False, overwrite=True)
            return time.perf_counter() - begin

        for title in STAGES:
            rounds = [[seconds(title, client) for client in (alone, both)] for _ in range(ROUNDS)]
            slow, fast = np.min(rounds, axis=0)
            found.append(slow / fast / 2)
            print(f"{title}: {slow:.2f} s, {fast:.2f} s, efficiency {found[-1]:.2f}", flush=True)
    print(f"two workers are at least {min(found):.2f} as efficient as one")


if __name__ == "__main__":
    main()
