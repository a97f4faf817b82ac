"""A task: a grid of blocks with a process function, given directly or as a worker file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import BlockGrid, Fit, Roi
from .evidence import Vouching
from .limits import check_limits
from .worker.client import Context
from .worker.work import CheckFunction

__all__ = ["Task", "check_limits"]


Checks = CheckFunction | tuple[CheckFunction | None, CheckFunction | None] | None
_Made = TypeVar("_Made")


def _says_what_to_name(made: type[_Made]) -> type[_Made]:
    """A dataclass that names what must be named, where Python's own error counts."""
    init: Callable[..., None] = vars(made)["__init__"]
    placed = [field.name for field in fields(made) if not field.kw_only]  # type: ignore[arg-type]
    named = [field.name for field in fields(made) if field.kw_only]  # type: ignore[arg-type]

    @wraps(init)
    def checked(self: _Made, *given: Any, **options: Any) -> None:
        if len(given) > len(placed):
            raise TypeError(
                f"{made.__name__}() takes {len(placed)} arguments by position "
                f"({', '.join(placed)}), got {len(given)}. Name the others, whose order is not the "
                f"same in daisy 1, daisy 2 and here: {', '.join(named)}."
            )
        init(self, *given, **options)

    setattr(made, "__init__", checked)  # noqa: B010
    return made


@_says_what_to_name
@dataclass(frozen=True, eq=False)
class Task:
    """A grid of blocks, and what is to be done with each.

    What comes after ``process_function`` is given by name.

    Parameters
    ----------
    task_id
        Name of the task, unique within a run.
    total_roi, read_roi, write_roi
        The region of the whole task, context included, and the regions that one block reads and
        writes, in world units. Blocks step by the shape of ``write_roi``.
    process_function
        Called with each ``Block`` in a worker process. A function that takes nothing is a worker
        loop, which asks ``Client().acquire_block()`` for blocks.
    check_function
        One function of a block, or a pair (before, after), either of which may be None. A block
        whose check is true before it runs is skipped; one whose check is false after it ran has
        failed. One function serves as both.
    init_callback_fn
        Called once with a ``Context``, when the task starts.
    read_write_conflict
        Whether blocks read what others of the task write: then such blocks never run at once, and
        always in the same order.
    fit
        What becomes of blocks that do not fit: ``"valid"`` leaves them out, ``"overhang"`` lets
        them leave the total ROI, ``"shrink"`` cuts them.
    num_workers
        At most so many blocks at once; None for as many as the cluster runs.
    max_retries
        A block runs at most ``max_retries + 1`` times, whatever made it fail. Where a worker
        process runs several blocks at once, a block that was run before, or that may run only
        once, has the process to itself: so none fails because of another.
    timeout
        Seconds that a block may take; then its worker process is killed, and its nanny starts
        another.
    upstream_tasks
        Tasks whose output this one reads: a block starts when the upstream blocks whose write ROI
        meets its read ROI are done.
    ledger
        Directory that keeps which blocks are done, so that another run does only what is missing.
    fingerprint
        Whatever the blocks' content depends on: a ledger with another fingerprint is refused.
    vouching
        What the ledger's marks vouch for beside the fingerprint: a block that it has as done is run
        again where what it read, or what it left, is not what it was.
    only
        Which blocks are to be run, by number, also if they are done; all that aren't unless given.
    again
        Which blocks are to be run also if they are done, beside all that aren't.
    voxels_per_block
        Voxels that a whole block writes, for the rate in the summary.
    bytes_needed
        Bytes that its blocks would read together if none read what another one does: all that they
        read beyond that is redundant.
    filled
        What its functions are given for each byte that is read, as borders are filled.
    memory
        Bytes of arrays that a block holds at most, where that is known: it is seen before the run
        whether workers have as much.
    title
        What the progress bar and the summary call the task; its id unless given.

    Raises
    ------
    ValueError
        If the ROIs do not tile, no block fits, or a number is out of range.
    TypeError
        If a function cannot be called, a number is none, or what must be named is not.

    Warns
    -----
    UserWarning
        If ``fit="valid"`` leaves part of the region unwritten.

    Examples
    --------
    >>> roi = Roi((0, 0), (20, 20))
    >>> task = Task("print", roi, Roi((0, 0), (10, 10)), Roi((0, 0), (10, 10)), print)
    >>> len(task.grid)
    4
    """

    task_id: str
    total_roi: Roi
    read_roi: Roi
    write_roi: Roi
    process_function: Callable[..., Any]
    _: KW_ONLY
    check_function: Checks = None
    init_callback_fn: Callable[[Context], Any] | None = None
    read_write_conflict: bool = True
    fit: Fit = "valid"
    num_workers: int | None = 1
    max_retries: int = 2
    timeout: float | None = None
    upstream_tasks: Sequence[Task] | None = None
    ledger: str | None = None
    fingerprint: str = ""
    vouching: Vouching | None = None
    only: NDArray[np.bool_] | None = None
    again: NDArray[np.bool_] | None = None
    voxels_per_block: int | None = None
    bytes_needed: int | None = None
    filled: float = 1.0
    memory: int | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        check_limits(self.num_workers, self.max_retries, self.timeout)
        _check_functions(self)
        _check_upstream(self)
        _check_covers(self.task_id, self.grid)

    @cached_property
    def grid(self) -> BlockGrid:
        """The task's blocks."""
        return BlockGrid(self.total_roi, self.read_roi, self.write_roi, self.fit)

    @property
    def checks(self) -> tuple[CheckFunction | None, CheckFunction | None]:
        """The check before and the check after a block."""
        if isinstance(self.check_function, tuple):
            return self.check_function
        return self.check_function, self.check_function

    def voxels_in(self, blocks: int) -> int | None:
        """Voxels that so many blocks write; cut ones count in the proportion of all blocks."""
        if self.voxels_per_block is None:
            return None
        whole = len(self.grid) * math.prod(map(int, self.grid.write_roi.shape))
        share = self.grid.writable / whole if self.grid.fit == "shrink" else 1.0
        return round(blocks * self.voxels_per_block * share)

    def bytes_needed_by(self, blocks: int) -> int | None:
        """Bytes that so many blocks would read if none read what another one does."""
        if self.bytes_needed is None:
            return None
        return round(self.bytes_needed * blocks / len(self.grid))


