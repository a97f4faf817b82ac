"""How far the engine reaches: blocks, workers, and what is held of them.

    python -m benchmarks.scale                     # all, of 10^6 blocks and 1,000 workers
    python -m benchmarks.scale flat --blocks 100000
    python -m benchmarks.scale workers --workers 2000 --seconds 5

``flat``: blocks that do nothing on two worker processes: when the first begins, what a block
costs, and what driver and scheduler take of memory. ``resume``: the same where 99 of 100 are done.
``plan``: a plan, and the order of blocks, of 10^8. ``workers``: simulated ones, which are threads
of this process that sleep, and how much of the time they are busy.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster

import dask_blockwise as dbw
from dask_blockwise.engine.cluster import local_cluster
from dask_blockwise.engine.frontier import Frontier
from dask_blockwise.engine.ledger import Ledger
from dask_blockwise.engine.run import run
from dask_blockwise.engine.task import Task
from dask_blockwise.geometry.blocks import Block, BlockGrid, Roi

from .resident import memory, peak

_SIDE, _MANY = 10, 464
# In one process, the event loops of many more workers would have no time for blocks.
_THREADS_A_WORKER = 100


def blocks_of(count: int) -> BlockGrid:
    """About so many blocks in a cube, which read a little around themselves."""
    side = round(count ** (1 / 3))
    total = Roi((0,) * 3, (_SIDE * side + 2,) * 3)
    return BlockGrid(total, Roi((-1,) * 3, (_SIDE + 2,) * 3), Roi((0,) * 3, (_SIDE,) * 3))


def task_over(grid: BlockGrid, function: Callable[[Block], None], folder: Path) -> Task:
    """A task with a ledger, of blocks that don't wait for one another."""
    return Task(
        *("scale", grid.total_roi, grid.read_roi, grid.write_roi, function),
        read_write_conflict=False,
        num_workers=None,
        ledger=str(folder / "ledger"),
    )


class _First:
    """A block that does nothing, but says when it is the first of its process."""

    def __init__(self, folder: Path) -> None:
        self._file: Path | None = folder / "first"

    def __call__(self, block: Block) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            if not file.exists():
                file.touch()


def flat(count: int) -> None:
    """Print what many blocks cost."""
    with tempfile.TemporaryDirectory() as folder:
        _timed("flat", blocks_of(count), Path(folder))


def resume(count: int) -> None:
    """Print what they cost where almost all are done."""
    grid = blocks_of(count)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"{folder}/ledger", grid)
        numbers = np.arange(len(grid))
        ledger.add(numbers[numbers % 100 > 0].tolist())
        ledger.close()
        _timed("resume at 99 %", grid, Path(folder))


def _timed(name: str, grid: BlockGrid, folder: Path) -> None:
    task = task_over(grid, _First(folder), folder)
    warm = replace(task, task_id="warm", ledger=None, total_roi=blocks_of(8).total_roi)
    with local_cluster(n_workers=2) as cluster, Client(cluster) as client:
        # Workers have imported what they need.
        run(replace(warm, process_function=print), client, progress=False)
        before, wall, begin = memory(), time.time(), time.perf_counter()
        (summary,) = run(task, client, progress=False).tasks
        seconds, first = time.perf_counter() - begin, (folder / "first").stat().st_mtime - wall
    each = seconds / len(grid) * 1e6
    print(
        f"{name}: {len(grid):,} blocks, {summary.completed:,} of them to do: first after "
        f"{first:.2f} s, all in {seconds:.1f} s ({each:.1f} us a block), driver and scheduler "
        f"{peak() - before:+.0f} MB",
        flush=True,
    )


def plan() -> None:
    """Print what a plan and the order of 10^8 blocks take, each in a process of its own."""
    for name, build in (("plan", _plan), ("order", _order), ("conflicts", _conflicts)):
        process = multiprocessing.get_context("spawn").Process(target=_held, args=(name, build))
        process.start()
        process.join()


def _held(name: str, build: Callable[[], str]) -> None:
    before, begin = memory(), time.perf_counter()
    what = build()
    seconds = time.perf_counter() - begin
    print(f"{name}: {what}: {seconds:.2f} s, {peak() - before:+.0f} MB, {peak():.0f} in all")


def _plan() -> str:
    import dask.array as da

    side = _MANY * 64
    zeros = da.zeros((side,) * 3, chunks=(side, side, side), dtype="u1")
    volume = dbw.Volume.from_array(zeros, chunks=(64, 64, 64))
    stages = dbw.threshold(dbw.map_overlap(np.copy, volume, halo=8, dtype="u1"), 1)
    return f"{stages.plan(block_shape=(64, 64, 64)).blocks:,} blocks planned"


def _order() -> str:
    grid = blocks_of(_MANY**3)
    Frontier([grid, grid], [False, False], [[], [0]]).take(0, 1000)
    return f"two tasks of {len(grid):,} blocks, of which one reads the other"


def _conflicts() -> str:
    grid = blocks_of(_MANY**3)
    Frontier([grid], [True], [[]]).take(0, 1000)
    return f"{len(grid):,} blocks that conflict with their neighbours"


class _Sleep:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, block: Block) -> None:
        time.sleep(self._seconds)


def workers(count: int, seconds: float, rounds: int) -> None:
    """Print how busy so many simulated workers are."""
    # As many for each: where some have one more, the others wait.
    block = Roi((0,), (_SIDE,))
    grid = BlockGrid(Roi((0,), (_SIDE * count * rounds,)), block, block)
    logging.getLogger("distributed").setLevel(logging.ERROR)
    options = {"processes": False, "dashboard_address": None, "memory_limit": 0}
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=max(1, count // _THREADS_A_WORKER),
            threads_per_worker=min(count, _THREADS_A_WORKER),
            **options,
        ) as cluster,
        Client(cluster) as client,
    ):
        threads, before = sum(client.nthreads().values()), memory()
        (summary,) = run(
            task_over(grid, _Sleep(seconds), Path(folder)), client, progress=False
        ).tasks
    ideal = len(grid) * seconds / threads
    print(
        f"workers: {threads:,} busy {ideal / summary.seconds:.0%} of the time, with {len(grid):,} "
        f"blocks of {seconds:g} s in {summary.seconds:.1f} s; {peak() - before:+.0f} MB",
        flush=True,
    )


def main() -> None:
    """Measure one of them, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=["flat", "resume", "plan", "workers"])
    parser.add_argument("--blocks", type=int, default=10**6)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0, help="that a block sleeps")
    parser.add_argument("--rounds", type=int, default=10, help="blocks for each of them")
    given = parser.parse_args()
    measured: dict[str, Callable[[], None]] = {
        "flat": lambda: flat(given.blocks),
        "resume": lambda: resume(given.blocks),
        "plan": plan,
        "workers": lambda: workers(given.workers, given.seconds, given.rounds),
    }
    for name in [given.what] if given.what else measured:
        measured[name]()


if __name__ == "__main__":
    main()
