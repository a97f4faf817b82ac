"""What a plan says that a run will take, given a run over a part, beside what the run then takes.

    python benchmarks/foretold.py        # volumes of 2048 x 512 x 512
    python benchmarks/foretold.py 256    # so many voxels wide, and four times as deep

Of each row a quarter of the volume is stored by two workers, so that most quarters take a second
or more of them (see `Spent.is_telling`: of less, how a run begins is a large part);
``plan(measured=summary)`` of the whole says how long workers will be at work, and what with most.
Then the whole is stored: what workers were at, but for waiting, is compared. Of both, the least of
some rounds, in turn.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from distributed import Client
from stages import above_here, smooth_above_here, sources, wider_here

import dask_blockwise as dbw
from dask_blockwise.demo.samples import FIB25
from dask_blockwise.engine.worker.spent import Spent

ROUNDS = 3
DEEP = 4
# Voxels that the network is run over.
PREDICTED = (512, 64, 64)
Make = Callable[[dbw.Volume], dbw.Volume]


def predicted(volume: dbw.Volume) -> dbw.Volume:
    """By the network that comes along, in small blocks."""
    return dbw.predict(volume, **FIB25.options | {"device": "fastest", "block_shape": (32,) * 3})


def components(volume: dbw.Volume) -> dbw.Volume:
    """Exact, of a mask."""
    return dbw.relabel(dbw.connected_components(above_here(volume)))


ROWS: dict[str, tuple[str, Make]] = {
    "threshold": ("raw", above_here),
    "gaussian, threshold": ("raw", smooth_above_here),
    "argmax of 8 channels": ("channels", dbw.argmax),
    "labels to 64 bits": ("labels", wider_here),
    "connected components": ("raw", components),
    "predict": ("bytes", predicted),
}


def parts(spent: Spent) -> dict[str, float]:
    """Seconds of workers but for waiting."""
    return {
        "reading": spent.seconds_reading,
        "computing": spent.seconds_computing,
        "writing": spent.seconds_writing,
    }


def busy(spent: Spent) -> float:
    """All of these."""
    return sum(parts(spent).values())


def compared(source: dbw.Volume, make: Make, folder: Path) -> tuple[Spent, Spent]:
    """What was foretold, and what was taken."""
    first, *others = source.roi.shape
    quarter = dbw.Roi(source.roi.begin, (first // 4, *others))
    part, whole = make(source.crop(quarter)), make(source)
    foretold, taken = [], []
    for _ in range(ROUNDS):
        summary = part.to_zarr(folder / "part", progress=False)
        foretold.append(whole.plan(measured=summary).estimate)
        taken.append(whole.to_zarr(folder / "whole", progress=False).spent)
        for name in ("part", "whole"):
            shutil.rmtree(folder / name)
    return min(foretold, key=busy), min(taken, key=busy)


def main() -> None:
    """Print every row, and the largest error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int, nargs="?", default=512)
    size, worst = parser.parse_args().size, 0.0
    with (
        tempfile.TemporaryDirectory() as name,
        dbw.local_cluster(n_workers=2) as cluster,
        Client(cluster),
    ):
        folder = Path(name)
        made = sources(folder, size, DEEP)
        values = np.random.default_rng(0).integers(0, 255, PREDICTED, np.uint8)
        dbw.Volume.from_array(values).to_zarr(folder / "bytes", progress=False)
        made["bytes"] = folder / "bytes"
        for title, (source, make) in ROWS.items():
            volume = dbw.open_volume(made[source], stands_for=None)
            said, took = compared(volume, make, folder)
            error = busy(said) / busy(took) - 1
            worst = max(worst, abs(error))
            most, was = (max(of, key=of.__getitem__) for of in map(parts, (said, took)))
            print(
                f"{title:24} {busy(said):6.2f} s, took {busy(took):6.2f} s: {error:+4.0%}", end=""
            )
            print(f"; most of it {most}, was {was}", flush=True)
    print(f"foretold within {100 * worst:.0f} %")


if __name__ == "__main__":
    main()
