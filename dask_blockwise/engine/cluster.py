"""Clusters from a few arguments: this machine, or a batch system through dask-jobqueue."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import dask
import yaml
from distributed import Client, LocalCluster, SpecCluster

from .jobs.keeper import keeper_of
from .jobs.systems import System, ask
from .limits import check_memory, check_memory_of_worker, check_whole
from .local_nanny import LocalNanny
from .main_module import forget_stdin, refuse_while_importing
from .open_clusters import noted

__all__ = [
    "create_compute_context",
    "jobqueue_cluster",
    "local_cluster",
    "patient_cluster",
]

# Of a cluster that is closed before it has started.
_CLOSE_SECONDS = 3.0


def local_cluster(
    n_workers: int | None = None, memory_limit: str | float = "auto", **options: Any
) -> LocalCluster:
    """A cluster on this machine: one process a core, so that none waits for another's GIL.

    Parameters
    ----------
    n_workers
        Worker processes; as many as this process may use cores unless given.
    memory_limit
        Memory a worker, in bytes or as text such as ``"4GB"``, or a share of the machine's such as
        0.5; an equal share unless given, no limit where it is None or 0.
    options
        Anything else that ``distributed.LocalCluster`` takes.

    Returns
    -------
    distributed.LocalCluster
        It listens on this machine alone, its dashboard on a free port.

    Raises
    ------
    TypeError, ValueError
        If a number of workers or threads, or a memory, makes no sense.

    Examples
    --------
    >>> with local_cluster(n_workers=1) as cluster:
    ...     len(cluster.workers)
    1
    """
    refuse_while_importing()
    _check_local(n_workers, options.get("threads_per_worker"))
    check_memory_of_worker("memory_limit", memory_limit)
    settings: dict[str, Any] = {
        "n_workers": usable_cores() if n_workers is None else n_workers,
        "threads_per_worker": 1,
        "memory_limit": memory_limit,
        # Nobody else on the machine is shown what runs.
        "dashboard_address": "127.0.0.1:0",
        "worker_dashboard_address": "127.0.0.1:0",
        "silence_logs": "CRITICAL",
    }
    if options.get("processes", True):
        forget_stdin()
        if "worker_class" not in options:
            settings["worker_class"] = LocalNanny
            settings["draws_pages"] = "worker_dashboard_address" in options
    return noted(_Interruptible(**{**settings, **options}))


class _Interruptible(LocalCluster):
    """One whose start may be broken off by Ctrl-C, without more than a sentence about it."""

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)  # type: ignore[no-untyped-call]
        except KeyboardInterrupt:
            # Half of it is there, of which Dask, now or at exit, and its loop say much.
            self.shutdown_on_close, loop = False, cast(Any, self.loop)
            with suppress(AttributeError):
                loop.asyncio_loop.set_exception_handler(lambda loop, context: None)
            with suppress(Exception):
                self.close(timeout=_CLOSE_SECONDS)
            message = "Stopped while worker processes were starting; no block has run."
            raise KeyboardInterrupt(message) from None
        except RuntimeError as error:
            if "unexpected keyword argument" in str(_root_of(error)):
                raise TypeError(
                    f"The cluster takes no such option: it got {str(_root_of(error)).split()[-1]}, "
                    "and takes those of dbw.cluster and of distributed.LocalCluster."
                ) from None
            raise RuntimeError(
                f"Worker processes didn't start ({_root_of(error)}). Above stands what they said. "
                "In a script, what runs things must stand under `if __name__ == '__main__':`."
            ) from None


def _root_of(error: BaseException) -> BaseException:
    return _root_of(error.__cause__) if error.__cause__ else error


# What people are shown.
_Interruptible.__name__ = "LocalCluster"


def _check_local(n_workers: Any, threads: Any) -> None:
    if n_workers is not None:
        check_whole("n_workers", n_workers, 1, "None stands for one a core")
    if threads is not None:
        check_whole("threads_per_worker", threads, 1)


@contextmanager
def patient_cluster(client: Client) -> Iterator[None]:
    """Keep a cluster from giving up workers while they are being restarted.

    Dask's clusters look 15 seconds after a worker's death whether it is back, and close its nanny
    or cancel its job if it happens to be down, be it for another death. Which jobs are lost, the
    batch system says, where it is known how to ask.
    """
    keeper = keeper_of(client.cluster)
    if not (isinstance(client.cluster, LocalCluster) or (keeper and keeper.asks)):
        yield
        return
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1 day"}):
        yield


def usable_cores() -> int:
    """Cores that this process may use, which a batch system may have limited.

    Examples
    --------
    >>> usable_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def jobqueue_cluster(
    system: System,
    n_workers: int,
    *,
    cores: int = 1,
    processes: int | None = None,
    memory: str = "4GB",
    walltime: str | None = None,
    queue: str | None = None,
    **options: Any,
) -> SpecCluster:
    """A cluster of jobs in a batch system. Needs the extra ``hpc`` (dask-jobqueue).

    Parameters
    ----------
    system
        ``"slurm"``, ``"lsf"``, ``"pbs"``, ``"sge"``, ``"htcondor"``, ``"oar"`` or ``"moab"``; a
        cluster class of dask-jobqueue, or one made from it; or any function that takes the
        options of a job and returns a cluster.
    n_workers
        Worker processes to ask for, over all jobs.
    cores, processes
        Cores of a job, and the worker processes that share them; one a core unless given.
    memory
        Memory of a job, as text. With OAR give ``memory_per_core_property_name`` too, which
        differs from site to site, and without which OAR is not told of the memory.
    walltime
        Time limit of a job, as the batch system writes it; a day unless given. HTCondor has none.
    queue
        Queue or partition; the batch system's own default unless given. HTCondor has none.
    options
        Anything else that dask-jobqueue's cluster takes, such as ``disk`` with HTCondor, which is
        as much as the memory unless given. The dashboard is on a free port unless
        ``scheduler_options`` name one, here or in Dask's configuration.

    Raises
    ------
    ValueError
        If the batch system is unknown, its jobs have no such option, or a number makes no sense.
    TypeError
        If a number is none, or the time limit no text.
    ImportError
        If dask-jobqueue is not installed.
    RuntimeError
        If the batch system refuses the jobs; it says what that said.

    Examples
    --------
    Any cluster serves that can ``scale``:

    >>> with jobqueue_cluster(lambda cores, **job: local_cluster(1), 1, memory="1GB") as cluster:
    ...     len(cluster.workers)
    1
    """
    check_whole("n_workers", n_workers, 0)
    _check_job(cores, processes, memory, walltime)
    job = {"cores": cores, "processes": processes or cores, "memory": memory}
    cluster = ask(system, walltime, queue, {**job, **options})
    cluster.scale(n_workers)
    if keeper := keeper_of(cluster):
        keeper.submit()
    return noted(cluster)


