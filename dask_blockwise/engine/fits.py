"""Whether what blocks hold fits what workers may have: else a run is refused before it begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dask
from dask.utils import format_bytes
from distributed import Client

from .task import Task
from .worker.memory import MENDS

__all__ = ["check_fits"]

_OF_ONE = (
    "It is one block, whatever the shape of blocks: use workers with more memory (memory= of "
    "dbw.cluster, memory_limit= of a LocalCluster of Dask's), or compute less at once."
)


def check_fits(client: Client, tasks: Sequence[Task], begun: bool = False) -> None:
    """Refuse tasks of which a worker can't hold as many blocks as it runs at once.

    Workers without a limit, and those that are threads of this process, aren't asked.

    Parameters
    ----------
    client
        Of the workers.
    tasks
        What they are to run.
    begun
        Whether blocks wait for workers already, so that the first to come may have begun with one.

    Raises
    ------
    ValueError
        With what blocks hold, and what a worker has and may have.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    limited = {
        address: worker
        for address, worker in workers.items()
        if worker["memory_limit"] and not address.startswith("inproc:")
    }
    for task in tasks:
        for refusal in _refusals(task, limited, "the run is over" if begun else "nothing was run"):
            raise ValueError(refusal)


def _refusals(task: Task, workers: Mapping[str, Mapping[str, Any]], outcome: str) -> Iterator[str]:
    if not task.memory:
        return
    terminated = dask.config.get("distributed.worker.memory.terminate") or 1.0
    for address, worker in workers.items():
        at_once = min(worker["nthreads"], len(task.grid), task.num_workers or len(task.grid))
        has = worker["metrics"].get("memory", 0)
        limit = worker["memory_limit"]
        if has + at_once * task.memory > terminated * limit:
            yield _refusal(task, outcome, address, at_once, has, limit, terminated)


def _refusal(
    task: Task,
    outcome: str,
    address: str,
    at_once: int,
    has: int,
    limit: int,
    terminated: float,
) -> str:
    block = task.memory or 0
    arrays, needed = format_bytes(block), format_bytes(has + at_once * block)
    several = f"{at_once} blocks at once hold {at_once} x {arrays}"
    return (
        f"Task {task.title or task.task_id!r} doesn't fit the memory of its workers, and "
        f"{outcome}: {several if at_once > 1 else f'a block holds {arrays}'} of arrays, as plan() "
        f"says, beside {format_bytes(has)} that a worker has by itself, {needed} in all; {address} "
        f"may have {terminated:.0%} of {format_bytes(limit)} before it is killed. "
        f"{MENDS if len(task.grid) > 1 else _OF_ONE} Workers without a limit (memory=0) aren't "
        "asked."
    )
