"""What Dask has no public name for, with why none serves; no other file leans on such names.

`tests/engine/test_plugins.py` says at once when a version of Dask has another name for one.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

from dask.task_spec import Task
from distributed import Scheduler, Worker
from distributed.scheduler import TaskState, WorkerState

__all__ = [
    "forget_events",
    "has_seceded",
    "is_any_queued",
    "most_sent",
    "queueable",
    "run_instead",
    "send_at_most",
    "stop_profiler",
    "worker_of",
]


def queueable(key: Any, function: Callable[..., Any], *arguments: Any) -> Task:
    """A task that waits on the scheduler, rather than on a worker, until a thread is free.

    Dask queues what it takes for the roots of a large graph, by its size. No public call says of
    a single task that it is to be queued.
    """
    return Task(key, function, *arguments, _data_producer=True)


def has_seceded(worker: Worker, thread: Thread) -> bool:
    """Whether a thread that runs a task waits for others, as where a function computes with Dask.

    A thread can publicly secede, and nobody can publicly know of another that it did.
    """
    return thread not in worker.executors["default"]._threads  # type: ignore[attr-defined]


def run_instead(task: TaskState, most_deaths: int, function: Callable[[str], Any]) -> None:
    """Where Dask would send a task once more, have it call a function with the first worker.

    Dask runs again what a lost worker ran or held. Publicly that is bounded for all of a cluster
    (``allowed-failures``), for deaths alone, and for no single task.
    """
    # A task that is as suspicious as any may be fails at its worker's death.
    task.suspicious = most_deaths
    # What left a worker otherwise comes to another: by retirement, or as its result was lost.
    task.run_spec = Task(task.key, function, getattr(task.processing_on, "address", ""))


def worker_of(task: TaskState) -> WorkerState | None:
    """The worker that a task was sent to.

    ``Client.processing`` tells of all tasks at once, and none of it on the scheduler.
    """
    return task.processing_on


def most_sent(scheduler: Scheduler) -> float:
    """How many queueable tasks a worker holds for each of its threads.

    The setting ``worker-saturation`` is read once, as a scheduler starts.
    """
    return scheduler.WORKER_SATURATION


def send_at_most(scheduler: Scheduler, tasks: float) -> None:
    """Set what `most_sent` says; a run comes to a scheduler that somebody else started."""
    scheduler.WORKER_SATURATION = tasks


def is_any_queued(scheduler: Scheduler) -> bool:
    """Whether tasks wait on the scheduler, which come out only if `most_sent` is finite.

    A dashboard shows how many; nothing public tells a plugin.
    """
    return bool(scheduler.queued)


def forget_events(scheduler: Scheduler, topic: str) -> None:
    """Drop the events of a topic, which have reached who subscribed to it.

    A scheduler keeps the last 100,000 of each topic for whoever may ask. Publicly there is but
    one bound for all topics (``low-level-log-length``), read as a scheduler starts.
    """
    scheduler._broker.truncate(topic)


def stop_profiler(worker: Worker) -> None:
    """End a worker's sampling of its threads' stacks.

    The setting ``worker.profile.enabled`` is read as a worker is made.
    """
    # A worker that is joining has yet to start what is there.
    profiler = worker.periodic_callbacks.pop("profile", None)
    if profiler:
        profiler.stop()
