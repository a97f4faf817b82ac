"""The way from a volume to the tasks that store it."""

from __future__ import annotations

from ..engine.standing import settled
from ..engine.task import Task
from ..storage.asked_once import asked_once
from ..storage.groups import exists, is_bare
from ..storage.level_paths import image_paths
from ..storage.location import check_may_be_written, same_place
from ..storage.room import check_no_file
from .filling import Filling
from .found_places import place_for
from .kinds import Checkpoint
from .levels import check_levels, level_tasks
from .lineage import check_regional, checkpoints_of
from .options import StoreOptions
from .preparation import Preparation
from .reading import readings
from .source import Voxels
from .step import Output, Target
from .step_tasks import steps_of, tasks_into

__all__ = [
    "check_not_in_place",
    "check_outputs",
    "check_path",
    "filling_of",
    "tasks_to_mend",
    "tasks_to_store",
    "upstream_tasks",
]


def check_outputs(
    volume: Voxels, path: str, options: StoreOptions, preparation: Preparation
) -> None:
    """Refuse what can't be stored, and to touch what is stored and no longer holds.

    Raises
    ------
    ValueError, OutputChanged
    """
    check_path(volume, path)
    block = volume.frame.checked_block(options.block_shape)
    steps_of(volume, block)  # which refuses what can't be stored
    check_regional(volume, stored=True)
    for below in checkpoints_of(volume):
        check_outputs(below.made, below.path, below.options, preparation)
    filling = filling_of(volume, path, options, preparation)
    _check_own(filling)
    preparation.claim(filling.ledger)
    filling.check()
    check_levels(filling)


def check_path(volume: Voxels, path: str) -> None:
    """Refuse a location at which a volume can't be stored, whatever lies there of earlier runs.

    Raises
    ------
    OSError, ValueError
    """
    check_may_be_written(path)
    check_no_file(path)
    check_not_in_place(volume, path)


def check_not_in_place(volume: Voxels, path: str) -> None:
    """Refuse to store a volume where something that it is computed from lies.

    Raises
    ------
    ValueError
    """
    levels = image_paths(path)
    for reading in readings(volume, None):
        location = "" if reading.array is None else reading.array.location
        places = path, *levels, f"{path}/{location.rpartition('/')[2]}"
        if location and any(same_place(place, location) for place in places):
            raise ValueError(
                f"{path} is what this volume is computed from: a block computed again would read "
                "its own output. Store it at another path; or, where a notebook's cell ran twice, "
                "run those before it again too."
            )
        if reading.checkpoint is not None and same_place(path, reading.checkpoint):
            raise ValueError(
                f"{path} is a checkpoint on the way to what would be stored there: give each a "
                "path of its own."
            )
    for below in checkpoints_of(volume):
        check_not_in_place(below.made, path)


def _check_own(filling: Filling) -> None:
    """Refuse to replace anything that a run didn't store by itself on the way to the same."""
    image, found = filling.options.on_the_way_to, filling.found
    if image is None or not exists(filling.path) or is_bare(filling.path):
        return
    if found is None or (found.on_the_way_to != image and found.digest != filling.record.digest):
        raise FileExistsError(
            f"{filling.path}, where a stage would be stored on the way to {image}, holds something "
            "else, which isn't replaced: choose another path, or say where that stage is to be "
            "stored, by checkpoint(path) of its volume."
        )


@asked_once()
def tasks_to_store(
    volume: Voxels, path: str, options: StoreOptions, preparation: Preparation
) -> list[Task]:
    """The tasks that store a volume, and the checkpoints on the way to it; its array is made.

    Parameters
    ----------
    volume : Volume
    path : str
        Absolute, or a URL.
    options : StoreOptions
    preparation : Preparation
        Tasks of this run that store checkpoints are added to it.
    """
    upstream = upstream_tasks(volume, preparation)
    filling = filling_of(volume, path, options, preparation)
    array = filling.array()
    preparation.at_end.append(filling.end)
    tasks = tasks_into(volume, Output(path, Target.all_of(array)), options, upstream, preparation)
    preparation.beside += level_tasks(filling, array, tasks[0])
    return tasks


def tasks_to_mend(
    volume: Voxels, path: str, options: StoreOptions, preparation: Preparation
) -> list[Task]:
    """Tasks of checkpoints to be run before it is known whether a finished output still holds.

    Where an output takes several steps, these leave nothing behind that would tell which of its
    blocks are touched: all steps would be done again for a checkpoint that lacks one chunk.
    """
    filling = filling_of(volume, path, options, preparation)
    several = len(steps_of(volume, filling.block)) > 1
    complete = filling.goes_on and filling.done is not None and filling.done.done.all()
    if not (several and complete and options.goes_on and options.roi is None):
        return []
    upstream = upstream_tasks(volume, preparation)
    return [] if all(map(settled, upstream)) else upstream


def filling_of(
    volume: Voxels, path: str, options: StoreOptions, preparation: Preparation
) -> Filling:
    """What lies at the path where a volume is about to be stored, looked at once in a run."""

    def look() -> Filling:
        block = volume.frame.checked_block(options.block_shape)
        last = next(step for step in steps_of(volume, block) if step.last)
        place = place_for(path, options.stored_as)
        return Filling(volume, place, block, options, preparation, tuple(last.readings()))

    return preparation.once(path, volume, look)


def upstream_tasks(volume: Voxels, preparation: Preparation) -> list[Task]:
    """The tasks that store a checkpoint, or those below a volume; those there are used again."""
    if isinstance(volume.source, Checkpoint):
        return _checkpoint_tasks(volume, volume.source, preparation)
    inner = (upstream_tasks(inner, preparation) for inner in volume.source.inputs)
    return list(dict.fromkeys(task for tasks in inner for task in tasks))


def _checkpoint_tasks(
    volume: Voxels, checkpoint: Checkpoint, preparation: Preparation
) -> list[Task]:
    path, made = checkpoint.path, preparation.made
    if path not in made:
        stored = tasks_to_store(checkpoint.made, path, checkpoint.options, preparation)
        made[path] = volume.token, stored
    token, tasks = made[path]
    if token != volume.token:
        raise ValueError(
            f"Two different checkpoints of one run would be stored at {path}: give each "
            "a path of its own."
        )
    return tasks
