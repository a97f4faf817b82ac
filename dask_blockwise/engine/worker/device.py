"""A worker process takes a device for itself, before anything in it looks for devices.

Each GPU of a job, or of this machine, is one process's own, as in dask-cuda: the process is shown
no other. A device is taken by a lock that ends with the process, so that the one that is started in
its place finds it free.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from typing import IO

from .own_folder import own_folder

try:
    import fcntl
except ImportError:  # On Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["dask_setup", "take_device"]

# What a driver names the devices by, and whether they are a job's own, which no other job sees.
DEVICES, OF_JOB = "DASK_BLOCKWISE_DEVICES", "DASK_BLOCKWISE_DEVICES_OF_JOB"
_VISIBLE = "CUDA_VISIBLE_DEVICES"
# A process that was killed may need a while to be gone.
_WAIT_SECONDS = 30.0

_taken: list[IO[bytes]] = []


def dask_setup(worker: object) -> None:
    """What Dask calls as a worker process starts.

    It goes on after an exception, and the worker would then take all devices for its own.
    """
    try:
        take_device()
    except Exception as error:
        sys.exit(str(error))


def take_device() -> str | None:
    """Take one of the devices of this process's surroundings; None where none are named.

    Raises
    ------
    RuntimeError
        If all of them are taken.
    """
    named = os.environ.get(DEVICES)
    if _taken:
        return os.environ[_VISIBLE]
    if not named:
        return None
    devices = _names(named)
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        for device in devices:
            if lock := _lock(device):
                _taken.append(lock)
                os.environ[_VISIBLE] = device
                return device
        if time.monotonic() > end:
            raise RuntimeError(
                f"All devices ({', '.join(devices)}) are taken by other worker processes: start as "
                "many as there are devices, or end what holds them."
            )
        time.sleep(0.2)


def _names(named: str) -> list[str]:
    """The devices, of which a batch system may have given a job some, and says which."""
    if not named.startswith("#"):
        return named.split(",")
    of_job = os.environ.get(_VISIBLE)
    return of_job.split(",") if of_job else [str(n) for n in range(int(named[1:]))]


def _lock(device: str) -> IO[bytes] | None:
    if fcntl is None:
        raise RuntimeError("Devices are shared out by locks of files, which this system has not.")
    folder = own_folder() / "devices"
    folder.mkdir(mode=0o700, exist_ok=True)
    # Jobs may each be shown their devices under the same names.
    scope = os.environ.get(OF_JOB, "")
    name = hashlib.sha256(f"{scope} {device}".encode()).hexdigest()[:16]
    file = (folder / name).open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
