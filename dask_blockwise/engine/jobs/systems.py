"""Batch systems, and how each is asked for a job: add one here."""

from __future__ import annotations

import importlib
import math
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import dask
from distributed import SpecCluster

from .job import telling
from .keeper import Keeper, keep, kept
from .owned import owned
from .queues import QUEUES
from .settings import Wanted, settle

__all__ = ["BATCH_SYSTEMS", "BatchSystem", "System", "ask", "find", "looked_after"]

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
    counts
        What the first number of a time limit counts (`walltime.seconds_of`).
    scratch
        The folder on a job's own machine that its files may go to, as the job's shell knows it.
    gpus
        Options of a job that takes so many GPUs, of so many cores and bytes; None where each site
        has its own way.
    name_length
        Characters that a job's name may have.
    """

    cluster: str
    a_day: str | None = "24:00:00"
    queues: bool = True
    disk: bool = False
    counts: str = "seconds"
    scratch: str = "${TMPDIR:-/tmp}"
    gpus: Callable[[int, int, int], dict[str, Any]] | None = None
    name_length: int = 60


def _directive(form: str) -> Callable[[int, int, int], dict[str, Any]]:
    return lambda gpus, cores, memory: {"job_extra_directives": [form.format(gpus)]}


def _of_pbs(gpus: int, cores: int, memory: int) -> dict[str, Any]:
    size = math.ceil(memory / 2**20)
    return {"resource_spec": f"select=1:ncpus={cores}:mem={size}MB:ngpus={gpus}"}


def _of_condor(gpus: int, cores: int, memory: int) -> dict[str, Any]:
    return {"job_extra_directives": {"request_gpus": gpus}}


def _of_oar(gpus: int, cores: int, memory: int) -> dict[str, Any]:
    return {"resource_spec": f"/nodes=1/gpu={gpus}"}


BATCH_SYSTEMS: Mapping[str, BatchSystem] = {
    "slurm": BatchSystem(
        "SLURMCluster",  # to it, "24:00" is 24 minutes
        counts="minutes",
        scratch="${SLURM_TMPDIR:-${TMPDIR:-/tmp}}",
        gpus=_directive("--gres=gpu:{}"),
    ),
    "lsf": BatchSystem(
        "LSFCluster", a_day="24:00", counts="hours minutes", gpus=_directive("-gpu num={}")
    ),
    "pbs": BatchSystem("PBSCluster", gpus=_of_pbs, name_length=15),
    "sge": BatchSystem("SGECluster"),
    "htcondor": BatchSystem(
        "HTCondorCluster",
        a_day=None,
        queues=False,
        disk=True,
        scratch="${_CONDOR_SCRATCH_DIR:-/tmp}",
        gpus=_of_condor,
    ),
    "oar": BatchSystem("OARCluster", gpus=_of_oar),
    "moab": BatchSystem("MoabCluster", gpus=_of_pbs, name_length=15),
}


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
    make, known = find(system)
    if known is not None:
        _check_options(known, walltime, queue)
        walltime = walltime or known.a_day
    job = {**options, "walltime": walltime, "queue": queue}
    given = {name: value for name, value in job.items() if value is not None}
    if known is None and getattr(make, "job_cls", None) is None:
        return make(**given)
    cluster: SpecCluster = _looked_after(make, known, given)
    return cluster


def find(system: System) -> tuple[Callable[..., SpecCluster], BatchSystem | None]:
    """What makes its clusters, and what is known of it."""
    if isinstance(system, str):
        if system not in BATCH_SYSTEMS:
            raise ValueError(
                f"Unknown batch system {system!r}: it must be one of {', '.join(BATCH_SYSTEMS)}, "
                "a cluster class of dask-jobqueue, or a function that takes the options of a job "
                "and returns a cluster; or local, for this machine."
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


def _looked_after(
    make: Callable[..., Any], known: BatchSystem | None, given: dict[str, Any]
) -> Any:
    """A cluster of dask-jobqueue, with what neither the options nor Dask's configuration say."""
    workers_timeout = given.pop("workers_timeout", None)
    of_job = getattr(make, "job_cls", None)
    section = given.get("config_name") or getattr(of_job, "config_name", None)
    configured = dask.config.get(f"jobqueue.{section}", None) or {}
    wanted = Wanted(given, configured)
    if known is not None and known.disk and not wanted.says("disk"):
        # What a worker moves there of its memory is never more than all.
        given["disk"] = given.get("memory")
    if of_job is None:
        return make(**given)
    folder = settle(wanted, known.counts if known else None, known.scratch if known else None)
    cluster = owned(make)(**given, job_cls=telling(of_job))
    cluster.own(folder)
    queue = QUEUES.get(known.cluster) if known else None
    keep(cluster, Keeper(cluster, queue, given.get("log_directory"), workers_timeout))
    return cluster


def looked_after(cluster: Any) -> AbstractContextManager[Keeper | None]:
    """Within the body, the jobs of a cluster are looked after, whoever made it.

    Parameters
    ----------
    cluster
        Any, or none.
    """
    names = {above.__name__ for above in type(cluster).__mro__}
    return kept(cluster, next((QUEUES[name] for name in names if name in QUEUES), None))


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
