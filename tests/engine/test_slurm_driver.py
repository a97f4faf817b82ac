"""A driver that is a batch job itself: cancelled, killed and requeued; who may hear a cluster."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from distributed import Client

import dask_blockwise as dbw

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(importlib.util.find_spec("dask_jobqueue") is None, reason="dask-jobqueue"),
]

DRIVER = """
import time
import numpy as np
import dask_blockwise as dbw
from distributed import Client

def slow(block):
    time.sleep(0.25)
    return 255 - block

if __name__ == "__main__":
    values = np.arange(100 * 16, dtype=np.uint32).reshape(100, 16).astype(np.uint8)
    volume = dbw.Volume.from_array(values, chunks=(1, 16))
    with dbw.exit_codes(), dbw.cluster("slurm", 2, memory="1GB", name="{name}") as jobs:
        with Client(jobs):
            dbw.map_overlap(slow, volume).to_zarr("out.zarr/inverse")
"""


def squeue(*options: str) -> str:
    command = ["squeue", "--noheader", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wait_until(condition: Callable[[], object], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, squeue("--states=all")
        time.sleep(0.2)


def submitted(folder: Path) -> str:
    script = folder / "driver.py"
    script.write_text(DRIVER.format(name=f"w-{folder.name[:20]}"))
    command = ["sbatch", "--parsable", "--requeue", "--open-mode=append", f"--chdir={folder}"]
    command += ["--output=out.txt", "--mem=2G", f"--wrap=exec {sys.executable} driver.py"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def workers_of(folder: Path) -> str:
    return squeue(f"--name=w-{folder.name[:20]}")


def marks(folder: Path) -> int:
    files = list(folder.glob("out.zarr/**/done.bin"))
    return files[0].stat().st_size if files else 0


def ended(job: str) -> Callable[[], bool]:
    return lambda: "COMPLETED" in squeue("--states=all", f"--jobs={job}", "--format=%T")


def test_a_driver_in_a_job_is_cancelled_requeued_killed_and_goes_on(
    slurm: Path, tmp_path: Path
) -> None:
    first = submitted(tmp_path)
    wait_until(lambda: marks(tmp_path))
    subprocess.run(["scancel", first], check=True)
    wait_until(lambda: not workers_of(tmp_path))
    text = (tmp_path / "out.txt").read_text()
    (done,) = re.findall(r"Stopped\. Task '.*': (\d+) of 100 blocks are done; the same call", text)
    assert 0 < int(done) < 100
    assert "Traceback" not in text
    assert "\r" not in text  # no bars

    # A driver that is killed tells nobody: its workers end by themselves.
    second, before = submitted(tmp_path), marks(tmp_path)
    wait_until(lambda: marks(tmp_path) > before)
    subprocess.run(["scancel", "--signal=KILL", "--full", second], check=True)
    wait_until(lambda: not workers_of(tmp_path))

    third, before = submitted(tmp_path), marks(tmp_path)
    wait_until(lambda: marks(tmp_path) > before)
    subprocess.run(["scontrol", "requeue", third], check=True)
    wait_until(lambda: "BeginTime" in squeue(f"--jobs={third}", "--format=%r"))
    # Which it would wait two minutes for.
    subprocess.run(["scontrol", "update", f"JobId={third}", "StartTime=now"], check=True)
    wait_until(ended(third))
    wait_until(lambda: not workers_of(tmp_path))
    values = np.arange(100 * 16, dtype=np.uint32).reshape(100, 16).astype(np.uint8)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "out.zarr/inverse")[:], 255 - values)


def test_only_who_has_the_certificates_is_heard(slurm: Path, tmp_path: Path) -> None:
    # Clusters and servers of other tests may live in this process too.
    others = _listening(psutil.Process().pid)
    with (
        dbw.cluster("slurm", 1, memory="1GB") as jobs,
        Client(jobs, set_as_default=False) as client,
    ):
        client.wait_for_workers(1, timeout=90)
        assert jobs.scheduler_address.startswith("tls://")
        (worker,) = client.run(_process).values()
        in_plain = {psutil.Process().pid: jobs.scheduler.port}
        in_plain[worker] = int(next(iter(client.nthreads())).rpartition(":")[2])
        for pid, port in in_plain.items():
            open_to_all = {ip for ip, at in _listening(pid) - others if at != port} - {"127.0.0.1"}
            assert not open_to_all
        plain = jobs.scheduler_address.replace("tls://", "tcp://")
        with pytest.raises(OSError):  # noqa: PT011 - as its end of the connection sees it.
            Client(plain, timeout="2s", set_as_default=False)
        for path in jobs.folder.rglob("*.*"):
            assert path.suffix in (".err", ".out") or path.stat().st_mode & 0o077 == 0
        assert jobs.folder.stat().st_mode & 0o077 == 0
        # Another process of the same person.
        code = "from distributed import Client; print(len(Client().nthreads()))"
        environment = {"DASK_CONFIG": str(jobs.connection_file), "PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-c", code]
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert told.stdout == "1\n", told.stderr
        kept = jobs.folder
    assert not list(kept.rglob("*.pem"))


def _listening(pid: int) -> set[tuple[str, int]]:
    """Addresses at which a process listens."""
    found = psutil.Process(pid).net_connections("tcp")
    return {(c.laddr.ip, c.laddr.port) for c in found if c.status == "LISTEN"}


def _process() -> int:
    return psutil.Process().pid
