"""Workers killed for memory are told apart, and what would not fit is refused before it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster
from recording import line, recorder, runs

from dask_blockwise.engine.run import run

MB = 10**6
OPTIONS: dict[str, Any] = {"dashboard_address": ":0", "silence_logs": "CRITICAL"}
GROUPS = Path("/sys/fs/cgroup/memory")


def eat(megabytes: int) -> None:
    """Have so much memory, touched a little at a time, as a nanny looks now and then."""
    held = []
    for _ in range(0, megabytes, 10):
        held.append(np.ones(10 * MB, np.uint8))


@pytest.fixture(scope="module")
def small() -> Iterator[Client]:
    """One worker process of two threads that may have 400 MB."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, memory_limit="400MB", **OPTIONS) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_a_worker_that_its_nanny_kills_for_memory_is_told_apart(
    small: Client, tmp_path: Path
) -> None:
    def greedy(number: int, attempt: int) -> None:
        while number == 3:
            eat(2000)

    summary = run(line(8, recorder(tmp_path, greedy), max_retries=1), small, progress=False)
    assert list(summary["task"].failures) == [3]
    failure = summary["task"].failures[3]
    assert failure.cause.startswith("The worker process was killed for memory while it ran the")
    assert "and may have 381.47 MiB" in failure.cause
    assert "smaller blocks (block_shape=)" in failure.advice
    assert max(runs(tmp_path).values()) <= 2
    assert len(runs(tmp_path)) == 8


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of 600 MB, beyond which the kernel kills."""
    group = GROUPS / f"dask-blockwise-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(f"{600 * MB}")
    except OSError:
        pytest.skip("control groups of memory can't be made here")
    yield group
    group.rmdir()


def test_a_worker_that_the_kernel_kills_for_memory_is_told_apart(
    group: Path, tmp_path: Path
) -> None:
    def greedy(number: int, attempt: int) -> None:
        if number == 3:
            (group / "cgroup.procs").write_text(f"{os.getpid()}")
            eat(2000)

    def enter(group: str) -> None:
        (Path(group) / "cgroup.procs").write_text(f"{os.getpid()}")

    with (
        LocalCluster(n_workers=1, threads_per_worker=1, memory_limit=0, **OPTIONS) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.run(enter, str(group))
        summary = run(line(8, recorder(tmp_path, greedy), max_retries=0), client, progress=False)
    assert list(summary["task"].failures) == [3]
    assert "killed for memory" in summary["task"].failures[3].cause
    assert "by the kernel, as no more was left of the 572.20 MiB" in summary["task"].errors[3]


def test_blocks_that_would_not_fit_are_refused_before_any_runs(
    small: Client, tmp_path: Path
) -> None:
    told = (
        r"Task 'task' doesn't fit .* nothing was run: 2 blocks at once hold 2 x 190.73 MiB of "
        r"arrays, as plan\(\) says, beside .* in all; tcp://\S+ may have 95% of 381.47 MiB .*"
        r"smaller blocks .* fewer threads .* more memory"
    )
    with pytest.raises(ValueError, match=told):
        run(line(8, recorder(tmp_path), memory=200 * MB), small, progress=False)
    assert not runs(tmp_path)


def test_workers_that_come_later_are_looked_at_as_they_come(tmp_path: Path) -> None:
    def take_long(number: int, runs: int) -> None:
        time.sleep(1)  # What is over before workers are looked at isn't refused.

    with (
        LocalCluster(n_workers=0, threads_per_worker=1, memory_limit="400MB", **OPTIONS) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        cluster.adapt(minimum=0, maximum=1)
        # The first to come may have begun with a block.
        with pytest.raises(ValueError, match=r"the run is over: a block holds 476.84 MiB"):
            run(line(8, recorder(tmp_path, take_long), memory=500 * MB), client, progress=False)


@pytest.mark.parametrize("options", [{"num_workers": 1}, {"memory": 50 * MB}], ids=str)
def test_blocks_that_fit_run(small: Client, tmp_path: Path, options: dict[str, int]) -> None:
    given = {"memory": 100 * MB} | options
    assert run(line(8, recorder(tmp_path), **given), small, progress=False)


def test_an_only_block_is_not_to_be_made_smaller(small: Client, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a block holds 381.47 MiB of arrays.*It is one block"):
        run(line(1, recorder(tmp_path), memory=400 * MB), small, progress=False)


def test_another_death_is_no_death_for_memory(small: Client, tmp_path: Path) -> None:
    def die(number: int, attempt: int) -> None:
        if number == 3:
            os._exit(1)

    summary = run(line(8, recorder(tmp_path, die), max_retries=0), small, progress=False)
    assert summary["task"].errors == {3: "The worker process died while it ran the block."}
