"""Fences: a worker writes as long as its run has the output, and nobody gets it meanwhile."""

import errno
import fcntl
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from forking import child_that_stays
from gcs_objects import Objects

from dask_blockwise.storage import fences, locked_claims
from dask_blockwise.storage.claims import Claim
from dask_blockwise.storage.fences import ClaimLost, fenced, while_claimed
from dask_blockwise.storage.file_locks import processes_with


def no_locks(*_):
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.fixture(params=["locks", "no locks", "s3", "gs"])
def folder(request, tmp_path, monkeypatch):
    """Where an output is claimed."""
    monkeypatch.setattr(fences, "_BELIEVED_FOR", 0.0)
    if request.param == "no locks":
        monkeypatch.setattr(fcntl, "flock", no_locks)
    if request.param == "gs":
        with Objects() as server:
            monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", server.url)
            monkeypatch.setenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", "token")
            yield "gs://bucket/a.zarr/x/.dask_blockwise"
        return
    bucket = request.getfixturevalue("s3_bucket") if request.param == "s3" else ""
    yield f"{bucket}{tmp_path}/a.zarr/x/.dask_blockwise"


def test_who_has_claimed_the_output_writes(folder):
    with Claim(folder) as claim, fenced(claim.fence), while_claimed(), while_claimed():
        pass


def test_who_had_does_not(folder):
    with Claim(folder) as claim:
        fence = claim.fence
    assert claim.fence is None
    with fenced(fence), pytest.raises(ClaimLost, match="run that this block belongs to is over"):
        while_claimed().__enter__()
    said = rf"another run has claimed it since \(host .*, process {os.getpid()}, user .*, 2"
    with Claim(folder), fenced(fence), pytest.raises(ClaimLost, match=said):
        while_claimed().__enter__()


def test_without_locks_it_is_asked_after_the_write_too(folder, monkeypatch):
    if "://" not in folder:
        monkeypatch.setattr(fcntl, "flock", no_locks)
    claim = Claim(folder)
    claim.__enter__()
    with pytest.raises(ClaimLost, match="is over"), fenced(claim.fence), while_claimed():
        claim.__exit__()


@pytest.fixture
def disk(tmp_path):
    return f"{tmp_path}/a.zarr/x/.dask_blockwise"


def left_behind(disk, monkeypatch):
    """The fence of a run whose driver was killed: what tells of its claim is there still."""
    with monkeypatch.context() as patch:
        patch.setattr(locked_claims.LockedClaim, "_tell_nothing", lambda self: None)
        with Claim(disk) as claim:
            return claim.fence


def test_the_next_run_waits_for_a_write(disk, monkeypatch):
    fence, claimed = left_behind(disk, monkeypatch), threading.Event()

    def claim():
        with Claim(disk):
            claimed.set()

    with ThreadPoolExecutor(1) as pool:
        with fence.passed():
            run = pool.submit(claim)
            assert not claimed.wait(0.3)
        run.result()
    assert claimed.is_set()


def test_and_is_refused_if_that_one_stands_still(disk, monkeypatch):
    fence = left_behind(disk, monkeypatch)
    monkeypatch.setattr(locked_claims, "_WRITTEN_WITHIN", 0.1)
    said = rf"more than 0 s: process {os.getpid()} of this machine\. .* remove .*/run\.json"
    with fence.passed(), pytest.raises(BlockingIOError, match=said):
        Claim(disk).__enter__()
    with Claim(disk):
        pass


def test_nobody_begins_to_write_while_it_waits(disk, monkeypatch):
    fence = left_behind(disk, monkeypatch)
    monkeypatch.setattr(locked_claims, "_WRITTEN_WITHIN", 0.1)
    with fence.passed():
        with pytest.raises(BlockingIOError):
            Claim(disk).__enter__()
        # Or else several that take turns would hold up the next run for good.
        with pytest.raises(ClaimLost, match="is over"):
            fence.passed().__enter__()


def test_a_run_that_ends_during_a_write_lets_no_other_one_pass(disk, monkeypatch):
    monkeypatch.setattr(locked_claims, "_ENDED_WITHIN", 0.1)
    monkeypatch.setattr(locked_claims, "_WRITTEN_WITHIN", 0.1)
    claim = Claim(disk)
    claim.__enter__()
    fence = claim.fence
    with fence.passed():
        claim.__exit__()
        with pytest.raises(ClaimLost):
            fence.passed().__enter__()
        with pytest.raises(BlockingIOError, match="of an earlier run, which is over"):
            Claim(disk).__enter__()
    with Claim(disk):
        pass
    assert list(Path(disk).iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_process_that_was_forked_during_a_write_holds_nothing_up(disk, monkeypatch):
    monkeypatch.setattr(locked_claims, "_ENDED_WITHIN", 0.1)
    with ExitStack() as until_then:
        with Claim(disk) as claim, claim.fence.passed():
            until_then.enter_context(child_that_stays())
        assert not Path(disk).exists()


def test_which_process_has_a_file(tmp_path):
    file = tmp_path / "file"
    with file.open("w") as held:
        assert processes_with(file) == []
        fcntl.flock(held, fcntl.LOCK_SH)
        assert processes_with(file) in ([os.getpid()], [])
    assert processes_with(tmp_path / "none") == []