def _check_job(cores: Any, processes: Any, memory: Any, walltime: Any) -> None:
    check_whole("cores", cores, 1)
    if processes is not None:
        check_whole("processes", processes, 1, "None stands for one a core")
        if processes > cores:
            raise ValueError(
                f"A job of {cores} cores can't have {processes} processes, of which some would "
                "have no thread: give as many cores as processes, or more."
            )
    if memory is not None:
        check_memory("memory", memory, "it is what all processes of a job share")
    if not isinstance(walltime, str | None):
        raise TypeError(
            f"walltime must be text as the batch system writes it, got {walltime!r}: a number may "
            'be minutes in one and seconds in another. Give "24:00:00" for a day with most.'
        )


def create_compute_context(
    options: str | os.PathLike[str] | Mapping[str, Any], n_workers: int, **job: Any
) -> SpecCluster:
    """The cluster that stands for the compute context of dacapo's options.

    Parameters
    ----------
    options : path of a YAML file, or mapping
        ``dacapo.yaml``, or what it says. Of it ``compute_context`` is read, with its ``type``,
        ``"LocalTorch"`` or ``"Bsub"``, and its ``config``; without, it is this machine, as there.
    n_workers
        Worker processes to ask for; with ``Bsub`` each is a job that runs a block at a time.
    job
        Anything else that `local_cluster` or `jobqueue_cluster` takes, such as ``memory``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        If the type is unknown, or a number makes no sense.
    ImportError
        If dask-jobqueue is not installed, which ``Bsub`` needs.

    References
    ----------
    dacapo, ``dacapo/compute_context``.

    Examples
    --------
    >>> with create_compute_context({"compute_context": {"type": "LocalTorch"}}, 1) as cluster:
    ...     len(cluster.workers)
    1
    """
    given = options if isinstance(options, Mapping) else _read(options)
    context = (given or {}).get("compute_context", {"type": "LocalTorch"})
    kind, config = context.get("type"), context.get("config") or {}
    if kind == "LocalTorch":
        return local_cluster(n_workers, **job)
    if kind == "Bsub":
        return jobqueue_cluster("lsf", n_workers, **_bsub_job(**config) | job)
    raise ValueError(
        f"Unknown compute context {kind!r}: it must be LocalTorch or Bsub. For another batch "
        "system use jobqueue_cluster."
    )


def _read(path: str | os.PathLike[str]) -> Any:
    return yaml.safe_load(Path(path).expanduser().read_bytes())


def _bsub_job(
    queue: str = "local", num_gpus: int = 1, num_cpus: int = 5, billing: str | None = None, **_: Any
) -> dict[str, Any]:
    """What dacapo's ``Bsub`` asks for, with its defaults, as dask-jobqueue takes it."""
    return {
        "queue": queue,
        "cores": num_cpus,
        "processes": 1,
        "project": billing,
        "job_extra_directives": [f"-gpu num={num_gpus}"] if num_gpus else [],
        # dacapo's workers run a block at a time, whatever their cores.
        "worker_extra_args": ["--nthreads", "1"],
    }
