"""How much faster two workers are than one, of stages from zarr to zarr.

    python benchmarks/scaling.py [voxels along each axis]

Efficiency is the time on one worker over twice that on two; 1 where nothing is lost. Workers are
processes of one thread, but TensorStore decodes and encodes in threads of its own: so one takes
more than a core. What bare processes that do the same reach says what the machine allows. Figures
are the best of some rounds, in turn.
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import stages
from distributed import Client
from stages import above_here, smooth_above_here, sources, wider_here

import dask_blockwise as dbw

ROUNDS = 3
# What each reads, and what bare processes do in its place.
STAGES = {
    "threshold": (above_here, "raw", stages.above),
    "gaussian, then threshold": (smooth_above_here, "raw", stages.smooth_above),
    "argmax of 8 channels": (dbw.argmax, "channels", stages.largest),
    "labels to 64 bits": (wider_here, "labels", stages.wider),
}


def main() -> None:
    """Print a line a stage, and the least efficient."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    found = []
    with (
        tempfile.TemporaryDirectory() as name,
        # Before the clusters, whose settings for workers it would inherit.
        get_context("spawn").Pool(2) as pool,
        dbw.local_cluster(n_workers=1) as one,
        dbw.local_cluster(n_workers=2) as two,
        Client(one) as alone,
        Client(two) as both,
    ):
        made = sources(Path(name), size)

        def seconds(title: str, client: Client) -> float:
            make, source, _ = STAGES[title]
            volume = make(dbw.open_volume(made[source], stands_for=None))
            begin = time.perf_counter()
            where = f"{name}/out.zarr/x"
            volume.to_zarr(where, client=client, progress=False, overwrite=True)
            return time.perf_counter() - begin

        def bare_seconds(title: str, processes: int) -> float:
            _, source, function = STAGES[title]
            run = partial(stages.bare, pool, function, made[source], processes=processes)
            return stages.seconds(run, Path(name, "bare"))

        for title in STAGES:
            rounds = [
                [
                    *(seconds(title, c) for c in (alone, both)),
                    *(bare_seconds(title, n) for n in (1, 2)),
                ]
                for _ in range(ROUNDS)
            ]
            slow, fast, bare_slow, bare_fast = np.min(rounds, axis=0)
            found.append(slow / fast / 2)
            bare = bare_slow / bare_fast / 2
            print(f"{title}: {slow:.2f} s, {fast:.2f} s, efficiency {found[-1]:.2f}", end=", ")
            print(f"of bare processes {bare:.2f}", flush=True)
    print(f"two workers are at least {min(found):.2f} as efficient as one")


if __name__ == "__main__":
    main()
