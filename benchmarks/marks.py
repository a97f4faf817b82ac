"""What it costs to know what each block was made from.

    python benchmarks/marks.py            # 10^5 blocks
    python benchmarks/marks.py 100        # 10^6, so many along each axis

Blocks that do nothing are run on two workers: without a ledger; with one that says that they are
done and no more, as the version before had it; and with marks of what each block read and left.
Then a finished output of as many blocks, over an input of as many chunks, is checked before
another run: its files are made on a disk in memory, where there is one.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from distributed import Client

from dask_blockwise.engine.cluster import local_cluster
from dask_blockwise.engine.evidence import FixedEvidence, Vouching, combined
from dask_blockwise.engine.ledger import Ledger
from dask_blockwise.engine.run import run
from dask_blockwise.engine.standing import settled
from dask_blockwise.engine.task import Task
from dask_blockwise.engine.worker.trace import Trace
from dask_blockwise.geometry.blocks import Block, Roi
from dask_blockwise.storage.arrays import create_array
from dask_blockwise.volumes.known import KnownArrays
from dask_blockwise.volumes.left import left_in
from dask_blockwise.volumes.map_overlap import map_overlap
from dask_blockwise.volumes.opening import open_volume
from dask_blockwise.volumes.reading import readings
from dask_blockwise.volumes.spans import spans_of
from dask_blockwise.volumes.step import Target

_ROUNDS = 3
_MEMORY = Path("/dev/shm")


def nothing(block: Block) -> None:
    """A block that costs nothing."""


def traced(block: Block) -> Trace:
    """The same, which tells what it left."""
    return Trace(1, block.number, block.number)


def tasks(side: int, folder: Path) -> dict[str, Task]:
    """The same blocks, of which more and more is known."""
    block = Roi((0,) * 3, (10,) * 3)
    total = Roi((0,) * 3, (10 * side,) * 3)
    plain = Task("plain", total, block, block, nothing, read_write_conflict=False, num_workers=None)
    sums = np.arange(side**3, dtype=np.uint64)
    vouching = Vouching("array", [FixedEvidence(sums), FixedEvidence(sums)])
    return {
        "without a ledger": plain,
        "done or not": replace(plain, task_id="done", ledger=str(folder / "done")),
        "made from, and left": replace(
            plain,
            task_id="marks",
            ledger=str(folder / "marks"),
            process_function=traced,
            vouching=vouching,
        ),
    }


def cost_of_marks(side: int) -> None:
    """Print what a block costs, best of some rounds, and the ratios."""
    best: dict[str, float] = {}
    with local_cluster(n_workers=2) as cluster, Client(cluster) as client:
        for _ in range(_ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                for name, task in tasks(side, Path(folder)).items():
                    begin = time.perf_counter()
                    run(task, client, progress=False)
                    each = (time.perf_counter() - begin) / side**3 * 1e6
                    best[name] = min(each, best.get(name, each))
    for name, each in best.items():
        ratio = each / best["done or not"]
        print(f"{name:22} {side**3:8} blocks {each:6.1f} us a block, {ratio:.2f} of done or not")


def checked(side: int) -> None:
    """Print how long it takes to see that an unchanged output holds."""
    at = tempfile.mkdtemp(dir=_MEMORY if _MEMORY.is_dir() else None)
    try:
        seconds = _checked(side, Path(at))
    finally:
        shutil.rmtree(at)
    print(f"an output of {side**3} blocks, of {side**3} chunks: checked in {seconds:.1f} s")


def _checked(side: int, folder: Path) -> float:
    shape, block = (2 * side,) * 3, (2,) * 3
    for name in "raw", "out":
        array = create_array(folder / f"a.zarr/{name}", shape, "u1", chunks=block)
        for z, y in np.ndindex(side, side):
            row = Path(array.location) / f"c/{z}/{y}"
            row.mkdir(parents=True)
            for x in range(side):
                (row / str(x)).touch()
    volume = open_volume(folder / "a.zarr/raw")
    stage = map_overlap(np.copy, volume, halo=1, dtype="u1")
    out = open_volume(folder / "a.zarr/out").stored
    spans = spans_of(stage.frame, block)
    read, whole = readings(stage, spans), Roi((0,) * 3, shape)
    task = Task(
        *("out", whole, Roi((0,) * 3, block), Roi((0,) * 3, block), nothing),
        read_write_conflict=False,
        ledger=str(folder / "ledger"),
        vouching=Vouching("", KnownArrays().evidence(read, (side,) * 3, {})),
    )
    left = left_in(Target.all_of(out), stage.frame, block)
    with_all = np.stack([left.files, left.stamps, left.stamps], 1)
    numbers = np.arange(side**3)
    ledger = Ledger(str(folder / "ledger"), task.grid)
    sums = KnownArrays().evidence(read, (side,) * 3, {})
    ledger.add(numbers, combined(sums, numbers, lambda task: None), 0, with_all)
    ledger.close()
    begin = time.perf_counter()
    left = left_in(Target.all_of(out), stage.frame, block)
    evidence = KnownArrays().evidence(read, (side,) * 3, {})
    again = replace(task, vouching=Vouching("", evidence, gone=left.differs))
    found = settled(again)
    seconds = time.perf_counter() - begin
    if found is None or not found.done.all():
        raise RuntimeError("An output that nobody touched doesn't hold.")
    return seconds


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", type=int, nargs="?", default=46)
    side = parser.parse_args().side
    cost_of_marks(side)
    checked(side)


if __name__ == "__main__":
    main()
