"""What storing a volume is for a person: checkpoint and to_zarr, methods of every volume."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from distributed import Client

from ..engine.progress import RunSummary
from ..geometry.blocks import Roi
from ..pipelines.stages import stage
from ..storage.location import location_of
from .auto_checkpoints import Automatic, with_checkpoints
from .kinds import AnyVoxels, before_checkpoint, checkpointed
from .known import Verify
from .options import OnChange, StoreOptions
from .skipping import only_where
from .source import Voxels
from .step_tasks import steps_of
from .stored_as import stored_as
from .whole_run import store

__all__ = ["checkpoint", "to_zarr"]


@stage("stored")
def checkpoint(
    volume: AnyVoxels,
    /,
    path: str | os.PathLike[str],
    *,
    block_shape: Sequence[int] | None = None,
    zarr_format: int | None = None,
    compressor: Any = "zstd",
    fill_value: Any = 0,
    dtype: Any = None,
    pyramid: Any = False,
    overwrite: bool = False,
    resume: bool = True,
    num_workers: int | None = None,
    max_retries: int = 2,
    timeout: float | None = None,
    on_change: OnChange | None = None,
    version: str | None = None,
    mask: AnyVoxels | Roi | Sequence[Roi] | None = None,
    skip_if: Any = None,
) -> AnyVoxels:
    """The same volume, stored on the way when something made from it is stored.

    Called again on what it returned, with the same path, it gives the same, as where a notebook's
    cell runs twice.

    Parameters
    ----------
    path : path or URL
    block_shape, zarr_format, compressor, fill_value, dtype, pyramid, overwrite, resume, \
    num_workers, max_retries, timeout, version, mask, skip_if
        As for ``to_zarr``.
    on_change : "ask" or "redo", optional
        As for ``to_zarr``; unless given, as the run is told.

    Returns
    -------
    Volume
        Previews compute it.
    """
    location = location_of(path)
    volume = before_checkpoint(volume, location)
    options = StoreOptions(
        block_shape=block_shape,
        stored_as=stored_as(
            volume,
            zarr_format=zarr_format,
            compressor=compressor,
            fill_value=fill_value,
            dtype=dtype,
            pyramid=pyramid,
        ),
        overwrite=overwrite,
        resume=resume,
        num_workers=num_workers,
        max_retries=max_retries,
        timeout=timeout,
        on_change=on_change,
        version=version,
    )
    block = volume.frame.checked_block(options.block_shape)
    volume = only_where(volume, mask, skip_if, block, fill_value)
    steps_of(volume, block)  # which refuses what can't be stored
    return checkpointed(volume, location, options)


# By which it is known where a keyword has its name.
_checkpoint = checkpoint


def to_zarr(
    volume: Voxels,
    /,
    path: str | os.PathLike[str],
    *,
    client: Client | None = None,
    resume: bool = True,
    progress: bool = True,
    block_shape: Sequence[int] | None = None,
    zarr_format: int | None = None,
    compressor: Any = "zstd",
    fill_value: Any = 0,
    dtype: Any = None,
    pyramid: Any = False,
    overwrite: bool = False,
    num_workers: int | None = None,
    max_retries: int = 2,
    timeout: float | None = None,
    workers_timeout: float | str | None = None,
    on_change: OnChange = "ask",
    verify: Verify = "stamps",
    version: str | None = None,
    notes: Any = None,
    roi: Roi | None = None,
    mask: Any = None,
    skip_if: Any = None,
    checkpoint: Automatic | None = None,
    report: str | os.PathLike[str] | None = None,
) -> RunSummary:
    """Compute the volume block by block and store it as OME-Zarr.

    Parameters
    ----------
    path : path or URL
        Such as ``"out.zarr/segments"``.
    client : distributed.Client, optional
        The present one, else a cluster on this machine, unless given.
    resume : bool
        Whether to go on with what an earlier run of the same computation stored there.
    progress : bool
        Whether to show a bar.
    block_shape : sequence of int, optional
        Voxels of a block along all axes but "c", as one shard; the volume's own unless given.
    zarr_format : int, optional
        That of the container, or else 3, unless given; 2 for older readers.
    compressor : str, (str, int), mapping, codec or None
        ``"zstd"``, ``"gzip"``, ``"blosc"`` or ``"lz4"``, the fastest, in zarr 2 also ``"zlib"`` and
        ``"bz2"``; with a level as in ``"zstd:9"``; a codec of zarr or numcodecs of one of these, or
        its settings; None for no compression.
    fill_value : number
        What is read where nothing has been written; any value of the dtype, such as NaN of floats.
    dtype : dtype or "smallest", optional
        That of the volume unless given. A block with a value that it can't hold fails, and says so.
        ``"smallest"`` is for what ``relabel``, ``renumber`` and ``agglomerate`` make: the smallest
        that holds as many ids as there may be, one for each ``min_size`` voxels.
    pyramid : bool, int, sequence or Pyramid
        Coarser levels to be stored beside the first, ``s1``, ``s2`` and so on: True for as many as
        it takes until one fits in a chunk, how many, or the factors of each to the one before. See
        `Pyramid` for how they are made. Levels that an earlier call made are kept true, also where
        none are asked for.
    overwrite : bool
        Whether something else that is stored there is replaced.
    num_workers : int, optional
        At most so many blocks of a task at once; as many as the cluster runs unless given.
    max_retries : int
        A block runs at most ``max_retries + 1`` times.
    timeout : float, optional
        Seconds that a block may take.
    workers_timeout : float or str, optional
        Seconds, or text such as "2h", that the run may wait while it has no worker, before it ends
        with an error; what is done is kept. As `cluster` was told, or without end, unless given.
    on_change : "ask" or "redo"
        What becomes of blocks that an earlier run finished and that no longer hold, as what they
        were computed by, or from, has changed, or they were altered: refuse, and say what has
        changed, or compute again just these. Blocks that are missing are always computed.
    verify : "stamps", "content" or "none"
        How it is seen that what was read and written is what it was: by size, time and inode of
        files or the tags of a bucket; by reading all of it, where times say nothing, as in copies;
        or not at all.
    version : str, optional
        States what a digest of the computation can't see, such as a compiled extension: blocks of
        another version don't hold.
    notes : optional
        For the record that is stored with the volume; what JSON can hold.
    roi : Roi, optional
        Compute the blocks that meet this region alone, again if they are done, and touch no others.
        Refused where others were made by another computation, and can't stay beside these.
        Of what ``relabel`` or ``agglomerate`` makes, the region is segmented and stitched again,
        and objects keep their ids as far as that can be: ``changed_ids`` of the summary, and
        ``<path>.changed.csv``, say which don't.
    mask : Volume, Roi or list of Roi, optional
        Where there is something, as for ``volume.masked``: voxels outside hold ``fill_value``, and
        blocks that are all outside are skipped before anything of them is read. What is stored
        within doesn't depend on the blocks, but where a stage's does.
    skip_if : number, function, or (Volume, function), optional
        Which blocks are skipped, too, and hold ``fill_value``: those in which the volume that all
        is made of has no other value than this; those of whose values in it, or in another volume
        such as a coarse level, the function says True. Without a halo: so what is stored depends
        on the blocks.
    checkpoint : "auto", optional
        Store on the way, too, what blocks would else compute half as much again or more, for their
        halos or as several stages read it: beside the volume and named by its stage, as in
        ``"out.zarr/segments-gaussian"``. What ``plan(checkpoint="auto")`` shows. If anything but
        such an earlier one lies there, that is refused, whatever ``overwrite`` says.
    report : path, optional
        Where a page is written that explains the run, ``"run.html"``, or the same as ``.json``,
        also where blocks failed; ``summary.report(path)`` writes it later.

    Returns
    -------
    RunSummary

    Raises
    ------
    FileExistsError
        If something else is stored there, unless ``overwrite=True``; ``OutputChanged`` if it is of
        this volume, but its blocks no longer hold.
    BlockingIOError
        If another run is writing to the same output.
    BlocksFailed
        If blocks failed for good, after all others are done.
    NoWorkers
        If there was no worker for longer than ``workers_timeout``; the same call goes on.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, open_volume
    >>> volume = Volume.from_array(np.eye(4))
    >>> bool(volume.to_zarr("eye.zarr/copy", progress=False))
    True
    >>> open_volume("eye.zarr/copy")[1, :2]
    array([0., 1.])
    """
    options = StoreOptions(
        block_shape=block_shape,
        stored_as=stored_as(
            volume,
            zarr_format=zarr_format,
            compressor=compressor,
            fill_value=fill_value,
            dtype=dtype,
            pyramid=pyramid,
        ),
        overwrite=overwrite,
        resume=resume,
        num_workers=num_workers,
        max_retries=max_retries,
        timeout=timeout,
        on_change=on_change,
        version=version,
        notes=notes,
        roi=roi,
    )
    block = volume.frame.checked_block(block_shape)
    volume = only_where(volume, mask, skip_if, block, fill_value)
    if checkpoint is not None:
        keep = partial(
            _checkpoint,
            zarr_format=zarr_format,
            compressor=compressor,
            overwrite=overwrite,
            resume=resume,
            num_workers=num_workers,
            max_retries=max_retries,
            timeout=timeout,
            version=version,
        )
        volume = with_checkpoints(volume, location_of(path), block, keep, checkpoint)
    how = client, progress, verify, report, workers_timeout
    return store(volume, location_of(path), options, *how)
