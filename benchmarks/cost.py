"""What a teravoxel costs by stage: seconds, bytes, requests and money, by rates measured here.

    python benchmarks/cost.py            # prints the table of docs/cost.md
    python benchmarks/cost.py 128        # measured on a crop of so many voxels along each axis

A crop of the fib25 sample goes from raw to segments: prediction, mutex watershed, objects. What
workers spent on it, and how well it compressed, is scaled by ``plan()`` to a volume of 10240^3
voxels in blocks of 256, of which there is only the metadata.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, fields
from math import ceil
from operator import attrgetter
from pathlib import Path

from distributed import Client

import dask_blockwise as dbw
from dask_blockwise.demo.samples import FIB25, fib25
from dask_blockwise.engine.worker.spent import Spent
from dask_blockwise.volumes.step import StagePlan

SIDE, BLOCK, CHUNK = 10240, 256, 64
CROP_BLOCK = 64
# In dollars, as assumed: an hour of a core, a million reads and writes, a month of a terabyte.
HEAD = """\
| stage | core hours | read, TB | written, TB | stored, TB | reads, 10^6 | writes, 10^6 | $ |
|---|---|---|---|---|---|---|---|"""
CORE_HOUR, READS, WRITES, TERABYTE_MONTH = 0.04, 0.4, 5.0, 23.0


@dataclass(frozen=True)
class Cost:
    """Of one stage."""

    stage: str
    core_hours: float
    # Before compression.
    read: float
    written: float
    # On disk.
    stored: float
    reads: float
    writes: float

    @property
    def dollars(self) -> float:
        """Of cores and requests; what is stored is paid by the month."""
        requests = self.reads * READS + self.writes * WRITES
        return self.core_hours * CORE_HOUR + requests / 1e6

    def row(self) -> str:
        """For the table."""
        return (
            f"| {self.stage} | {self.core_hours:,.0f} | {self.read / 1e12:.1f} "
            f"| {self.written / 1e12:.1f} | {self.stored / 1e12:.2f} | {self.reads / 1e6:.1f} "
            f"| {self.writes / 1e6:.2f} | {self.dollars:,.0f} |"
        )


def pipeline(raw: dbw.Volume, folder: Path) -> dbw.Volume:
    """Raw to segments, affinities stored on the way."""
    options = {name: value for name, value in FIB25.options.items() if name != "block_shape"}
    affinities = dbw.predict(raw, **options).checkpoint(folder / "affinities")
    fragments = dbw.watershed(affinities, offsets=FIB25.channels, bias=0.5, attract="nearest")
    # The solver of mutex watershed holds all in one worker: too much for a teravoxel.
    return dbw.relabel(fragments, match="fraction", min_size=200)


def reads_of(plan: StagePlan) -> float:
    """Requests for chunks of 64 voxels, and for the index of each shard of 256."""
    halo = BLOCK * (plan.recompute_factor ** (1 / 3) - 1) / 2
    chunks, shards = (BLOCK / side + 2 * ceil(halo / side) for side in (CHUNK, BLOCK))
    return plan.blocks * (chunks**3 + shards**3) if plan.read_bytes else 0.0


def cost_of(stage: StagePlan, spent: Spent, compressed: float) -> Cost:
    """Of one stage, of whose bytes a part stays on disk; each file is written, and asked for."""
    return Cost(
        stage.name,
        spent.seconds / 3600,
        stage.read_bytes,
        stage.write_bytes,
        compressed * stage.write_bytes,
        reads_of(stage),
        2.0 * stage.blocks if stage.write_bytes else 0.0,
    )


def size(folder: Path) -> int:
    """Bytes of the files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    """Measure a crop, and print the table of the whole."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 192
    with (
        tempfile.TemporaryDirectory() as name,
        dbw.local_cluster(n_workers=2) as cluster,
        Client(cluster) as client,
    ):
        folder, sample = Path(name), fib25().raw
        begin = sample.offset
        roi = dbw.Roi(begin, dbw.Coordinate((side,) * 3) * sample.voxel_size)
        sample.crop(roi).to_zarr(folder / "raw", progress=False, block_shape=(CROP_BLOCK,) * 3)
        raw = dbw.open_volume(folder / "raw")
        small = pipeline(raw, folder / "crop")
        summary = small.to_zarr(folder / "crop/segments", client=client, progress=False)
        print(summary, "\n")
        ratio = {
            "affinities": size(folder / "crop/affinities") / (len(FIB25.channels) * side**3),
            "result: relabel": size(folder / "crop/segments") / (8 * side**3),
        }
        large = dbw.create_volume(
            folder / "large/raw",
            shape=(SIDE,) * 3,
            dtype="uint8",
            voxel_size=sample.voxel_size,
            unit=sample.unit,
            block_shape=(BLOCK,) * 3,
        )
        plan = pipeline(large, folder / "whole").plan(measured=summary)
    each = zip(plan.stages, plan.estimates, strict=True)
    costs = [cost_of(stage, spent, ratio.get(stage.name, 0.0)) for stage, spent in each]
    total = [sum(map(attrgetter(field.name), costs)) for field in fields(Cost)[1:]]
    print(HEAD)
    for cost in (*costs, Cost("in all", *total)):
        print(cost.row())


if __name__ == "__main__":
    main()
