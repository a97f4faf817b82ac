"""A worker of a killed run writes late: what a later run has stored stays as that run left it."""

import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from distributed import Client, LocalCluster

import dask_blockwise as dbw
from dask_blockwise.engine.worker.batch import is_idle
from dask_blockwise.storage.arrays import open_array
from dask_blockwise.storage.holders import Holder

VOXELS = np.arange(8 * 8, dtype=np.int32).reshape(8, 8)
# A run whose first and last block wait, past its driver's death, for files that let them go on.
LATE = """
import sys, time
from pathlib import Path
import dask_blockwise as dbw
import numpy as np
from distributed import Client

scheduler, output, notes = sys.argv[1:]

def late(values):
    which = {0: "first", 36: "last"}.get(int(values[0, 0]))
    if which is not None:
        Path(notes, which).touch()
        while not Path(notes, f"{which} goes on").exists():
            time.sleep(0.02)
    return values * 2

voxels = dbw.Volume.from_array(np.arange(64, dtype=np.int32).reshape(8, 8), chunks=(4, 4))
late = dbw.map_overlap(late, voxels, halo=0)
late.to_zarr(output, client=Client(scheduler), progress=False)
"""


@pytest.fixture(scope="module")
def far():
    """Two worker processes, which outlive the drivers of runs."""
    options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as client:
        yield client


def until(holds, what):
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def killed_in_its_blocks(client, output, notes):
    """A run whose driver is dead, and whose workers are in its first and its last block."""
    notes.mkdir()
    command = [sys.executable, "-c", LATE, client.scheduler.address, output, str(notes)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        until(lambda: len(list(notes.iterdir())) == 2, "the run doesn't come to its blocks")
        driver.send_signal(signal.SIGKILL)


def let_go(client, notes, which, busy):
    """Let a late block go on, and wait until its worker has come to the end of its batch."""
    (notes / f"{which} goes on").touch()
    until(lambda: sum(client.run(is_idle).values()) == 2 - busy, "it went on for ever")


def stored(output, client, waits_for, **options):
    """Another run over the same voxels, whose last block waits for a file."""

    def tripled(values):
        while values[-1, -1] == 63 and not waits_for.exists():
            time.sleep(0.02)
        return values * 3

    volume = dbw.map_overlap(tripled, dbw.Volume.from_array(VOXELS, chunks=(4, 4)), halo=0)
    return volume.to_zarr(output, client=client, progress=False, version="1", **options)


@pytest.fixture(params=["disk", "no locks", "bucket"])
def output(request, tmp_path, monkeypatch):
    """Where a run goes."""
    if request.param == "no locks":
        monkeypatch.setattr(fcntl, "flock", no_locks)
    bucket = request.getfixturevalue("s3_bucket") if request.param == "bucket" else ""
    return f"{bucket}/late{tmp_path}/out.zarr/x" if bucket else str(tmp_path / "out.zarr/x")


def no_locks(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_what_a_later_run_stores_stays(far, near, tmp_path, output):
    """Though one worker of the killed run goes on while it runs, and one once it is over."""
    notes, on = tmp_path / "notes", tmp_path / "on"
    killed_in_its_blocks(far, output, notes)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(stored, output, near, on, overwrite=True)
        try:
            until(lambda: is_stored(output, 0), "the other run doesn't come to its first block")
            let_go(far, notes, "first", busy=1)
        finally:
            on.touch()
        assert run.result()
    let_go(far, notes, "last", busy=0)
    assert np.array_equal(dbw.open_volume(output)[:], VOXELS * 3)
    assert [task.completed for task in stored(output, near, on).tasks] == [0]


def test_where_there_are_no_locks_what_was_written_over_is_computed_again(
    near, tmp_path, monkeypatch
):
    """It can't be kept from a worker that stood still between its look and its write."""
    monkeypatch.setattr(fcntl, "flock", no_locks)
    output, on = str(tmp_path / "out.zarr/x"), tmp_path / "on"
    marks = tmp_path / "out.zarr/x/s0/.dask_blockwise"
    marks.mkdir(parents=True)
    dead = replace(Holder.here("dead"), process=2**22 - 1)
    (marks / "run.json").write_bytes(dead.tell())
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(stored, output, near, on)
        try:
            until(lambda: is_stored(output, 0), "the run doesn't come to its first block")
            late = open_array(f"{output}/s0", writable=True)
            late.write((slice(0, 4), slice(0, 4)), VOXELS[:4, :4] * 2)
        finally:
            on.touch()
        assert run.result()
    assert np.array_equal(dbw.open_volume(output)[:], VOXELS * 3)
    assert [task.completed for task in stored(output, near, on).tasks] == [0]


def is_stored(output, row):
    try:
        return np.array_equal(dbw.open_volume(output)[row, :4], VOXELS[row, :4] * 3)
    except (OSError, ValueError):
        return False


def test_blocks_that_hang_do_not_hold_up_the_next_run(far, tmp_path):
    """They end with their processes, as the next run wants their threads, and it isn't to blame."""
    output = str(tmp_path / "out.zarr/x")
    killed_in_its_blocks(far, output, tmp_path / "notes")
    (tmp_path / "on").touch()
    summary = stored(output, far, tmp_path / "on", overwrite=True, max_retries=0)
    assert summary.tasks[0].completed == 4
    assert np.array_equal(dbw.open_volume(output)[:], VOXELS * 3)
