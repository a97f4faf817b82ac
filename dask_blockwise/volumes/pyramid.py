"""Coarser levels of an array that is there already."""

from __future__ import annotations

import os
from dataclasses import replace
from io import UnsupportedOperation
from itertools import islice
from typing import Any

from distributed import Client

from ..engine.clients import open_if_needed
from ..engine.ledger import finished
from ..engine.limits import seconds_to_wait
from ..engine.progress import RunSummary
from ..engine.run_document import check_report_path
from ..storage.arrays import StoredArray, exists, open_array
from ..storage.levels import image_above, listed_levels, make_image
from ..storage.location import check_may_be_written
from .known import Verify, array_id, ledger_of
from .levels import Levels, LevelStep, step_at, steps_wanted
from .opening import open_volume
from .options import OnChange, StoreOptions
from .places import ImageLevels
from .preparation import Preparation
from .pyramids import Pyramid
from .reported import run_reported
from .running import run_all
from .seen.stored_stage import StoredStage
from .stored_as import stored_as
from .volume import Volume

__all__ = ["pyramid"]


def pyramid(
    path: str | os.PathLike[str],
    levels: Any = True,
    *,
    method: str | None = None,
    compressor: Any = "zstd",
    client: Client | None = None,
    resume: bool = True,
    progress: bool = True,
    num_workers: int | None = None,
    max_retries: int = 2,
    timeout: float | None = None,
    workers_timeout: float | str | None = None,
    on_change: OnChange = "redo",
    verify: Verify = "stamps",
    report: str | os.PathLike[str] | None = None,
) -> RunSummary:
    """Add coarser levels to an image that is there, or make them anew where it has changed.

    They are made from its coarsest level that wasn't made here, go by the next names (``s1`` after
    ``s0``, ``3`` after ``2``), and are told of in the image's metadata, each with its own scale and
    translation. What is done isn't done again; blocks of which the finer voxels changed are.

    Parameters
    ----------
    path : path or URL
        Of an OME-Zarr image, or of an array called ``s0``, ``0`` or the like in a group that is no
        image yet, which is made one.
    levels : True, int, sequence or Pyramid
        As for ``to_zarr(pyramid=)``.
    method : str, optional
        As of `Pyramid`; labels of an image are known as such.
    compressor
        As for ``to_zarr``.
    client, resume, progress, num_workers, max_retries, timeout, workers_timeout, verify, report
        As for ``to_zarr``.
    on_change : "redo" or "ask"
        What becomes of finished blocks of levels that no longer hold.

    Returns
    -------
    RunSummary

    Raises
    ------
    FileNotFoundError
        If there is no array.
    io.UnsupportedOperation
        If it isn't zarr, or lies on a web server or in a zip archive.
    ValueError
        If it lies where no levels can be told of, is of a version of OME-Zarr that isn't written,
        is not finished, or can't have so many levels.
    BlockingIOError
        If another run writes to them.
    BlocksFailed
        If blocks failed for good, after all others are done.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, open_volume, pyramid
    >>> _ = Volume.from_array(np.eye(6)).to_zarr("eye.zarr/copy", progress=False)
    >>> bool(pyramid("eye.zarr/copy", 2, progress=False))
    True
    >>> open_volume("eye.zarr/copy/s1")[0], open_volume("eye.zarr/copy/s2").shape
    (array([0.5, 0. , 0. ]), (2, 2))
    """
    patience = seconds_to_wait(workers_timeout)
    page = None if report is None else check_report_path(report)
    wanted = Pyramid.of(levels) or Pyramid()
    wanted = wanted if method is None else replace(wanted, method=method)
    volume, image, base = _base(path)
    options = StoreOptions(
        stored_as=stored_as(volume, compressor=compressor),
        resume=resume,
        num_workers=num_workers,
        max_retries=max_retries,
        timeout=timeout,
        on_change=on_change,
    )
    steps = steps_wanted(wanted, volume, volume.chunks, ImageLevels(image, base))
    with Preparation(verify, on_change) as preparation:
        made = _levels(volume, image, base, steps, options, preparation)
        made.claim()
        made.check()
        open_if_needed(client)
        make_image(image, base, volume.placement, volume.stored.zarr_format or 3)
        tasks = made.tasks(None)
        names = islice(made.where.there(), len(steps))
        return run_reported(
            lambda: run_all(tasks, client, progress, resume, preparation.at_end, patience),
            tuple(map(StoredStage, names)),
            page,
        )


def _levels(
    volume: Volume,
    image: str,
    base: str,
    steps: tuple[LevelStep, ...],
    options: StoreOptions,
    preparation: Preparation,
) -> Levels:
    read = replace(volume, frame=volume.frame.with_block(volume.block_shape))
    where = ImageLevels(image, base, volume.stored.zarr_format or 3)
    return Levels(where, read, volume.stored, steps, options, preparation, written=False)


def _base(path: str | os.PathLike[str]) -> tuple[Volume, str, str]:
    """The level that levels are made from, the image, and the level's path within it."""
    array = open_array(path)
    check_may_be_written(array.location)
    if array.zarr_format is None:
        raise UnsupportedOperation(
            f"{array.path} is {array.format.title}, to which no levels can be added here: store it "
            "as zarr with levels, open_volume(path).to_zarr(other, pyramid=True); in a shell, "
            "dask-blockwise convert PATH OTHER --pyramid."
        )
    image, base = image_above(array.location)
    for name in listed_levels(image, base):
        # One that is lost is made again.
        if exists(f"{image}/{name}") and step_at(f"{image}/{name}") is None:
            base = name
    volume = open_volume(f"{image}/{base}")
    _check_finished(volume.stored)
    return volume, image, base


def _check_finished(array: StoredArray) -> None:
    """Refuse an array that was begun here, and of which blocks are missing."""
    done = finished(ledger_of(array.location), array_id(array))
    if done is not None and not done.done.all():
        raise ValueError(
            f"Of {array.path} {int(done.done.sum())} of {len(done.grid)} blocks are done: let its "
            "run go on, by the same to_zarr, which makes levels too, with pyramid=True."
        )
