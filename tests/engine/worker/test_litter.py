"""What runs leave in the temporary folder, and what of it the next one removes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client
from recording import line, recorder, runs

from dask_blockwise.engine.run import run
from dask_blockwise.engine.worker.journal import presence, run_directory
from dask_blockwise.engine.worker.litter import sweep
from dask_blockwise.engine.worker.own_folder import own_folder
from dask_blockwise.engine.worker.presence import Presence, is_gone

ADDRESS = "tcp://here:1"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def age(folder: Path, days: float = 1.0) -> None:
    """Let all in a folder look as if nobody had touched it since."""
    then = time.time() - days * 86400
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then))


WORKER = """
import sys, time
from pathlib import Path
from dask_blockwise.engine.worker.presence import Presence
presence = Presence(lambda: Path(sys.argv[1]))
presence.mark().with_name("batch-0").write_text("notes")
print("begun", flush=True)
time.sleep(1e6)
"""


@contextmanager
def worker(run_id: str, address: str = ADDRESS) -> Iterator[subprocess.Popen[str]]:
    """A process that has said that it runs."""
    command = [sys.executable, "-c", WORKER, str(presence(run_id, address))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            yield process
        finally:
            process.kill()


def test_journals_of_a_run_go_when_all_its_workers_are_gone() -> None:
    with worker("killed") as first, worker("killed", "tcp://here:2"):
        first.kill()
        first.wait()
        age(run_directory("killed"))
        sweep()
        assert run_directory("killed").exists()
    sweep()
    assert not run_directory("killed").exists()


def test_journals_stay_a_while() -> None:
    with worker("killed"):
        pass
    sweep()
    assert run_directory("killed").exists()


def test_journals_of_another_machine_stay() -> None:
    with worker("elsewhere"):
        pass
    presence("elsewhere", "tcp://there:1").write_text("another machine, with the same folder")
    age(run_directory("elsewhere"))
    sweep()
    assert presence("elsewhere", ADDRESS).exists()


def test_what_is_left_of_a_sweep_that_was_broken_off_goes() -> None:
    with worker("killed"):
        pass
    presence("killed", ADDRESS).unlink()
    presence("full", ADDRESS).parent.mkdir()
    presence("full", ADDRESS).touch()
    age(own_folder())
    sweep()
    assert {path.name for path in own_folder().iterdir()} == {"sweep.lock"}


def test_old_logs_go() -> None:
    logs = own_folder() / "logs"
    logs.mkdir()
    for name, days in ("old.log", 30), ("young.log", 2), ("mine.txt", 30):
        (logs / name).write_text("words")
        os.utime(logs / name, times=(0, time.time() - days * 86400))
    sweep()
    assert {path.name for path in logs.iterdir()} == {"young.log", "mine.txt"}


@pytest.mark.parametrize("where", ["/nowhere", "/proc", "/dev/null"])
def test_sweeping_never_raises(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", where)
    sweep()


def test_presence_is_said_again_where_somebody_has_swept() -> None:
    here = Presence(lambda: presence("run", ADDRESS))
    here.mark().unlink()
    run_directory("run").rmdir()
    age(here.mark().parent)
    sweep()
    assert presence("run", ADDRESS).exists()
    here.end()
    sweep()
    assert not run_directory("run").exists()


def test_journals_of_a_run_that_is_on_stay_however_old_they_look(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(number: int, attempt: int) -> None:
        age(run_directory("still-on"))
        sweep()
        (tmp_path / f"swept-{number}").write_text(str(run_directory("still-on").exists()))

    monkeypatch.setattr("dask_blockwise.engine.run._new_run_id", lambda: "still-on")
    assert run(line(4, recorder(tmp_path, look)), client, progress=False)
    assert {path.read_text() for path in tmp_path.glob("swept-*")} == {"True"}


SCRIPT = """
import sys, time
from pathlib import Path
from dask_blockwise.engine.run import run
from dask_blockwise.engine.task import Task
from dask_blockwise.geometry.blocks import Roi

def work(block):
    Path(sys.argv[1]).touch()
    time.sleep(1e6)

if __name__ == "__main__":
    roi = Roi((0,), (10,))
    run(Task("task", Roi((0,), (400,)), roi, roi, work, read_write_conflict=False))
"""


def test_the_next_run_removes_what_a_killed_one_left(
    client: Client, tmp_path: Path, temporary: Path
) -> None:
    script, begun = tmp_path / "script.py", tmp_path / "begun"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(begun)],
        env=os.environ | {"TMPDIR": str(temporary)},
        start_new_session=True,
    )
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while not all(map(is_gone, own_folder().glob("run-*/worker-*"))):
        time.sleep(0.05)
    assert list(temporary.rglob("batch-*"))
    age(temporary)
    blocks = tmp_path / "blocks"
    blocks.mkdir()
    assert run(line(4, recorder(blocks)), client, progress=False)
    assert runs(blocks) == dict.fromkeys(range(4), 1)
    while list(temporary.rglob("batch-*")):
        time.sleep(0.05)
