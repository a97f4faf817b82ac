"""What storing a volume will take, in time and memory, by what a run of the same stages took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..engine.progress import RunSummary, TaskSummary
from ..engine.worker.spent import Spent
from .step import StagePlan

__all__ = ["estimate", "memory_of_worker"]

# Python with its libraries, and the cache of decoded chunks.
_OWN_BYTES = 450_000_000
# Unless measured, what a stage's function allocates isn't known: as much again as its arrays have.
_ALLOCATED = 2


def estimate(stages: Sequence[StagePlan], measured: RunSummary) -> tuple[Spent, ...]:
    """What workers will spend on each stage, but for waiting, by what they spent on it before.

    Reading goes by the bytes that are read, halos included, computing by these and by what fills
    borders, writing by those written.
    Where a stage writes none, as the plan has it, or reads what earlier steps kept, they go by the
    voxels that the last stage writes.

    Parameters
    ----------
    stages : sequence of StagePlan
    measured : RunSummary
        Of a run of the same stages: with other blocks, over a part, of another volume.

    Raises
    ------
    ValueError
        If a stage isn't among those of the run, or the run computed nothing of it.
    TypeError
        If it is no such summary.
    """
    if not isinstance(measured, RunSummary):
        raise TypeError(
            f"measured must be the summary of a run, as to_zarr returns it, got {measured!r}."
        )
    tasks = list(_matched(stages, measured))
    whole = stages[-1].write_bytes / max(1, _written_by(tasks[-1], stages[-1]))
    return tuple(_scaled(stage, task, whole) for stage, task in zip(stages, tasks, strict=True))


def memory_of_worker(stages: Sequence[StagePlan], measured: RunSummary) -> int:
    """Bytes that a worker process of one thread needs: as measured, by what a block moves.

    Parameters
    ----------
    stages, measured
        See `estimate`.
    """
    return _OWN_BYTES + max(map(_allocated, stages, _matched(stages, measured)))


def _allocated(stage: StagePlan, task: TaskSummary) -> int:
    """What a block takes beyond the worker's own: a network allocates far more than its arrays."""
    moved = _read_by(task) + task.spent.bytes_written
    planned = (stage.read_bytes + stage.write_bytes) / max(1, stage.blocks)
    beyond = max(0, task.peak_memory - _OWN_BYTES)
    larger = planned / (moved / task.completed) if moved else 0
    return max(_ALLOCATED * stage.worker_bytes, round(beyond * larger))


def _matched(stages: Sequence[StagePlan], measured: RunSummary) -> Iterator[TaskSummary]:
    """The task of each stage: in the same order, whatever arrays are called."""
    tasks = iter(measured.tasks)
    for stage in stages:
        step = _step(stage.name)
        task = next((task for task in tasks if _step(task.name) == step), None)
        if task is None or not task.completed:
            made = ", ".join(f"{task.name} ({task.completed})" for task in measured.tasks)
            raise ValueError(
                f"What {stage.name!r} takes isn't told by the summary of a run of {made or 'none'}"
                " (blocks that were computed): give that of a run of the same stages, which may "
                "be over a part, volume.crop(roi).to_zarr(path)."
            )
        yield task


def _step(name: str) -> str:
    """What is done, of a name such as "segments: stitch"."""
    return name.partition(": ")[2]


def _read_by(task: TaskSummary) -> int:
    """Bytes: what lies in memory is needed, but isn't read from a store."""
    return max(task.spent.bytes_read, task.bytes_needed or 0)


def _written_by(task: TaskSummary, stage: StagePlan) -> float:
    """Bytes of such blocks as the plan counts: where it knows which are empty, of no others."""
    if stage.empty is None or not task.empty:
        return task.spent.bytes_written
    return task.spent.bytes_written * task.completed / (task.completed + task.empty)


def _scaled(stage: StagePlan, task: TaskSummary, whole: float) -> Spent:
    spent = task.spent
    # Of what earlier steps kept, the plan knows at most how much may be read.
    is_known = stage.read_bytes and task.bytes_needed is not None
    more_read = stage.read_bytes / max(1, _read_by(task)) if is_known else whole
    written = _written_by(task, stage)
    more_written = stage.write_bytes / written if stage.write_bytes and written else whole
    return Spent(
        seconds_reading=spent.seconds_reading * more_read,
        seconds_computing=spent.seconds_computing * more_read * stage.filled / task.filled,
        seconds_writing=spent.seconds_writing * more_written,
        bytes_read=round(spent.bytes_read * more_read),
        bytes_written=round(spent.bytes_written * more_written),
    )
