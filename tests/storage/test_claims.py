"""Claims: one living run at a time writes an output, on disks and in buckets."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from gcs_objects import Objects

from dask_blockwise.storage import claims
from dask_blockwise.storage.arrays import create_array
from dask_blockwise.storage.claims import Claim
from dask_blockwise.storage.documents import list_names, put, read_bytes
from dask_blockwise.storage.file_locks import FileLock
from dask_blockwise.storage.holders import Holder
from dask_blockwise.storage.leases import FileLease, ObjectLease
from dask_blockwise.storage.location import is_remote

HOLD = """
import errno, fcntl, sys
from dask_blockwise.storage.claims import Claim
def no_locks(*_):
    raise OSError(errno.ENOLCK, "No locks available")
if sys.argv[2] == "no locks":
    fcntl.flock = no_locks
with Claim(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def no_locks(*_):
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.fixture(params=["locks", "no locks", "s3", "gs"])
def kind(request):
    return request.param


@pytest.fixture
def output(kind, request, tmp_path, monkeypatch):
    """Where an array is to be, and a folder of its marks."""
    if kind == "gs":
        with Objects() as server:
            monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", server.url)
            monkeypatch.setenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", "token")
            yield "gs://bucket/a.zarr/x"
            return
    if kind == "no locks":
        monkeypatch.setattr(fcntl, "flock", no_locks)
    bucket = request.getfixturevalue("s3_bucket") if kind == "s3" else ""
    yield f"{bucket}/claims{tmp_path}/a.zarr/x" if bucket else str(tmp_path / "a.zarr/x")


@pytest.fixture
def folder(output):
    return f"{output}/.dask_blockwise"


@contextmanager
def held_by_another_process(folder, kind):
    command = [sys.executable, "-c", HOLD, folder, kind]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True) as process:
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()


def files(folder, kind):
    """Names of what lies there."""
    if kind == "gs":
        return [name for name in ("run.json",) if lease_of(folder).look() is not None]
    if is_remote(folder):
        return list_names(folder)
    return sorted(entry.name for entry in Path(folder).glob("*"))


def lease_of(folder, key=b"another"):
    if is_remote(folder):
        return ObjectLease(folder, "run.json", key)
    Path(folder).mkdir(parents=True, exist_ok=True)
    return FileLease(Path(folder, "run.json"))


def elsewhere(claim="another"):
    """A run on another machine."""
    return Holder("r", "far", "another", 7, 0.0, "somebody", "2026-11-26T08:00:00+00:00", claim)


def test_a_living_process_excludes_others_and_a_killed_one_makes_way(output, folder, kind):
    with held_by_another_process(folder, kind) as process:
        with pytest.raises(BlockingIOError) as raised:
            Claim(folder).__enter__()
        text = str(raised.value)
        assert text.startswith(f"Another run has been writing to {output} since 2")
        assert f", process {process.pid}, user " in text
        assert ("last heard of" in text) == (kind != "locks")
        assert text.endswith("Wait for it, stop it, or store at another path.")
        process.send_signal(signal.SIGKILL)
        # It is a zombie until the end of this block.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert "run.json" in files(folder, kind)
        with Claim(folder) as claim, pytest.raises(BlockingIOError, match=str(os.getpid())):
            Claim(folder).__enter__()
        assert not claim.is_held
    assert files(folder, kind) == []


def test_it_outlives_the_output_being_made_anew(output, folder, kind):
    if kind == "gs":
        pytest.skip("the server keeps objects, but can't list them")
    create_array(output, (4,), "u1", chunks=(4,))
    with Claim(folder) as claim:
        put(folder, "done.bin", b"1")
        create_array(output, (4,), "u2", chunks=(4,), overwrite=True)
        assert "done.bin" not in files(folder, kind)
        assert claim.is_held
        with pytest.raises(BlockingIOError):
            Claim(folder).__enter__()
    assert files(folder, kind) == []


@pytest.mark.parametrize("stale", [True, False])
def test_one_far_away_is_dead_once_it_is_not_heard_of(output, folder, kind, stale, monkeypatch):
    if kind == "locks":
        pytest.skip("a lock tells")
    assert lease_of(folder).take(elsewhere().tell(), None)
    if stale:
        monkeypatch.setattr(claims, "_DEAD_AFTER", 1)
        time.sleep(2.1)
        with Claim(folder) as claim:
            assert claim.is_held
        assert files(folder, kind) == []
    else:
        said = r"host far, process 7, user .*, last heard of \d s ago"
        with pytest.raises(BlockingIOError, match=said):
            Claim(folder).__enter__()


