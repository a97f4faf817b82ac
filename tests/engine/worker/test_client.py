"""Worker loops, in this process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from dask_blockwise.engine.worker.client import BlockLoops, Client, Context
from dask_blockwise.geometry.blocks import Block, Roi

CONTEXT = Context(scheduler="tcp://here:1", task_id="task")


def at_once() -> None:
    """Asks for no block."""


def holding_one() -> None:
    held.append(Client().acquire_block())
    held[-1].__enter__()


def failing() -> None:
    with Client().acquire_block():
        raise ValueError("no luck")


held: list[AbstractContextManager[Block | None]] = []


@pytest.mark.parametrize("loop", [at_once, holding_one, failing])
def test_blocks_after_a_loop_that_ended_do_not_wait_for_it(loop: Callable[[], None]) -> None:
    roi = Roi((0,), (10,))
    loops = BlockLoops(loop, CONTEXT)
    for number in range(3):
        with pytest.raises(RuntimeError, match=r"there were blocks left|no luck"):
            loops(Block(roi, roi, roi, ("task", number)))
