"""What is shown of tasks as they go."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from weakref import WeakSet

import pytest
from distributed import Client, LocalCluster
from recording import line, recorder

from dask_blockwise.engine import bars, crew
from dask_blockwise.engine.bars import open_bar
from dask_blockwise.engine.run import run
from dask_blockwise.engine.stopping import NoWorkers


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars that another test of this process has left open would move these down."""
    monkeypatch.setattr("tqdm.std.tqdm._instances", WeakSet(), raising=False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bars, "time", clock)
    return clock


def test_a_line_comes_a_minute_or_a_tenth(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    bar = open_bar("smooth", 1000, 0, shown=True)
    for _ in range(50):  # half of it, in 50 s
        clock.now += 1
        bar.update(10, 0, 0)
    for _ in range(300):  # hardly any, in 5 min
        clock.now += 1
        bar.update(0, 1, 2)
    bar.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "smooth: 100 of 1000 blocks, 10 blocks/s, 90 s left"
    assert [int(re.findall(r": (\d+) of", text)[0]) for text in lines] == [
        *range(100, 501, 100),
        *[500] * 4,
    ]
    assert "500 of 1000 blocks, 1 failed, 2 retries, " in lines[-1]


def test_a_program_that_has_imported_what_notebooks_use_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("ipykernel.ipkernel")
    capsys.readouterr()  # what it warns of itself
    open_bar("smooth", 1, 0, shown=True).update(1, 0, 0)
    assert capsys.readouterr().err == "smooth: 1 of 1 blocks\n"


def test_a_kernel_of_a_notebook_has_bars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ipython = pytest.importorskip("IPython")
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setattr(ipython, "get_ipython", lambda: shell)
    open_bar("smooth", 1, 0, shown=True).update(1, 0, 0)
    assert "smooth: 100%|" in capsys.readouterr().err


@pytest.mark.parametrize("blocks", [1, 2, 9, 10, 11, 16, 19, 36, 99, 101])
def test_small_tasks_have_ten_lines_at_most(
    blocks: int, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = open_bar("smooth", blocks, 0, shown=True)
    for _ in range(blocks):
        bar.update(1, 0, 0)
    bar.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) <= 10
    assert lines[-1] == f"smooth: {blocks} of {blocks} blocks"


def test_a_task_that_waits_has_no_rate_of_its_own(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    first = open_bar("affinities", 20, 0, shown=False)
    second = open_bar("objects", 20, 0, shown=True, upstream=[first])
    clock.now = 1000.0
    first.update(10, 0, 0)
    second.update(5, 0, 0)
    first.update(10, 0, 0)
    second.update(5, 0, 0)
    clock.now += 1.0
    second.update(5, 0, 0)
    clock.now += 1.0
    second.update(5, 0, 0)
    assert capsys.readouterr().err.splitlines() == [
        "objects: 5 of 20 blocks, waits for others",
        "objects: 10 of 20 blocks",
        "objects: 15 of 20 blocks, 5 blocks/s, 1 s left",
        "objects: 20 of 20 blocks",
    ]


def test_in_a_terminal_it_shows_none_either(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    first = open_bar("affinities", 2, 0, shown=False)
    second = open_bar("objects", 20, 0, shown=True, upstream=[first])
    second.update(5, 0, 0)
    first.update(2, 0, 0)
    second.update(15, 0, 0)
    second.close()
    waiting, *_, last = capsys.readouterr().err.strip("\r\n").split("\r")
    assert "0/20 blocks, waits for others" in waiting
    assert last.rstrip().endswith("| 20/20 blocks")


def test_bars_in_a_terminal_begin_at_one_place_and_say_what_is_left(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    titles = "affinities", "objects: solve"
    shown = []
    for title in titles:
        bar = open_bar(title, 90000, 0, shown=True, beside=titles)
        clock.now += 3600.0
        bar.update(450, 0, 0)
        bar.close()
        shown.append(capsys.readouterr().err.strip("\r\n").split("\r")[-1])
    assert [text.index("|") for text in shown] == [len("objects: solve: 100%")] * 2
    assert all(
        text.rstrip().endswith("450/90000 blocks, 7.5 blocks/min, 8.3 days left") for text in shown
    )


def test_what_workers_wait_for_is_shown_and_counts_for_no_rate(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    first = open_bar("affinities", 20, 0, shown=True)
    second = open_bar("objects", 20, 0, shown=True, upstream=[first])
    for why in ("", "waits for workers: 2 jobs wait (2 for Priority)"):
        for _ in range(100):
            clock.now += 1.0
            for bar in (first, second):
                bar.wait(why, is_idle=True)
    for bar in (first, second):
        bar.wait("1 job waits (1 for Resources)", is_idle=False)
    clock.now += 1.0
    first.update(10, 0, 0)
    for bar in (first, second):
        bar.wait("", is_idle=False)
    clock.now += 1.0
    first.update(10, 0, 0)
    assert capsys.readouterr().err.splitlines() == [
        "affinities: 0 of 20 blocks, waits for workers: 2 jobs wait (2 for Priority)",
        "affinities: 10 of 20 blocks, 10 blocks/s, 1 s left, 1 job waits (1 for Resources)",
        "affinities: 20 of 20 blocks",
    ]


def test_a_terminal_shows_what_workers_wait_for(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    bar = open_bar("objects", 20, 0, shown=True)
    bar.wait("waits for workers: 2 jobs wait (2 for Priority)", is_idle=True)
    bar.update(20, 1, 2)
    bar.close()
    _, waiting, *_, last = capsys.readouterr().err.strip("\r\n").split("\r")
    assert "0/20" in waiting
    assert waiting.rstrip().endswith(", waits for workers: 2 jobs wait (2 for Priority)")
    assert last.rstrip().endswith(", 1 failed, 2 retries")


def test_a_run_without_workers_says_so_until_it_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(crew, "_SHOWN_SECONDS", 0.5)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        Client(empty, set_as_default=False) as client,
        pytest.raises(NoWorkers, match="no worker for"),
    ):
        run(line(4, recorder(tmp_path)), client, workers_timeout=2.5)
    assert capsys.readouterr().err.splitlines() == ["task: 0 of 4 blocks, waits for workers"]