def test_one_that_renews_lives(folder, kind, monkeypatch):
    if kind == "locks":
        pytest.skip("a lock tells")
    monkeypatch.setattr(claims, "_RENEWED_EVERY", 0.2)
    monkeypatch.setattr(Holder, "here", lambda run: elsewhere(uuid4().hex))
    with Claim(folder) as claim:
        time.sleep(3)
        monkeypatch.setattr(claims, "_DEAD_AFTER", 2)
        with pytest.raises(BlockingIOError, match="last heard of"):
            Claim(folder).__enter__()
        assert claim.is_held
    assert files(folder, kind) == []


def test_one_that_was_robbed_knows_and_removes_nothing(folder, kind, monkeypatch):
    if kind == "locks":
        pytest.skip("a lock tells")
    monkeypatch.setattr(claims, "_RENEWED_EVERY", 0.3)
    with Claim(folder) as claim:
        other = lease_of(folder)
        while not other.take(elsewhere().tell(), other.look()):
            pass
        for _ in range(100):
            if not claim.is_held:
                break
            time.sleep(0.1)
        assert not claim.is_held
    assert files(folder, kind) == ["run.json"]
    other.release()
    assert files(folder, kind) == []


@pytest.mark.parametrize("stale", [True, False])
def test_of_many_at_once_one_wins(folder, kind, stale, monkeypatch):
    if stale and kind == "locks":
        pytest.skip("a lock tells")
    if kind == "s3":
        pytest.skip("the server looks for an object and puts it in two steps")
    if stale:
        assert lease_of(folder).take(elsewhere().tell(), None)
        time.sleep(2.1)
        monkeypatch.setattr(claims, "_DEAD_AFTER", 1)
    ready, outcomes, ended = threading.Barrier(8), [], threading.Event()

    def run():
        ready.wait()
        try:
            with Claim(folder):
                outcomes.append("held")
                ended.wait(20)
        except BlockingIOError:
            outcomes.append("refused")

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(outcomes) < 8:
        time.sleep(0.01)
    ended.set()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held", *["refused"] * 7]
    assert files(folder, kind) == []


def test_what_it_says(folder, kind):
    with Claim(folder, run="mine"):
        if kind != "gs":
            told = json.loads(read_bytes(folder, "run.json"))
            assert (told["run"], told["process"]) == ("mine", os.getpid())
            assert {"host", "user", "since"} <= set(told)


def test_torn_words_are_no_matter(tmp_path):
    folder = tmp_path / "x/.dask_blockwise"
    with Claim(folder):
        (folder / "run.json").write_text('{"run": "')
        with pytest.raises(BlockingIOError, match=r"Another run is writing to .*/x: two runs"):
            Claim(folder).__enter__()


def test_folders_that_were_made_for_it_alone_go(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    with Claim(tmp_path / "a.zarr/x/s0/.dask_blockwise"):
        pass
    assert list((tmp_path / "a.zarr").iterdir()) == []
    create_array(tmp_path / "a.zarr/y", (4,), "u1", chunks=(4,))
    with Claim(tmp_path / "a.zarr/y/.dask_blockwise"):
        put(str(tmp_path / "a.zarr/y/.dask_blockwise"), "done.bin", b"1")
    assert files(f"{tmp_path}/a.zarr/y/.dask_blockwise", "locks") == ["done.bin"]


def test_a_store_that_cannot_be_written_is_named(tmp_path, s3_bucket):
    (tmp_path / "file").write_text("1")
    for path in f"{tmp_path}/file/x/.dask_blockwise", "s3://nowhere/x/.dask_blockwise":
        with pytest.raises(OSError, match=r"x/\.dask_blockwise.* can't be (written|read)"):
            Claim(path).__enter__()


def test_a_lock_is_not_taken_by_a_file_that_was_just_removed(tmp_path, monkeypatch):
    path, own = tmp_path / "run.lock", fcntl.flock
    FileLock.take(path).release()
    path.touch()
    removed = iter([True])

    def flock(*arguments):
        own(*arguments)
        if next(removed, False):
            path.unlink()

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = FileLock.take(path)
    assert lock.is_held
    lock.release()
    assert not path.exists()
