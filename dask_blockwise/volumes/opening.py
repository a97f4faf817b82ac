"""Open volumes where they are stored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from ..storage.arrays import StoredArray, open_array
from ..storage.checked import understood
from ..storage.formats import Strict
from ..storage.label_lists import is_image_label
from ..storage.placing import placed_as
from .frame import Frame, check_axes
from .kinds import Stored
from .meaning import are_names, stands_for_in
from .volume import Volume

__all__ = ["open_volume"]

OnMissing = Literal["fill", "raise"]


def open_volume(
    path: str | os.PathLike[str],
    *,
    stands_for: tuple[float, float] | None = None,
    on_missing: OnMissing = "fill",
    axes: Sequence[str] | None = None,
    voxel_size: Sequence[Any] | None = None,
    unit: str | Sequence[str] | None = None,
) -> Volume:
    """Open a stored volume: zarr 2 or 3, OME-Zarr, N5 or precomputed, local, s3:// or gs://.

    Local files of TIFF, HDF5 and npy are opened too, and only read: ``"raw.tif"``,
    ``"cells.h5/raw"``, ``"raw.npy"``. Their libraries come with ``dask_blockwise[files]``.

    Parameters
    ----------
    path : path or URL
        Of an array, or of an OME-Zarr image, of which the first level is opened.
    stands_for : (float, float), optional
        What 0 and 255 of uint8 stand for, where values are a quantised float that another tool
        stored, such as ``(0, 1)`` for probabilities. Arrays stored here say so themselves.
    on_missing : "fill" or "raise"
        What is read of a chunk that isn't there: fill value, mostly 0, as formats have it, since
        writers leave out chunks that hold nothing else; or an error that names the chunk's file,
        for volumes that are known to have all, of which one may have been lost. Of zarr, N5 and
        precomputed.
    axes : sequence of str, optional
        Such as ``"czyx"``, where the metadata names none, or others.
    voxel_size : sequence of number, optional
        For all axes but "c", instead of the metadata's, in its unit or the one given.
    unit : str or sequence of str, optional
        Instead of the metadata's, whose numbers stay: of space, or one for each axis but "c".

    Returns
    -------
    Volume

    Raises
    ------
    FileNotFoundError
        If there is no array.
    ImportError
        If the library that reads the file isn't installed.
    ValueError
        If its metadata isn't understood, its voxels are no numbers, or its chunks have other names
        than its metadata give. A zarr 2 array is read by the names that are there, and so are
        chunks of precomputed data that cloud-volume compressed as files.

    Examples
    --------
    >>> import numpy as np
    >>> volume = Volume.from_array(np.eye(4), voxel_size=(8, 8))
    >>> _ = volume.to_zarr("in.zarr/raw", progress=False)
    >>> open_volume("in.zarr/raw").roi
    [0:32, 0:32] (32, 32)
    """
    if on_missing not in ("fill", "raise"):
        raise ValueError(f"on_missing is 'fill' or 'raise', got {on_missing!r}.")
    stored = open_array(path)
    if on_missing == "raise":
        stored = _strict(stored)
    placement = placed_as(stored, axes, voxel_size, unit)
    with understood(stored.path):
        if stored.dtype.kind not in "buifc":
            raise ValueError(f"voxels must be numbers, and these are {stored.dtype}")
        check_axes(placement.axes, len(stored.shape))
    frame = Frame(
        shape=stored.shape,
        dtype=stored.dtype,
        placement=placement,
        chunks=stored.chunks,
        shards=stored.shards,
        stands_for=stands_for or stands_for_in(stored.attributes),
        names=are_names(stored.attributes) or _is_in_image_label(stored),
    )
    return Volume(frame, Stored(stored, placement.axes))


def _strict(stored: StoredArray) -> StoredArray:
    """The same array, whose reads raise of a chunk that isn't there."""
    if not isinstance(stored.format, Strict):
        raise ValueError(
            f"{stored.path} is {stored.format.title}, of which it isn't known whether chunks are "
            "missing: leave on_missing out."
        )
    return replace(stored, format=stored.format.strict()).again()


def _is_in_image_label(stored: StoredArray) -> bool:
    """Whether the group that holds it says that it labels an image."""
    return stored.zarr_format is not None and is_image_label(stored.location.rpartition("/")[0])
