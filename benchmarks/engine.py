"""What the engine costs a block: the order alone, and blocks that do nothing on two workers.

Memory is the peak of the process that drives the run, beyond what it had before. Run
``python benchmarks/engine.py`` (10^5 blocks) or with a number of blocks along each axis (100
for 10^6). The same blocks in daisy 2.0 are the measure of the runs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence

import daisy.v2 as daisy
from distributed import Client
from resident import memory, peak

from dask_blockwise.engine.cluster import local_cluster
from dask_blockwise.engine.frontier import Frontier
from dask_blockwise.engine.run import run
from dask_blockwise.engine.task import Task
from dask_blockwise.geometry.blocks import Block, BlockGrid, Roi

_IN_FLIGHT = 400


def grid(side: int, halo: int = 1) -> BlockGrid:
    """A cube of blocks of 10^3, each reading a halo."""
    total = Roi((0,) * 3, (10 * side + 2 * halo,) * 3)
    return BlockGrid(total, Roi((-halo,) * 3, (10 + 2 * halo,) * 3), Roi((0,) * 3, (10,) * 3))


def walk(frontier: Frontier, tasks: int) -> int:
    """Run every block of a frontier in the driver alone; how many there were."""
    running: deque[tuple[int, int]] = deque()
    blocks = 0
    while True:
        for task in reversed(range(tasks)):
            for number in frontier.take(task, _IN_FLIGHT - len(running)):
                running.append((task, number))
        if not running:
            return blocks
        frontier.done(*running.popleft())
        blocks += 1


def frontiers(side: int) -> dict[str, Callable[[], tuple[Frontier, int]]]:
    """The kinds of order between blocks, each as something to build."""
    blocks = grid(side)
    barrier = BlockGrid(blocks.total_roi, blocks.total_roi, blocks.total_roi)
    return {
        "conflict": lambda: (Frontier([blocks], [True], [[]]), 1),
        "upstream": lambda: (Frontier([blocks] * 2, [False] * 2, [[], [0]]), 2),
        "barrier": lambda: (
            Frontier([blocks, barrier, blocks], [False] * 3, [[], [0], [1]]),
            3,
        ),
    }


def nothing(block: Block) -> None:
    """A block that costs nothing."""


def task(name: str, side: int, conflict: bool = False, upstream: Sequence[Task] = ()) -> Task:
    """Blocks that do nothing."""
    blocks = grid(side)
    return Task(
        name,
        blocks.total_roi,
        blocks.read_roi,
        blocks.write_roi,
        nothing,
        read_write_conflict=conflict,
        num_workers=None,
        upstream_tasks=upstream,
    )


def report(name: str, blocks: int, begin: float, before: float) -> float:
    """One line a measurement; microseconds a block."""
    each = (time.perf_counter() - begin) / blocks * 1e6
    print(f"{name:24} {blocks:8} blocks {each:8.1f} us a block {peak() - before:+7.1f} MB")
    return each


def run_in_daisy(name: str, side: int, conflict: bool) -> float:
    """The same blocks on two workers of daisy's; microseconds a block."""
    blocks = grid(side)
    rois = blocks.total_roi, blocks.read_roi, blocks.write_roi
    same = daisy.Task(name, *rois, nothing, read_write_conflict=conflict, max_workers=2)
    before, begin = memory(), time.perf_counter()
    daisy.run_blockwise(same, progress=False, summary=False)
    return report(f"daisy, {name}", len(blocks), begin, before)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", type=int, nargs="?", default=46)
    side = parser.parse_args().side
    for name, build in frontiers(side).items():
        before, begin = memory(), time.perf_counter()
        report(f"order, {name}", walk(*build()), begin, before)
    runs = {
        "free": [task("free", side)],
        "conflict": [task("conflict", side, conflict=True)],
        "upstream": [task("second", side, upstream=[task("first", side)])],
    }
    each: dict[str, float] = {}
    with local_cluster(n_workers=2) as cluster, Client(cluster) as client:
        for name, tasks in runs.items():
            before, begin = memory(), time.perf_counter()
            summary = run(tasks, client, progress=False)
            blocks = sum(t.completed for t in summary.tasks)
            each[name] = report(f"run, {name}", blocks, begin, before)
    os.chdir(tempfile.mkdtemp())  # daisy leaves its logs where it runs
    for name, conflict in (("free", False), ("conflict", True)):
        ratio = run_in_daisy(name, side, conflict) / each[name]
        print(f"a block costs daisy 2.0 {ratio:.1f} times what it costs here ({name})")


if __name__ == "__main__":
    main()
