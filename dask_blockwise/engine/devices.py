"""GPUs for worker processes, one each: on this machine, and in jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dask.utils import parse_bytes

from .jobs.systems import BatchSystem
from .worker.device import DEVICES, OF_JOB

__all__ = ["for_devices", "gpus_of_a_job"]

_PRELOAD = "dask_blockwise.engine.worker.device"


def for_devices(gpus: int, devices: Sequence[int | str] | None) -> dict[str, Any]:
    """Options of a cluster on this machine of a worker process a device.

    Parameters
    ----------
    gpus
        How many, if they aren't named.
    devices
        Numbers or UUIDs.

    Raises
    ------
    ValueError
        If devices are named twice, or as many as they aren't.

    Examples
    --------
    >>> for_devices(0, [0, 2])["n_workers"]
    2
    """
    names = [str(device) for device in devices] if devices is not None else []
    if len(set(names)) < len(names) or (devices is not None and not names):
        raise ValueError(f"devices must be named once each, at least one, got {devices!r}.")
    if gpus and names and gpus != len(names):
        raise ValueError(f"gpus={gpus}, but devices names {len(names)}: leave one of them out.")
    named = ",".join(names) if names else f"#{gpus}"
    return {"n_workers": len(names) or gpus, "preload": [_PRELOAD], "env": {DEVICES: named}}


def gpus_of_a_job(known: BatchSystem | None, gpus: int, cores: int, memory: str) -> dict[str, Any]:
    """Options of jobs that take some GPUs, with a worker process for each.

    Raises
    ------
    ValueError
        If the batch system is asked for GPUs in another way at each site.
    """
    if known is None or known.gpus is None:
        name = known.cluster if known else "This system"
        raise ValueError(
            f"{name} is asked for GPUs in another way at each site: give job_extra_directives as "
            f"yours wants it, and processes={gpus}."
        )
    asked = known.gpus(gpus, cores, int(parse_bytes(memory)))
    # So that no two jobs of a machine that call their devices alike share their locks.
    exports = [f'export {DEVICES}="#{gpus}" {OF_JOB}="job-$$"']
    return asked | {
        "job_script_prologue": exports,
        "worker_extra_args": ["--preload", _PRELOAD],
    }
