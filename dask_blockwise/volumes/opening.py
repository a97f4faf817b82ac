"""Open volumes where they are stored."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..pipelines.stages import stage
from ..storage.asked_once import asked_once
from ..storage.location import given_as
from .chosen_level import Level, all_levels, chosen_level
from .stored_frame import OnCorrupt, OnMissing, OpenOptions
from .stored_volume import stored_volume
from .volume import Volume

__all__ = ["open_levels", "open_volume"]


@stage("volume", name="open")
def open_volume(
    path: str | os.PathLike[str],
    *,
    level: Level | None = None,
    stands_for: tuple[float, float] | None = None,
    on_missing: OnMissing = "fill",
    on_corrupt: OnCorrupt = "raise",
    axes: Sequence[str] | None = None,
    voxel_size: Sequence[Any] | None = None,
    offset: Sequence[Any] | None = None,
    unit: str | Sequence[str] | None = None,
) -> Volume:
    """Open a stored volume: zarr 2 or 3, OME-Zarr, N5 or precomputed, local, s3:// or gs://.

    They are only read from a zip archive, ``"a.zarr.zip/labels/cells"`` or ``"a.ozx"``, and from a
    web server, http:// or https://, which doesn't list what it has: neither is it noticed there
    when chunks change, nor are those counted that are absent.

    Local files of TIFF, HDF5 and npy are opened too, and only read: ``"raw.tif"``,
    ``"cells.h5/raw"``, ``"raw.npy"``. Their libraries come with ``dask_blockwise[files]``.

    Parameters
    ----------
    path : path or URL
        Of an array, or of an image of OME-Zarr, N5 or precomputed, or a TIFF of several
        resolutions, of which the first level is opened.
    level : int, str, float or sequence, optional
        Which level of the image: an index; the path of its dataset; or a voxel size, of which the
        coarsest level that is no coarser is opened: a float, or a number for each axis of space, in
        the image's unit, or with another, ``"16 nm"``.
    stands_for : (float, float), optional
        What 0 and 255 of uint8 stand for, where values are a quantised float that another tool
        stored, such as ``(0, 1)`` for probabilities. Arrays stored here say so themselves.
    on_missing : "fill" or "raise"
        What is read of a chunk that isn't there: fill value, mostly 0, as formats have it, since
        writers leave out chunks that hold nothing else; or an error that names the chunk's file,
        for volumes that are known to have all, of which one may have been lost. Of zarr, N5 and
        precomputed.
    on_corrupt : "raise" or "fill"
        What is read of a chunk that is there but can't be decoded, since it is cut off, or its
        checksum tells of a changed bit: an error that names the chunk's file; or fill value, of
        which a run's ``summary.corrupt`` has the list, and that is warned of once. Of zarr, N5 and
        precomputed. What can't be read at all, by a disk's or server's error, always raises.
    axes : sequence of str, optional
        Such as ``"czyx"``, where the metadata names none, or others.
    voxel_size : sequence of number, optional
        For all axes but "c", instead of the metadata's, in its unit or the one given.
    offset : sequence of number, optional
        World position of the first voxel's begin, likewise.
    unit : str or sequence of str, optional
        Instead of the metadata's, whose numbers stay: of space, or one for each axis but "c".

    Returns
    -------
    Volume

    Raises
    ------
    FileNotFoundError
        If there is no array.
    OSError
        If the store can't be read.
    ImportError
        If the library that reads the file isn't installed.
    ValueError
        If its metadata isn't understood, its voxels are no numbers, or its chunks have other names
        than its metadata give. A zarr 2 array is read by the names that are there, and so are
        chunks of precomputed data that cloud-volume compressed as files. If there is no such level,
        with those that there are.

    Examples
    --------
    >>> import numpy as np
    >>> volume = Volume.from_array(np.eye(4), voxel_size=(8, 8))
    >>> _ = volume.to_zarr("in.zarr/raw", progress=False)
    >>> open_volume("in.zarr/raw").roi
    [0:32, 0:32] (32, 32)
    """
    options = OpenOptions(stands_for, on_missing, on_corrupt, axes, voxel_size, offset, unit)
    with asked_once():
        if level is not None:
            path = chosen_level(given_as(path), level, _opening(options))
        return stored_volume(path, options)


def open_levels(
    path: str | os.PathLike[str],
    *,
    stands_for: tuple[float, float] | None = None,
    on_missing: OnMissing = "fill",
    on_corrupt: OnCorrupt = "raise",
    axes: Sequence[str] | None = None,
    unit: str | Sequence[str] | None = None,
) -> list[Volume]:
    """Open all levels of an image of several resolutions.

    Parameters
    ----------
    path : path or URL
        As for ``open_volume``; of a single array too, which is the only level then.
    stands_for, on_missing, on_corrupt, axes, unit
        As for ``open_volume``, of each level.

    Returns
    -------
    list of Volume
        The finest first.

    Raises
    ------
    FileNotFoundError, ValueError
        As of ``open_volume``.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise.storage.arrays import create_array
    >>> for name, size in ("s0", 4), ("s1", 8):
    ...     _ = create_array(
    ...         f"in.zarr/raw/{name}", (32 // size, 32 // size), "uint8", chunks=(4, 4),
    ...         attributes={"resolution": [size, size], "units": ["nm", "nm"]},
    ...     )
    >>> [tuple(level.voxel_size) for level in open_levels("in.zarr/raw")]
    [(4, 4), (8, 8)]
    >>> open_volume("in.zarr/raw", level=1).path, open_volume("in.zarr/raw", level="9 nm").path
    ('in.zarr/raw/s1', 'in.zarr/raw/s1')
    """
    options = OpenOptions(stands_for, on_missing, on_corrupt, axes, unit=unit)
    with asked_once():
        return all_levels(given_as(path), _opening(options))


def _opening(options: OpenOptions) -> Callable[[str], Volume]:
    return partial(stored_volume, options=options)
