"""Run what stores a volume: tasks of it and of the checkpoints on the way, and what comes after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from distributed import Client

from ..engine.progress import RunSummary
from ..engine.run import run
from ..engine.task import Task
from .known import Verify
from .lineage import as_it_is_now
from .options import StoreOptions
from .preparation import Preparation
from .source import Voxels
from .tasks import check_outputs, tasks_to_mend, tasks_to_store

__all__ = ["BlocksFailed", "run_all", "store"]


class BlocksFailed(RuntimeError):
    """Some blocks of a run failed for good; all others are done and kept.

    Parameters
    ----------
    summary : RunSummary
        Which blocks, and why each failed first.
    """

    def __init__(self, summary: RunSummary) -> None:
        super().__init__(
            summary.as_error(
                "All other blocks that had their input are done and kept. The same call does only "
                "what is missing; with a changed function it is another computation, and asks what "
                "becomes of the finished blocks (on_change, overwrite)."
            )
        )
        self.summary = summary

    def __reduce__(self) -> tuple[type[BlocksFailed], tuple[RunSummary]]:
        # It may go from a worker to whoever waits for it, and is not made of its text alone.
        return type(self), (self.summary,)


def run_all(
    tasks: Task | Sequence[Task],
    client: Client | None,
    progress: bool,
    resume: bool,
    at_end: Sequence[Callable[[], None]] = (),
) -> RunSummary:
    """Run tasks, of which no block may fail, and then do what is to be done at the end.

    Raises
    ------
    BlocksFailed
        If blocks failed for good, after all others are done.
    """
    summary = run(tasks, client, progress, resume)
    if not summary:
        raise BlocksFailed(summary)
    for end in at_end:
        end()
    return summary


def store(
    volume: Voxels,
    path: str,
    options: StoreOptions,
    client: Client | None = None,
    progress: bool = True,
    verify: Verify = "stamps",
    ready: Callable[[], None] = lambda: None,
) -> RunSummary:
    """Compute a volume block by block and store it.

    Parameters
    ----------
    volume : Volume
    path : str
        Absolute, or a URL.
    options : StoreOptions
    client, progress, verify
        As for ``to_zarr``.
    ready : callable
        Called when nothing more is refused, before anything is touched.

    Raises
    ------
    FileExistsError
        If something else is stored there; ``OutputChanged`` if it is of this volume, but its
        blocks no longer hold.
    BlocksFailed
        If blocks failed for good, after all others are done.
    """
    volume = as_it_is_now(volume, anew=verify == "content")
    if options.roi is not None:
        volume = replace(volume, source=volume.source.repairing())
    with Preparation(verify, options.on_change or "ask") as preparation:
        what = volume, path, options
        check_outputs(*what, preparation)
        ready()
        how = client, progress, options.resume
        first = run_all(tasks, *how) if (tasks := tasks_to_mend(*what, preparation)) else None
        if first is not None:
            preparation.look_again()
        tasks = tasks_to_store(*what, preparation)
        summary = run_all(tasks, *how, preparation.at_end)
    if first is not None:
        summary = _after(first, summary)
    return replace(summary, changed_ids=volume.source.changed(path))


def _after(first: RunSummary, second: RunSummary) -> RunSummary:
    """What became of two runs, of which the second found done what the first did."""
    done = {task.name: task for task in first.tasks}
    tasks = tuple(done.get(task.name, task) for task in second.tasks)
    return replace(second, tasks=tasks, seconds=first.seconds + second.seconds)
