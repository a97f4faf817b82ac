"""Batch systems, and how each is asked for a job: add one here."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dask
from distributed import SpecCluster

__all__ = ["BATCH_SYSTEMS", "BatchSystem", "System", "ask"]

# A name of `BATCH_SYSTEMS`, a cluster class of dask-jobqueue or one made from it, or anything else
# that takes a job's options and returns a cluster.
System = str | Callable[..., SpecCluster]


@dataclass(frozen=True)
class BatchSystem:
    """A batch system, as dask-jobqueue has it.

    Parameters
    ----------
    cluster
        Name of its cluster in dask-jobqueue.
    a_day
        A day, as it writes the time limit of a job; None where a job has no such limit.
    queues
        Whether a job says its queue.
    disk
        Whether a job says the space that it takes on its machine's disk.
    """

    cluster: str
    a_day: str | None = "24:00:00"
    queues: bool = True
    disk: bool = False


BATCH_SYSTEMS: Mapping[str, BatchSystem] = {
    "slurm": BatchSystem("SLURMCluster"),  # to it, "24:00" is 24 minutes
    "lsf": BatchSystem("LSFCluster", a_day="24:00"),
    "pbs": BatchSystem("PBSCluster"),
    "sge": BatchSystem("SGECluster"),
    "htcondor": BatchSystem("HTCondorCluster", a_day=None, queues=False, disk=True),
    "oar": BatchSystem("OARCluster"),
    "moab": BatchSystem("MoabCluster"),
}


# Of those that log in to one machine, several have clusters: Dask's own port is taken.
_ON_A_FREE_PORT = {"dashboard_address": ":0"}


def ask(
    system: System, walltime: str | None, queue: str | None, options: Mapping[str, Any]
) -> SpecCluster:
    """A cluster of a batch system, without jobs yet.

    Parameters
    ----------
    system
        Name, class, or function.
    walltime, queue
        Of a job; the system's own unless given, and a day for systems that are known here.
    options
        What else the cluster takes.

    Raises
    ------
    ValueError
        If there is no system of the name, or it has no such option.
    TypeError
        If it is neither a name nor callable.
    ImportError
        If dask-jobqueue is not installed, where a name is given.

    Examples
    --------
    >>> ask(lambda **job: job, None, "gpu", {"cores": 4})
    {'cores': 4, 'queue': 'gpu'}
    """
    make, known = _find(system)
    if known is not None:
        _check_options(known, walltime, queue)
        walltime = walltime or known.a_day
    job = {**options, **_settings(make, known, options), "walltime": walltime, "queue": queue}
    return make(**{name: value for name, value in job.items() if value is not None})


def _find(system: System) -> tuple[Callable[..., SpecCluster], BatchSystem | None]:
    """What makes its clusters, and what is known of it."""
    if isinstance(system, str):
        if system not in BATCH_SYSTEMS:
            raise ValueError(
                f"Unknown batch system {system!r}: it must be one of {', '.join(BATCH_SYSTEMS)}, "
                "a cluster class of dask-jobqueue, or a function that takes the options of a job "
                "and returns a cluster."
            )
        known = BATCH_SYSTEMS[system]
        return getattr(_import_jobqueue(), known.cluster), known
    if not callable(system):
        raise TypeError(f"system must be a name, a class or a function, got {system!r}.")
    names = {above.__name__ for above in getattr(system, "__mro__", ())}
    return system, next((each for each in BATCH_SYSTEMS.values() if each.cluster in names), None)


def _check_options(known: BatchSystem, walltime: str | None, queue: str | None) -> None:
    lacking = {"walltime": walltime} if known.a_day is None else {}
    lacking |= {} if known.queues else {"queue": queue}
    for name, value in lacking.items():
        if value is not None:
            raise ValueError(
                f"Jobs of {known.cluster} have no {name}, got {value!r}: leave it out, and give "
                "what your site wants instead as job_extra_directives."
            )


def _settings(
    make: Callable[..., Any], known: BatchSystem | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """For clusters of dask-jobqueue, what neither the options nor Dask's configuration say."""
    job = getattr(make, "job_cls", None)
    if known is None and job is None:
        return {}
    section = options.get("config_name") or getattr(job, "config_name", None)
    configured = dask.config.get(f"jobqueue.{section}", None) or {}
    scheduler = options.get("scheduler_options") or configured.get("scheduler-options") or {}
    settings: dict[str, Any] = {"scheduler_options": _ON_A_FREE_PORT | scheduler}
    if known is not None and known.disk:
        # What a worker moves there of its memory is never more than all.
        disk = options.get("disk") or configured.get("disk") or options.get("memory")
        settings["disk"] = disk
    return settings


def _import_jobqueue() -> Any:
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        return importlib.import_module("dask_jobqueue")
    except ImportError as error:
        raise ImportError(
            "Batch systems need the package dask-jobqueue, which is not installed: "
            "pip install 'dask-blockwise[hpc]', or conda install -c conda-forge dask-jobqueue."
        ) from error
    finally:
        # It makes Ctrl-C end the process, a notebook's kernel too.
        if signal.getsignal(signal.SIGINT) is not on_interrupt:
            signal.signal(signal.SIGINT, on_interrupt)