def _check_functions(task: Task) -> None:
    checks = task.check_function
    if isinstance(checks, tuple) and len(checks) != 2:
        raise ValueError(
            f"check_function must be one function or a pair (before, after), got {len(checks)} "
            "of them."
        )
    functions = (task.process_function, *task.checks, task.init_callback_fn)
    wrong = [function for function in functions if not (function is None or callable(function))]
    if wrong or task.process_function is None:
        raise TypeError(
            f"Task {task.task_id!r} needs functions for process_function, check_function and "
            f"init_callback_fn, got {wrong or [None]}."
        )


def _check_upstream(task: Task) -> None:
    upstream = () if task.upstream_tasks is None else task.upstream_tasks
    several = isinstance(upstream, Collection)
    if not several or not all(isinstance(each, Task) for each in upstream):
        given = f"the task {upstream.task_id!r}" if isinstance(upstream, Task) else repr(upstream)
        raise TypeError(
            f"upstream_tasks of task {task.task_id!r} must be a list of tasks, such as [task], got "
            f"{given}."
        )


def _check_covers(task_id: str, grid: BlockGrid) -> None:
    """Refuse a grid without blocks, and warn of voxels that no block writes."""
    if not len(grid):
        before, after = grid.context
        raise ValueError(
            f"No block of task {task_id!r} fits: total_roi {grid.total_roi} has shape "
            f"{tuple(grid.total_roi.shape)}, a block reads {tuple(grid.read_roi.shape)}, of which "
            f"{tuple(before)} before and {tuple(after)} after what it writes. total_roi includes "
            'this context: grow it by as much, make the blocks smaller, or use fit="shrink".'
        )
    if grid.unwritten:
        covered = 1 - grid.unwritten / grid.writable
        warnings.warn(
            f"fit='valid' leaves {grid.unwritten} of {grid.writable} voxels (in world units) of "
            f"task {task_id!r} unwritten: blocks cover {covered:.0%}. Use "
            'fit="shrink" or "overhang" to cover all, or a total_roi that blocks divide.',
            stacklevel=5,
        )
