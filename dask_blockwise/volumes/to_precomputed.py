"""Store a volume as Neuroglancer's precomputed data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distributed import Client

from ..engine.progress import RunSummary
from ..geometry.blocks import Roi
from ..labels.segment_properties import segment_properties
from ..storage.location import location_of
from ..storage.scale_output import ScaleOutput
from ..storage.scales import check_room, put_properties
from .known import Verify
from .options import OnChange, StoreOptions
from .precomputed_as import precomputed_as
from .skipping import only_where
from .source import Voxels
from .whole_run import store

__all__ = ["to_precomputed"]


def to_precomputed(
    volume: Voxels,
    /,
    path: str | os.PathLike[str],
    *,
    segmentation: bool | None = None,
    encoding: str | None = None,
    sharded: bool = True,
    pyramid: Any = True,
    objects: Any = None,
    client: Client | None = None,
    resume: bool = True,
    progress: bool = True,
    block_shape: Sequence[int] | None = None,
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
    report: str | os.PathLike[str] | None = None,
) -> RunSummary:
    """Compute the volume block by block and store it as Neuroglancer's precomputed data.

    Numbers are nanometers, whatever the volume's unit, and voxels lie whole voxels from the origin.

    Parameters
    ----------
    path : path or URL
        Of the folder that holds ``info``, such as ``"gs://bucket/segments"``.
    segmentation : bool, optional
        Whether these are labels, of objects that can be chosen; so unless given, where values are
        unsigned integers of 32 bits or more.
    encoding : "raw", "png", "jpeg" or "compressed_segmentation", optional
        Of chunks: ``"compressed_segmentation"`` for labels of 32 and 64 bits, unless given, and
        ``"raw"`` for all else. ``"jpeg"`` changes values.
    sharded : bool
        Whether a block is one file, a shard of chunks, each compressed by gzip unless it is png or
        jpeg; or each chunk is a file, as it is encoded.
    pyramid : bool, int, sequence or Pyramid
        Coarser scales, as of ``to_zarr``: as many as it takes until one fits in a chunk, unless
        given. Their voxels lie whole ones from the origin too, so that the first and last may be
        made of fewer.
    objects : DataFrame, optional
        A table with a row for each label, as ``volume.objects()`` makes it: what it says of them
        is shown beside their ids, and can be searched.
    client, resume, progress, overwrite, num_workers, max_retries, timeout, \
    workers_timeout
        As for ``to_zarr``.
    on_change, verify, version, notes, roi, report
        As for ``to_zarr``.
    mask, skip_if
        As for ``to_zarr``; voxels that are left out are 0.
    block_shape : sequence of int, optional
        Voxels of a block along z, y and x; the volume's own unless given. Powers of 2 times 64 cut
        into the best chunks.

    Returns
    -------
    RunSummary

    Raises
    ------
    ValueError
        If precomputed data can't hold the volume: its axes, type of values, unit or offset.
    FileExistsError
        If something else is stored there, unless ``overwrite=True``; ``OutputChanged`` if it is of
        this volume, but its blocks no longer hold.
    BlockingIOError
        If another run is writing to the same output.
    BlocksFailed
        If blocks failed for good, after all others are done.

    References
    ----------
    Neuroglancer's precomputed volume format.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, open_volume
    >>> labels = Volume.from_array(np.eye(4, dtype="u8")[None], voxel_size=(40, 4, 4), unit="nm")
    >>> bool(labels.to_precomputed("segments", progress=False))
    True
    >>> open_volume("segments")
    <StoredVolume (1, 4, 4) uint64 zyx, [0:40, 0:16, 0:16] (40, 16, 16) nanometer>
    """
    stored_as = precomputed_as(volume.frame, segmentation, encoding, sharded, pyramid)
    _check(stored_as.kind, objects, verify)
    options = StoreOptions(
        stored_as=stored_as,
        block_shape=block_shape,
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
    volume = only_where(volume, mask, skip_if, block)
    properties = None if objects is None else segment_properties(objects)
    root = location_of(path)
    where = stored_as.kind.path_in(root, volume.frame.placement)
    check_room(root, Path(where).name, overwrite)
    how = client, progress, verify, report, workers_timeout
    summary = store(volume, where, options, *how)
    if properties is not None:
        put_properties(root, properties)
    return summary


def _check(kind: ScaleOutput, objects: Any, verify: Verify) -> None:
    if objects is not None and not kind.segmentation:
        raise ValueError(
            "objects= says what labels are, and these are values of an image: pass "
            "segmentation=True if they are labels."
        )
    if kind.encoding == "jpeg" and verify == "content":
        raise ValueError(
            'encoding="jpeg" changes values, so that verify="content" would never find what was '
            'written: leave verify out, or choose encoding="png".'
        )
