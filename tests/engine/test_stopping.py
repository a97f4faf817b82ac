"""Runs that are told to end, and the codes that processes end with."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client
from recording import line, recorder

from dask_blockwise import BlocksFailed
from dask_blockwise.engine.progress import RunSummary, TaskSummary
from dask_blockwise.engine.run import run
from dask_blockwise.engine.stopping import NoWorkers, exit_codes
from dask_blockwise.engine.task_state import TaskState
from dask_blockwise.engine.worker.failure import Failure

SCRIPT = """
import sys, time
from pathlib import Path
sys.path[:0] = {modules!r}
from recording import line, recorder
from dask_blockwise.engine.run import run

def slow(number, attempt):
    time.sleep(0.3)

if __name__ == "__main__":
    print("begun", flush=True)
    run(line(200, recorder(Path({folder!r}), slow), ledger={folder!r} + "/ledger"))
"""


def started(tmp_path: Path) -> subprocess.Popen[str]:
    script = tmp_path / "script.py"
    modules = [str(Path(__file__).parents[1])]
    script.write_text(SCRIPT.format(modules=modules, folder=str(tmp_path)))
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_sigterm_says_how_to_go_on_and_ends_with_75(near: Client, tmp_path: Path) -> None:
    process = started(tmp_path)
    marks = tmp_path / "ledger/done.bin"
    while not marks.exists() or not marks.stat().st_size:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75
    told = (
        r"^Stopped. Task 'task': (\d+) of 200 blocks are done; the same call goes on from there.$"
    )
    done = re.search(told, errors, re.MULTILINE)
    assert done is not None
    assert "Traceback" not in errors
    progress = (tmp_path / "ledger/progress.txt").read_text()
    assert progress.startswith(f"{done[1]} of 200 blocks are done, 0 failed.\n")
    task = line(200, recorder(tmp_path), ledger=f"{tmp_path}/ledger")
    assert run(task, near, progress=False)["task"].skipped == int(done[1])


@pytest.mark.parametrize("wait", [0.1, 2.0])
def test_ctrl_c_while_workers_start_is_one_message(tmp_path: Path, wait: float) -> None:
    process = started(tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    while not psutil.Process(process.pid).children():
        time.sleep(0.05)
    time.sleep(wait)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process
    _, errors = process.communicate(timeout=60)
    assert len(re.findall("^KeyboardInterrupt: Stopped", errors, re.MULTILINE)) == 1
    # All else is of the driver alone, or what asyncio says of a start that was broken off.
    assert errors.count("Traceback") == 1 or "failed to start" in errors


FAILED = TaskSummary("task", 2, completed=1, failures={1: Failure("ValueError: no")})


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (BlocksFailed(RunSummary((FAILED,))), 1, "ValueError: no"),
        (ValueError("no such axis"), 2, "no such axis"),
        (NoWorkers("no worker for 5 seconds"), 75, "no worker for 5 seconds"),
        (KeyboardInterrupt("Stopped. Task"), 75, "Stopped. Task"),
        (KeyboardInterrupt(), 75, "Stopped."),
    ],
    ids=["blocks", "usage", "workers", "ctrl-c", "bare ctrl-c"],
)
def test_exit_codes(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, exit_codes():
        raise error
    assert ended.value.code == code
    assert told in capsys.readouterr().err


def test_other_errors_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError), exit_codes():
        _: Any = 1 / 0


class Thing:
    """Something that has an end."""


def at_the_end_of_a_weakref(call: Callable[[], None]) -> None:
    thing = Thing()
    weakref.finalize(thing, call)


def at_the_end_of_an_object(call: Callable[[], None]) -> None:
    class Last:
        def __del__(self) -> None:
            call()

    Last()


def once_settled(patch: pytest.MonkeyPatch, call: Callable[[], object]) -> None:
    """Call something in the driver, once, as it takes in what became of a batch."""
    settle, calls = TaskState.settle, iter([call])

    def settling(*arguments: Any) -> int:
        next(calls, lambda: None)()
        return settle(*arguments)

    patch.setattr(TaskState, "settle", settling)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def number(request: pytest.FixtureRequest) -> Iterator[int]:
    """A signal that stops a run, and then means what it did before."""
    before = signal.getsignal(request.param)
    yield request.param
    assert signal.getsignal(request.param) is before


@pytest.mark.parametrize("where", [at_the_end_of_a_weakref, at_the_end_of_an_object])
def test_a_signal_that_comes_where_python_drops_errors_stops_the_run(
    where: Callable[[Callable[[], None]], None],
    number: int,
    near: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    once_settled(monkeypatch, lambda: where(lambda: signal.raise_signal(number)))
    task = line(200, recorder(tmp_path, lambda *_: time.sleep(0.01)), ledger=f"{tmp_path}/ledger")
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(task, near, progress=False)
    assert 0 < run(task, near, progress=False)["task"].skipped < 200


def test_the_second_stops_a_run_that_hangs(
    number: int, near: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came_by = []

    def hang() -> None:
        for place in ("first", "second"):
            signal.raise_signal(number)
            came_by.append(place)

    once_settled(monkeypatch, hang)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run(line(20, recorder(tmp_path)), near, progress=False)
    assert came_by == ["first"]


def test_a_ctrl_c_that_means_something_else_is_left_to_it(
    near: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        once_settled(monkeypatch, lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
        assert run(line(20, recorder(tmp_path)), near, progress=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == [signal.SIGINT] * 2


def test_a_ctrl_c_that_stops_at_its_second_time_stops_the_run_wherever_that_comes(
    near: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[int] = []

    def second(number: int, _: Any) -> None:  # as asyncio.run has it
        came.append(number)
        if len(came) == 2:
            raise KeyboardInterrupt

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        at_the_end_of_an_object(lambda: signal.raise_signal(signal.SIGINT))

    before = signal.signal(signal.SIGINT, second)
    try:
        once_settled(monkeypatch, twice)
        with pytest.raises(KeyboardInterrupt):
            run(line(200, recorder(tmp_path)), near, progress=False)
        assert signal.getsignal(signal.SIGINT) is second
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_what_a_signal_is_to_mean_next_time_stays(
    number: int, near: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def last_time(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)

    before = signal.signal(number, last_time)
    try:
        once_settled(monkeypatch, lambda: signal.raise_signal(number))
        assert run(line(20, recorder(tmp_path)), near, progress=False)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_what_a_script_does_of_sigterm_outlives_exit_codes() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        with exit_codes():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
