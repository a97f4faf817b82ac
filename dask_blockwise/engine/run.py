"""Run tasks block by block on a Dask cluster."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from distributed import Client as DaskClient

from ..storage.location import is_remote
from .bars import Bar, open_bar
from .clients import client_for_a_run
from .crew import Crew
from .dispatcher import Dispatcher
from .frontier import Frontier
from .full_disk import full_disk_named
from .involved import Involved
from .ledger import Ledger
from .limits import seconds_to_wait
from .pickling import pickled
from .plugins.known import known_to_workers
from .progress import RunSummary
from .standing import Standing
from .stopping import heard, stoppable, stopped, told_in_a_sentence
from .task import Task
from .task_log import TaskLog
from .task_state import TaskState
from .worker.client import Context
from .worker.litter import sweep_meanwhile
from .worker.own_code import OwnCode
from .worker.own_folder import own_folder
from .worker.work import Work

__all__ = ["run"]


def run(
    tasks: Task | Sequence[Task],
    client: DaskClient | None = None,
    progress: bool = True,
    resume: bool = True,
    workers_timeout: float | str | None = None,
) -> RunSummary:
    """Run every block of some tasks, and of the tasks upstream of them.

    A block that fails for good does not stop the others; the summary lists it.

    Parameters
    ----------
    tasks
        One task or several.
    client
        Where to run. The present ``distributed`` client unless given; if there is none, a
        cluster on this machine with one process a core is started for the run. Within a task of
        a cluster, the run goes to that cluster, and the task's thread is free for it meanwhile.
    progress
        Whether to show a bar a task.
    resume
        Whether to skip the blocks that a task's ledger has as done; otherwise all are run anew.
    workers_timeout
        Seconds, or text such as "2h", that the run may wait while it has no worker, before it ends
        with an error; blocks in ledgers are kept. As its cluster has it unless given.

    Returns
    -------
    RunSummary
        True only if every block of every task is done.

    Raises
    ------
    ValueError
        If two tasks have the same id, a ledger belongs to other parameters, the client is
        asynchronous, closed or without a scheduler, or blocks don't fit the workers' memory.
    NoWorkers
        If there was no worker for longer than ``workers_timeout``, or there will be none.
    TypeError
        If a task's functions cannot be sent to other processes, or the client is none.
    OtherCodeError
        If workers have other code in a person's own modules than this process, and so do the files.
    KeyboardInterrupt, SystemExit
        When interrupted, with how far each task is; ledgers keep what is done. The latter where the
        process is told to end (SIGTERM), with the exit code 75.

    Examples
    --------
    >>> from dask_blockwise.geometry.blocks import Roi
    >>> roi = Roi((0,), (10,))
    >>> task = Task("nothing", Roi((0,), (40,)), roi, roi, lambda block: None)
    >>> with DaskClient(processes=False, dashboard_address=":0") as client:
    ...     summary = run(task, client, progress=False)
    >>> bool(summary), summary["nothing"].completed
    (True, 4)
    """
    patience = seconds_to_wait(workers_timeout)
    ordered = _in_order([tasks] if isinstance(tasks, Task) else tasks)
    run_id = _new_run_id()
    sweep_meanwhile()
    logs = [_log_path(task, run_id) for task in ordered]
    with ExitStack() as stack:
        stack.enter_context(told_in_a_sentence())
        stack.enter_context(full_disk_named(logs))
        ledgers = [_open_ledger(stack, task, resume) for task in ordered]
        dask_client = stack.enter_context(client_for_a_run(client))
        _check_processes(dask_client, ordered)
        contexts = [_context(dask_client, task, run_id) for task in ordered]
        involved = Involved()
        blobs = [_pickle(task, context, involved) for task, context in zip(ordered, contexts)]
        code = OwnCode.of(involved.names)
        states = _states(stack, ordered, ledgers, contexts, logs, progress)
        stack.enter_context(known_to_workers(dask_client, run_id, blobs, code))
        crew = Crew(dask_client, run_id, patience, shown=progress)
        stack.callback(crew.leave)
        return _go(Dispatcher(dask_client, run_id, states, crew), states, crew)


def _new_run_id() -> str:
    return uuid.uuid4().hex[:12]


def _in_order(tasks: Sequence[Task]) -> list[Task]:
    """The tasks and all those upstream of them, each after what it reads from."""
    ordered: dict[Task, None] = {}

    def visit(task: Task) -> None:
        if task not in ordered:
            for upstream in task.upstream_tasks or ():
                visit(upstream)
            ordered[task] = None

    for task in tasks:
        if not isinstance(task, Task):
            raise TypeError(f"run needs tasks, such as run([task]), got {task!r}.")
        visit(task)
    _check_ids(list(ordered))
    return list(ordered)


def _check_ids(tasks: Sequence[Task]) -> None:
    twice = [name for name, n in Counter(task.task_id for task in tasks).items() if n > 1]
    if twice:
        raise ValueError(
            f"Several tasks of the run are called {', '.join(map(repr, twice))}: give each a "
            "task_id of its own."
        )


def _open_ledger(stack: ExitStack, task: Task, resume: bool) -> Ledger | None:
    if task.ledger is None:
        return None
    array = task.vouching.array if task.vouching else ""
    ledger = Ledger(task.ledger, task.grid, task.fingerprint, resume, array)
    stack.callback(ledger.close)
    return ledger


def _check_processes(client: DaskClient, tasks: Sequence[Task]) -> None:
    """A time limit kills the worker's process, which a nanny must start again."""
    timed = [task.task_id for task in tasks if task.timeout is not None]
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if timed and any(worker["nanny"] is None for worker in workers.values()):
        raise ValueError(
            f"Task {timed[0]!r} has a timeout, which is kept by killing the worker's process, but "
            "the cluster has workers without a nanny to start them again, or that are threads of "
            "this process. Start it with processes=True (LocalCluster), without --no-nanny "
            "(dask worker, dask-jobqueue), or set timeout=None."
        )


