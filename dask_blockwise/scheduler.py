"""Run tasks block by block on a Dask cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from os import PathLike
from typing import Any, ParamSpec

from .blockwise_task import BlockwiseTask
from .engine.run import run
from .engine.task import Task
from .geometry.blocks import Roi

__all__ = ["run", "run_blockwise"]

_AGAIN = "The next call runs all blocks again, except those that a check skips."
_log = logging.getLogger(__name__)
_Given = ParamSpec("_Given")


def _says_how_tasks_are_run(function: Callable[_Given, bool]) -> Callable[_Given, bool]:
    """Where tasks are given, as daisy has it, name what runs them, before Python's own error."""

    @wraps(function)
    def checked(*given: _Given.args, **options: _Given.kwargs) -> bool:
        first: Any = given[0] if given else options.get("tasks")
        if isinstance(first, Task) or (isinstance(first, list | tuple) and first):
            raise TypeError(
                f"{function.__name__} takes a worker file and its ROIs, as dacapo's does, got "
                f"{first!r:.100}. Tasks, which daisy's takes, are run by dask_blockwise.run(tasks)."
            )
        return function(*given, **options)

    return checked


@_says_how_tasks_are_run
def run_blockwise(
    worker_file: str | PathLike[str],
    total_roi: Roi,
    read_roi: Roi,
    write_roi: Roi,
    num_workers: int | None = 16,
    max_retries: int = 2,
    timeout: float | None = None,
    upstream_tasks: Sequence[Task] | None = None,
    *args: Any,
    **kwargs: Any,
) -> bool:
    """Run a worker file over a region, on the present Dask client or on this machine.

    Parameters
    ----------
    worker_file, total_roi, read_roi, write_roi, num_workers, max_retries, timeout, upstream_tasks
        As for ``BlockwiseTask``.
    args, kwargs
        Arguments of the file's ``spawn_worker``.

    Returns
    -------
    bool
        Whether every block is done. Why some aren't is logged as a warning, which Python prints.

    References
    ----------
    dacapo, ``dacapo/blockwise/scheduler.py``.
    """
    task = BlockwiseTask(
        worker_file,
        total_roi,
        read_roi,
        write_roi,
        num_workers,
        max_retries,
        timeout,
        upstream_tasks,
        *args,
        **kwargs,
    )
    task.check_complete()
    summary = run(task)
    if not summary:
        _log.warning("%s", summary.as_error(_AGAIN))
    return bool(summary)
