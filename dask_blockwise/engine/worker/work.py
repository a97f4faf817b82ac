"""What a worker process knows of a task, and what it does with a block of it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...geometry.blocks import Block, BlockGrid, BlockStatus
from ...storage.corrupt import collected
from .client import Context, block_function
from .failure import failure_of
from .journal import Journal
from .own_code import OwnCode
from .trace import Trace
from .worker_file import SpawnedWorker

__all__ = ["CheckFunction", "Work", "expects", "run_block", "unpacked"]

CheckFunction = Callable[[Block], Any]


@dataclass(frozen=True)
class Work:
    """What a worker process needs to know of a task; sent to each process once."""

    task_id: str
    grid: BlockGrid
    process_function: Callable[..., object]
    pre_check: CheckFunction | None
    post_check: CheckFunction | None
    timeout: float | None
    context: Context

    def expect(self, number: int) -> bool:
        """Tell the process function, if it has an ``expect``, which block this thread runs next.

        It may begin to read for it, while the present one is computed, and tells whether it does.
        """
        return expects(self.process_function, self.grid.block(self.task_id, number))


def expects(function: Callable[..., object], block: Block) -> bool:
    """Tell a function, if it has an ``expect``, of its next block; whether it reads for it now."""
    expect = getattr(function, "expect", None)
    return expect is not None and bool(expect(block))


def unpacked(blob: bytes, code: OwnCode) -> tuple[Work, Callable[[Block], object]]:
    """A task and its function of a block, which is set up."""
    with code.checked():
        work: Work = pickle.loads(blob)
    function = work.process_function
    if isinstance(function, SpawnedWorker):
        function = function.function
    return work, block_function(function, work.context)


def run_block(
    work: Work, function: Callable[[Block], object], number: int, journal: Journal
) -> None:
    """Process a block, and write what became of it into a journal."""
    try:
        with journal.deadline(work.timeout, _process), collected() as corrupt:
            trace = _process(work, function, work.grid.block(work.task_id, number))
        if corrupt:
            journal.corrupt(number, list(corrupt))
    except BaseException as error:
        journal.end(number, "failures", failure_of(error))
    else:
        journal.end(number, "skipped" if trace is None else "done", trace)


def _process(work: Work, function: Callable[[Block], object], block: Block) -> Trace | None:
    """Process a block unless its pre-check says that it is done; None where it was skipped."""
    if work.pre_check is not None and work.pre_check(block):
        return None
    block.status = BlockStatus.PROCESSING
    returned = function(block)
    if block.status is BlockStatus.PROCESSING:
        block.status = BlockStatus.SUCCESS
    if block.status is not BlockStatus.SUCCESS:
        raise RuntimeError(
            f"The worker set the status of block {block.block_id} to {block.status.name}."
        )
    if work.post_check is not None and not work.post_check(block):
        raise RuntimeError(
            f"The check after block {block.block_id} was not true: its process function returned, "
            "but left something else than the check expects."
        )
    return returned if isinstance(returned, Trace) else Trace()