def _context(client: DaskClient, task: Task, run_id: str) -> Context:
    address = client.scheduler_info(n_workers=0)["address"]
    return Context(scheduler=address, run_id=run_id, task_id=task.task_id)


def _pickle(task: Task, context: Context, involved: Involved) -> bytes:
    work = Work(
        task.task_id,
        task.grid,
        task.process_function,
        *task.checks,
        timeout=task.timeout,
        context=context,
    )
    try:
        return pickled(work, involved)
    except Exception as error:
        raise TypeError(
            f"The functions of task {task.task_id!r} cannot be sent to worker processes: {error}. "
            "They, and what they refer to, must be picklable: open files, locks and connections "
            "inside the function, and pass paths instead of open arrays."
        ) from error


def _states(
    stack: ExitStack,
    tasks: Sequence[Task],
    ledgers: Sequence[Ledger | None],
    contexts: Sequence[Context],
    logs: Sequence[Path],
    progress: bool,
) -> list[TaskState]:
    frontier = Frontier(
        [task.grid for task in tasks],
        [task.read_write_conflict for task in tasks],
        [[tasks.index(upstream) for upstream in task.upstream_tasks or ()] for task in tasks],
    )
    states: list[TaskState] = []
    bars: list[Bar] = []
    by_task = dict(zip(tasks, ledgers))
    titles = [task.title or task.task_id for task in tasks]
    for index, (task, context, log) in enumerate(zip(tasks, contexts, logs)):
        standing = Standing(task, by_task[task], by_task.__getitem__)
        above = [bars[tasks.index(upstream)] for upstream in task.upstream_tasks or ()]
        bar = open_bar(titles[index], len(task.grid), standing.count, progress, above, titles)
        bars.append(bar)
        keeps = task.ledger is not None and not is_remote(task.ledger)
        notes = TaskLog(log, keeps_progress=keeps)
        states.append(TaskState(task, index, frontier, standing, bar, notes, context))
        states[-1].say_progress(now=True)
        stack.callback(states[-1].close)
    return states


def _log_path(task: Task, run_id: str) -> Path:
    """Beside the ledger's marks, where that is a local directory."""
    if task.ledger is not None and not is_remote(task.ledger):
        return Path(task.ledger) / "blocks.log"
    name = task.task_id.replace("/", "_")
    return own_folder() / f"logs/{run_id}-{name}-blocks.log"


def _go(dispatcher: Dispatcher, states: Sequence[TaskState], crew: Crew) -> RunSummary:
    begin = time.monotonic()
    try:
        with stoppable(), heard(dispatcher.stop):
            dispatcher.go()
    except (KeyboardInterrupt, SystemExit) as stop:
        # How to go on is the last that is said.
        for state in states:
            state.close()
        raise stopped(stop, _how_to_go_on(states)) from None
    tasks = tuple(state.summary() for state in states)
    return RunSummary(tasks, time.monotonic() - begin, threads=crew.most_threads)


def _how_to_go_on(states: Sequence[TaskState]) -> str:
    lines = ["Stopped."]
    for state in states:
        summary = state.summary()
        done = f"{summary.done} of {summary.blocks} blocks are done"
        kept = "the same call goes on from there" if state.task.ledger else "none is kept"
        lines.append(f"Task {summary.name!r}: {done}; {kept}.")
    return " ".join(lines)
