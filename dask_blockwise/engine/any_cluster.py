"""A cluster by the name of a system: this machine, or jobs of a batch system."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import SpecCluster

from .cluster import jobqueue_cluster, local_cluster
from .devices import for_devices, gpus_of_a_job
from .jobs.adaptive import adapt
from .jobs.systems import System, find
from .jobs.walltime import written
from .limits import check_memory_of_worker, check_whole, seconds_to_wait

__all__ = ["cluster"]


def cluster(
    system: System,
    workers: int | tuple[int, int] | None = None,
    cores: int = 1,
    memory: str | float | None = None,
    walltime: str | None = None,
    gpus: int = 0,
    queue: str | None = None,
    *,
    devices: Sequence[int | str] | None = None,
    name: str | None = None,
    workers_timeout: float | str | None = None,
    **extra: Any,
) -> SpecCluster:
    """A cluster of worker processes on this machine, or in jobs of a batch system.

    Jobs end by themselves before their time limit, each at another time, and begin no block that
    doesn't fit into what is left; those that are lost, to the time limit, a failing node or
    anything else, are asked for again. Scheduler and workers speak in TLS, by certificates that
    only you can read, and dashboards listen on this machine alone. Batch systems need the extra
    ``hpc`` (dask-jobqueue).

    Parameters
    ----------
    system
        ``"local"``, ``"slurm"``, ``"lsf"``, ``"pbs"``, ``"sge"``, ``"htcondor"``, ``"oar"`` or
        ``"moab"``; a cluster class of dask-jobqueue, or a function that makes a cluster.
    workers
        Worker processes, over all jobs; or the least and the most, such as ``(0, 50)``, between
        which there are as many as there is work for. Unless given one a core of this machine, or
        one a device; of a batch system none yet: ``scale`` or ``adapt`` the cluster.
    cores
        Cores of a job. Each is a worker process, unless ``processes`` or ``gpus`` says how many
        share them. On this machine, the threads of a worker process.
    memory
        Memory of a job, as text; on this machine that of a worker, also as a share of the
        machine's such as 0.5, or 0 for no limit. Unless given 4 GB a core, and on this machine an
        equal share.
    walltime
        Time limit of a job: ``"12h"``, ``"24:00:00"``, or as the batch system writes it; a day
        unless given.
    gpus
        GPUs of a job. Each has a worker process of its own, which sees no other.
    queue
        Queue or partition; the batch system's own default unless given.
    devices
        On this machine, the GPUs to use, such as ``[0, 2]``; each has a worker process of its own.
    name
        What jobs are called; that of the script that asks for them unless given.
    workers_timeout
        How long a run may wait while it has no worker, in seconds or as text such as ``"2h"``.
        It then ends, and the blocks that are done are kept; it waits without end unless given. Of
        jobs alone; see `to_zarr` for workers of this machine.
    extra
        Anything else that ``distributed.LocalCluster``, or the batch system's cluster in
        dask-jobqueue, takes: ``account``, ``interface``, ``job_extra_directives``,
        ``job_script_prologue``, ``local_directory``, ``security=False`` and more.

    Returns
    -------
    distributed.SpecCluster
        As text it shows the script of a job.

    Raises
    ------
    TypeError, ValueError
        If the system is unknown, or has no such option; if a number makes no sense.
    ImportError
        If dask-jobqueue is not installed.

    Examples
    --------
    >>> with cluster("local", workers=1) as local:
    ...     len(local.workers)
    1
    """
    given = _Given(system, workers, cores, memory, gpus, extra)
    if system == "local":
        _refuse("this machine", {"walltime": walltime, "queue": queue, "name": name})
        if workers_timeout is not None:
            raise ValueError(
                f"workers_timeout={workers_timeout!r} is said of jobs; on this machine give it to "
                "the run, to_zarr(..., workers_timeout=...)."
            )
        return _of_this_machine(given, devices)
    _refuse("jobs, whose devices their batch system gives them", {"devices": devices})
    about = {"walltime": walltime, "queue": queue, "job_name": name}
    return _of_jobs(given, about, seconds_to_wait(workers_timeout))


@dataclass(frozen=True)
class _Given:
    """What is asked for, of any system."""

    system: System
    workers: int | tuple[int, int] | None
    cores: int
    memory: str | float | None
    gpus: int
    extra: dict[str, Any]

    def __post_init__(self) -> None:
        check_whole("cores", self.cores, 1)
        check_whole("gpus", self.gpus, 0)
        if self.workers is None:
            return
        if isinstance(self.workers, tuple) and len(self.workers) != 2:
            raise ValueError(
                f"workers must be a number, or the least and the most, got {self.workers!r}."
            )
        for number in (self.least, self.most):
            check_whole("workers", number, 0, "or two, such as (0, 50), the least and the most")
        if self.least > self.most:
            raise ValueError(f"workers must be the least and then the most, got {self.workers!r}.")

    @property
    def least(self) -> int:
        """Workers that there always are."""
        return self.workers[0] if isinstance(self.workers, tuple) else self.workers or 0

    @property
    def most(self) -> int:
        """Workers that there are at most."""
        return self.workers[1] if isinstance(self.workers, tuple) else self.workers or 0

    def scaled(self, made: SpecCluster) -> SpecCluster:
        """A cluster, made to grow and shrink if that is asked for."""
        if isinstance(self.workers, tuple):
            adapt(made, self.least, self.most)
        return made


def _refuse(where: str, options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{name} says nothing of {where}, got {value!r}: leave it out.")


def _of_this_machine(given: _Given, devices: Sequence[int | str] | None) -> SpecCluster:
    check_memory_of_worker("memory", given.memory)
    memory = "auto" if given.memory is None else given.memory
    options: dict[str, Any] = {"threads_per_worker": given.cores}
    options |= {"memory_limit": memory, **given.extra}
    if given.gpus or devices is not None:
        options |= for_devices(given.gpus, devices)
    number = options.pop("n_workers", None)
    if number is not None and given.most > number:
        raise ValueError(
            f"{given.most} worker processes can't share {number} devices, as each has one of its "
            "own: give as many devices, or fewer workers."
        )
    if given.workers is not None:
        number = given.least
    if number == 0:
        made = local_cluster(1, **options)
        made.scale(0)
    else:
        made = local_cluster(number, **options)
    return given.scaled(made)


def _of_jobs(given: _Given, about: dict[str, Any], timeout: float | None) -> SpecCluster:
    _, known = find(given.system)
    if isinstance(about["walltime"], str) and known is not None:
        is_lsf = known.counts == "hours minutes"
        about["walltime"] = written(about["walltime"], for_lsf=is_lsf)
    memory = f"{4 * given.cores}GB" if given.memory is None else str(given.memory)
    length = known.name_length if known else 60
    about["job_name"] = _job_name(about["job_name"], length)
    job = {"cores": given.cores, "memory": memory, "workers_timeout": timeout, **about}
    options = {name: value for name, value in job.items() if value is not None}
    if given.gpus:
        options["cores"] = max(given.cores, given.gpus)
        options["processes"] = given.gpus
        _join(options, gpus_of_a_job(known, given.gpus, given.cores, memory))
    for name, value in given.extra.items():
        _join(options, {name: value})
    made = jobqueue_cluster(given.system, given.least, **options)
    return given.scaled(made)


def _join(options: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Directives add up; of all else, what a person gives holds."""
    for name, value in more.items():
        before = options.get(name)
        if name == "job_extra_directives" and before:
            value = before | value if isinstance(value, Mapping) else [*before, *value]
        options[name] = value


def _job_name(name: str | None, length: int) -> str:
    """What jobs are called: the script that asks for them, in characters that any system takes.

    Examples
    --------
    >>> _job_name("my volume/2.py", 60)
    'my-volume-2.py'
    """
    if name is None:
        script = Path(sys.argv[0]).stem
        name = "dask-blockwise" if script in ("", "-c", "ipykernel_launcher") else script
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    return (plain if plain[:1].isalpha() else f"j-{plain}")[:length]
