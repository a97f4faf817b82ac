"""Store a volume: its tasks, those of checkpoints on the way, and what comes after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from os import PathLike

from distributed import Client

from ..engine.clients import open_if_needed
from ..engine.limits import seconds_to_wait
from ..engine.main_module import refuse_while_importing
from ..engine.progress import RunSummary
from ..engine.run_document import check_report_path
from ..pipelines.stages import noted
from .absent_inputs import absent_of
from .kinds import Checkpoint
from .known import Verify
from .lineage import as_it_is_now, call_of
from .options import StoreOptions
from .planning import plan
from .preparation import Preparation
from .reported import run_reported
from .running import run_all
from .seen.at_once import under
from .seen.stored_stage import StoredStage
from .source import Voxels
from .tasks import check_outputs, tasks_to_mend, tasks_to_store

__all__ = ["store"]

# Seconds of workers below which nobody is told how a run would take less.
_WORTH_ADVICE = 60.0


def store(
    volume: Voxels,
    path: str,
    options: StoreOptions,
    client: Client | None = None,
    progress: bool = True,
    verify: Verify = "stamps",
    report: str | PathLike[str] | None = None,
    workers_timeout: float | str | None = None,
) -> RunSummary:
    """Compute a volume block by block and store it.

    Parameters
    ----------
    volume : Volume
    path : str
        Absolute, or a URL.
    options : StoreOptions
    client, progress, verify, report, workers_timeout
        As for ``to_zarr``.

    Raises
    ------
    FileExistsError
        If something else is stored there; ``OutputChanged`` if it is of this volume, but its
        blocks no longer hold.
    BlocksFailed
        If blocks failed for good, after all others are done.
    """
    patience = seconds_to_wait(workers_timeout)
    run = partial(run_all, client=client, progress=progress, workers_timeout=patience)
    # Before it would be found that the run which started the worker has the output.
    refuse_while_importing()
    page = None if report is None else check_report_path(report)
    outputs = tuple(map(StoredStage, [*_checkpoints_under(volume), path]))
    return run_reported(lambda: _run(volume, path, options, run, verify, client), outputs, page)


def _checkpoints_under(volume: Voxels) -> list[str]:
    """What is stored on the way, what comes first before what is made of it."""
    paths = (one.source.path for one in under(volume) if isinstance(one.source, Checkpoint))
    return list(reversed(dict.fromkeys(paths)))


def _run(
    volume: Voxels,
    path: str,
    options: StoreOptions,
    run: Callable[..., RunSummary],
    verify: Verify,
    client: Client | None,
) -> RunSummary:
    volume = as_it_is_now(volume, anew=verify == "content")
    if options.roi is not None:
        call = call_of(volume)
        volume = noted(replace(volume, source=volume.source.repairing()), call)
    with Preparation(verify, options.on_change or "ask") as preparation:
        what = volume, path, options
        check_outputs(*what, preparation)
        open_if_needed(client)
        tasks, resume = tasks_to_mend(*what, preparation), options.resume
        first = run(tasks, resume=resume) if tasks else None
        if first is not None:
            preparation.look_again()
        tasks = tasks_to_store(*what, preparation)
        summary = run([*tasks, *preparation.beside], resume=resume, at_end=preparation.at_end)
        if preparation.may_be_written_to:
            summary = _after(summary, _seen_again(*what, preparation, run))
    if first is not None:
        summary = _after(first, summary)
    absent = absent_of(volume, preparation.known)
    advice, changed = _advice(volume, options, summary), volume.source.changed(path)
    return replace(summary, absent=absent, advice=advice, changed_ids=changed)


def _seen_again(
    volume: Voxels,
    path: str,
    options: StoreOptions,
    preparation: Preparation,
    run: Callable[..., RunSummary],
) -> RunSummary:
    """Compute again what a worker of a run that died has written over meanwhile."""
    preparation.look_again()
    going_on = replace(options, overwrite=False, resume=True)
    tasks = tasks_to_store(volume, path, going_on, preparation)
    return run([*tasks, *preparation.beside], resume=True, at_end=preparation.at_end)


def _advice(volume: Voxels, options: StoreOptions, summary: RunSummary) -> str:
    """With which blocks the next run would take less; nothing where that isn't known."""
    if options.roi is not None or summary.spent.seconds_busy < _WORTH_ADVICE:
        return ""
    try:
        planned = plan(
            volume, options.block_shape, measured=summary, suggest=True, workers=summary.threads
        )
    except ValueError:
        return ""  # an earlier run did all of a stage
    found = planned.suggestion
    return str(found) if found is not None and found.is_worth_it else ""


def _after(first: RunSummary, second: RunSummary) -> RunSummary:
    """What became of two runs, of which the second found done what the first did."""
    done = {task.name: task for task in first.tasks}
    tasks = tuple(done.get(task.name, task) for task in second.tasks)
    return replace(second, tasks=tasks, seconds=first.seconds + second.seconds)
