"""A task: a grid of blocks with a process function, given directly or as a worker file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any

from .engine.task import Task
from .engine.worker.worker_file import SpawnedWorker, WorkerFile
from .geometry.blocks import Roi

__all__ = ["BlockwiseTask", "DaCapoBlockwiseTask", "Task"]


class BlockwiseTask(Task):
    """A task whose functions are in a Python file, as dacapo has them.

    The file has ``spawn_worker(*args, **kwargs)``, ``fit`` and ``read_write_conflict``, and may
    have ``check_function`` and ``init_callback_fn``. What ``spawn_worker`` returns takes a block,
    or takes nothing and loops over ``Client().acquire_block()``; it is called once a worker
    process.

    Parameters
    ----------
    worker_file
        Path of the file. Its text travels to the workers, which need not see the path.
    total_roi, read_roi, write_roi, num_workers, max_retries, timeout, upstream_tasks
        As for ``Task``.
    args, kwargs
        Arguments of ``spawn_worker``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    AttributeError
        If the file lacks one of the names.

    References
    ----------
    dacapo, ``dacapo/blockwise/blockwise_task.py``.

    Examples
    --------
    >>> _ = Path("worker.py").write_text('''
    ... fit, read_write_conflict = "shrink", False
    ... def spawn_worker(factor):
    ...     return lambda block: print(factor, block.write_roi)
    ... ''')
    >>> roi = Roi((0,), (10,))
    >>> task = BlockwiseTask("worker.py", Roi((0,), (25,)), roi, roi, factor=2)
    >>> task.process_function(task.grid.block(task.task_id, 2))
    2 [20:25] (5)
    """

    def __init__(
        self,
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
    ) -> None:
        worker = WorkerFile.read(worker_file)
        spawned = SpawnedWorker(worker, args, kwargs)
        _check_arguments(spawned, signature(spawned.spawn).bind_partial)
        super().__init__(
            task_id=f"{Path(worker_file).stem}-{next(_numbers)}",
            total_roi=total_roi,
            read_roi=read_roi,
            write_roi=write_roi,
            process_function=spawned,
            check_function=worker.checks,
            init_callback_fn=worker.optional("init_callback_fn"),
            read_write_conflict=worker.required("read_write_conflict"),
            fit=worker.required("fit"),
            num_workers=num_workers,
            max_retries=max_retries,
            timeout=timeout,
            upstream_tasks=upstream_tasks,
        )

    def check_complete(self) -> None:
        """Refuse to run a task that lacks arguments of spawn_worker, before any process is asked.

        Raises
        ------
        TypeError
        """
        spawned: Any = self.process_function
        _check_arguments(spawned, signature(spawned.spawn).bind)


DaCapoBlockwiseTask = BlockwiseTask


def _check_arguments(spawned: SpawnedWorker, bind: Callable[..., Any]) -> None:
    try:
        bind(*spawned.args, **spawned.kwargs)
    except TypeError as error:
        taken = ", ".join(signature(spawned.spawn).parameters) or "nothing"
        raise TypeError(f"spawn_worker of {spawned.file.path} takes {taken}: {error}.") from None


# Two tasks of one file, however soon after one another, have different ids.
_numbers = count(1)
