"""What is told of an exception that came out of a block."""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from dask_blockwise.engine.worker import batch
from dask_blockwise.engine.worker.client import Context
from dask_blockwise.engine.worker.failure import FailedElsewhere, Failure, failure_of, place_of
from dask_blockwise.engine.worker.work import run_block
from dask_blockwise.geometry.blocks import Block, BlockGrid, BlockStatus, Roi
from dask_blockwise.volumes import map_overlap

ROI = Roi((0,), (10,))


def failure(function: Callable[[Any], Any]) -> Failure:
    """What is told of a block, run as a worker does."""
    work = batch.Work("task", BlockGrid(ROI, ROI, ROI), function, None, None, None, Context())
    journal = MagicMock()
    run_block(work, function, 0, journal)
    _, fate, told = journal.end.call_args.args
    assert fate == "failures"
    assert isinstance(told, Failure)
    return told


def calls_in(text: str) -> list[tuple[str, str, str]]:
    """File, line and function of the calls in a traceback."""
    return re.findall(r'^  File "(.*)", line (\d+), in (.*)$', text, re.MULTILINE)


def raises(block: Block) -> None:
    raise ValueError("no room\nat all")


def calls_a_library(block: Block) -> None:
    json.loads("[1,")


def sets_the_status(block: Block) -> None:
    block.status = BlockStatus.FAILED


def chained(block: Block) -> None:
    try:
        raises(block)
    except ValueError as error:
        raise KeyError("other") from error


def noted(block: Block) -> None:
    error = TypeError("wrong")
    error.add_note("It should be right.")
    raise error


@pytest.mark.parametrize(
    ("function", "cause", "calls"),
    [
        (raises, "ValueError: no room\nat all", ["raises"]),
        (noted, "TypeError: wrong\nIt should be right.", ["noted"]),
        (chained, "KeyError: 'other'", ["chained", "raises", "chained"]),
        (
            *(calls_a_library, "json.decoder.JSONDecodeError: Expecting value: line 1"),
            ["calls_a_library", "loads", "decode", "raw_decode"],
        ),
    ],
    ids=["raises", "with a note", "chained", "in a library"],
)
def test_the_users_own_error_and_line_come_first(
    function: Callable[[Any], Any], cause: str, calls: list[str]
) -> None:
    told = failure(function)
    assert told.cause.startswith(cause)
    assert told.cause in str(told)
    found = calls_in(str(told))
    assert [name for _, _, name in found] == calls
    users = [call for call in found if call[0] == __file__]
    file, line, name = users[-1]
    assert told.place == f"{name} ({file}:{line})"


def test_an_error_of_ours_has_no_place() -> None:
    told = failure(sets_the_status)
    assert told.cause.startswith("RuntimeError: The worker set the status of block")
    assert (told.place, calls_in(str(told))) == ("", [])


def test_of_a_library_that_a_stage_of_ours_called_that_stage_is_seen() -> None:
    stage = str(Path(map_overlap.__file__))
    names: dict[str, Any] = {"loads": json.loads}
    exec(compile("def read(block):\n    loads(block)\n", stage, "exec"), names)
    told = failure(names["read"])
    assert calls_in(str(told))[0] == (stage, "2", "read")
    assert told.place.startswith("loads (")


def test_the_place_is_the_innermost_of_the_users() -> None:
    ours, library = batch.__file__, "/usr/lib/python3/site-packages/numpy/core.py"
    mine = "/home/me/mine.py"
    calls = [(ours, 1, "_run"), (mine, 2, "outer"), (mine, 3, "inner"), (library, 4, "take")]
    assert place_of(calls) == f"inner ({mine}:3)"
    assert place_of([calls[0], calls[3]]) == f"take ({library}:4)"
    assert place_of(calls[:1]) == ""


def test_what_another_thread_told_is_passed_on() -> None:
    told = Failure("why", "where", "how")
    assert failure_of(FailedElsewhere(told)) is told


def test_a_full_disk_of_which_the_system_names_no_file() -> None:
    def write(block: Block) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    told = failure(write)
    assert told.cause == "OSError: [Errno 28] No space left on device"
    assert tempfile.gettempdir() in told.advice
    assert "Free some space" in told.advice


def test_a_full_disk_that_is_named_needs_no_advice() -> None:
    def write(block: Block) -> None:
        raise OSError(errno.ENOSPC, "The disk of here is full")

    assert failure(write).advice == ""


def test_memory_that_could_not_be_had_says_what_mends_it() -> None:
    def take(block: Block) -> None:
        np.zeros(1 << 50)

    told = failure(take)
    assert "Unable to allocate" in told.cause
    assert "smaller blocks (block_shape=)" in told.advice


@pytest.mark.parametrize(
    ("raised", "may_pass"),
    [
        (OSError(errno.EIO, "a store did not answer"), True),
        (OSError(errno.ESTALE, "a file was replaced"), True),
        (TimeoutError(), True),
        (FileNotFoundError(errno.ENOENT, "no such path"), False),
        (PermissionError(errno.EACCES, "no access"), False),
        (ValueError(), False),
    ],
    ids=repr,
)
def test_what_may_go_well_a_little_later(raised: Exception, may_pass: bool) -> None:
    def process(block: Block) -> None:
        raise raised

    assert failure(process).may_pass == may_pass


def test_what_is_no_text_can_be_sent() -> None:
    failure = failure_of(FileNotFoundError(2, "No such file", "raw-\udce4.tif"))
    assert "udce4" in failure.cause
    for told in failure[:3]:
        told.encode()


def test_of_a_long_text_both_ends_are_kept() -> None:
    failure = failure_of(ValueError(f"begin {'x' * 1_000_000} end"))
    for told in (failure.cause, failure.traceback):
        assert len(told) < 20_000
        assert told.endswith(" end")
    assert failure.cause.startswith("ValueError: begin x")


def test_an_error_that_has_no_text_is_told() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("none")

    assert "Odd" in failure_of(Odd()).cause
