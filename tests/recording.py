"""Tasks over a line of blocks that record when each block began and ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dask_blockwise.engine.task import Task
from dask_blockwise.geometry.blocks import Block, Roi

Process = Callable[[Block], None]


def line(
    blocks: int, process: Callable[..., Any], task_id: str = "task", halo: int = 0, **options: Any
) -> Task:
    """A task over a line of blocks of 10."""
    read, write = Roi((0,), (10 + 2 * halo,)), Roi((halo,), (10,))
    total = Roi((0,), (10 * blocks + 2 * halo,))
    options = {"read_write_conflict": False, "num_workers": None} | options
    return Task(task_id, total, read, write, process, **options)


def recorder(directory: Path, misbehave: Callable[[int, int], None] | None = None) -> Process:
    """Writes one line a run of a block: when it began and ended; None while it has not ended."""

    def process(block: Block) -> None:
        begin = time.time()
        path = directory / f"{block.task_id}-{block.number}"
        with path.open("a") as file:
            file.write("begun\n")
        runs = path.read_text().count("begun")
        if misbehave is not None:
            misbehave(block.number, runs)
        with path.open("a") as file:
            file.write(json.dumps([begin, time.time()]) + "\n")

    return process


def runs(directory: Path, task_id: str = "task") -> dict[int, int]:
    """How often each block was begun."""
    paths = directory.glob(f"{task_id}-*")
    return {int(p.name.rpartition("-")[2]): p.read_text().count("begun") for p in paths}


def times(directory: Path, task_id: str = "task") -> dict[int, tuple[float, float]]:
    """When each block began and ended, the last time that it ended."""
    paths = directory.glob(f"{task_id}-*")
    return {
        int(p.name.rpartition("-")[2]): json.loads(p.read_text().splitlines()[-1]) for p in paths
    }
