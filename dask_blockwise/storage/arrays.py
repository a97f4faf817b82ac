"""Arrays on disk or in the cloud: opened, created, read and written in whole shards or chunks."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..geometry.placement import Placement
from .asked_once import asked_once
from .checked import understood
from .chunking import checked_layout
from .consolidated import renew_consolidated
from .container_format import zarr_format_for
from .documents import put
from .formats import Matched, find_array, new_array_documents
from .groups import (
    exists,
    make_groups_above,
    node_attributes,
    put_group,
    read_attributes,
    remove_if_empty,
    write_attributes,
)
from .label_lists import is_label, list_label
from .level_paths import image_paths, level_paths
from .location import (
    check_may_be_written,
    folders_above,
    given_as,
    is_remote,
    location_of,
)
from .metadata import ome_attributes
from .neighbours import neighbours_attributes
from .placing import read_placement
from .removal import remove_in_order
from .room import make_room
from .stored_array import StoredArray
from .what_is_there import what_is_there
from .worlds import with_world

__all__ = [
    "StoredArray",
    "create_array",
    "create_image",
    "exists",
    "node_attributes",
    "open_array",
    "read_attributes",
    "read_placement",
    "remove",
    "write_attributes",
]

_LEVEL = "s0"


@asked_once()
def open_array(path: str | os.PathLike[str], writable: bool = False) -> StoredArray:
    """Open an array of a registered format, or the first level of an OME-Zarr image.

    Formats are zarr 2 and 3, N5, precomputed, single files of TIFF, HDF5 and npy, and what
    ``storage.formats.register`` has been given.

    Parameters
    ----------
    path : path or URL
        Of the array, or of the group of an image; for one scale of precomputed data its key is
        added, ``"em/8_8_40"``, for a dataset of HDF5 its path, ``"cells.h5/raw"``.
    writable : bool
        Whether it will be written to.

    Returns
    -------
    StoredArray

    Raises
    ------
    FileNotFoundError
        If there is no array, with those that lie below the path.
    ValueError
        If its metadata isn't understood, leads to what lies elsewhere, or gives other names to
        chunks than their files have.
    PermissionError
        If it will be written to, but what is there locally can't be.
    io.UnsupportedOperation
        If it will be written to, but arrays of its format are only read.

    Examples
    --------
    >>> made = create_array("in.zarr/raw", (4, 6), "uint8", chunks=(2, 6), fill_value=7)
    >>> open_array("in.zarr/raw").read((slice(0, 1), slice(2, 5)))
    array([[7, 7, 7]], dtype=uint8)
    """
    given = given_as(path)
    given = next(iter(image_paths(given)), given)
    found = find_array(location_of(given))
    if found is None and (levels := level_paths(given)):
        found = find_array(location_of(given := levels[0]))
    location = location_of(given)
    if found is None:
        raise FileNotFoundError(what_is_there(given))
    if writable:
        check_may_be_written(location)
    if writable and not is_remote(location) and not os.access(location, os.W_OK):
        raise PermissionError(errno.EACCES, f"{given} can't be written. Choose another path")
    format, attributes = found
    with understood(given):
        matched = format.matched(location) if isinstance(format, Matched) else format
        array = StoredArray.of(given, location, matched, attributes)
    if writable:
        array.writable()
    return array


@asked_once()
def create_array(
    path: str | os.PathLike[str],
    shape: Sequence[int],
    dtype: Any,
    *,
    chunks: Sequence[int],
    shards: Sequence[int] | None = None,
    zarr_format: int | None = None,
    axes: Sequence[str] | None = None,
    attributes: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    fill_value: Any = 0,
    compressor: str | Mapping[str, Any] | None = "zstd",
    separator: str = "/",
) -> StoredArray:
    """Create an array of fill value, and the groups above it.

    With zstd a chunk that has changed on disk raises an error when it is read, by the checksum that
    zstd keeps; not in zarr 2, where TensorStore knows none.

    Parameters
    ----------
    path : path or URL
        Groups are made from the first folder on whose name ends in ``.zarr``.
    shape, chunks, shards : sequence of int
    dtype : dtype
    zarr_format : int, optional
        3, or 2 for older readers; 2 has no shards. That of the group above unless given, or else 3.
    axes : sequence of str, optional
        Names of the dimensions.
    attributes : mapping, optional
    overwrite : bool
        Whether an array or image that is there is replaced; anything else is never removed.
    fill_value : number
    compressor : str, mapping or None
        As `storage.formats.known_compressor` gives it.
    separator : "/" or "."
        Between the numbers of a chunk in the name of its file: "/" makes a folder of each but the
        last, which tools may count on; with "." all lie in one, which is soon removed.

    Returns
    -------
    StoredArray

    Raises
    ------
    FileExistsError
        If something is there, unless it may be overwritten.
    ValueError
        If chunks don't divide shards, zarr 2 is asked for shards, or another version of zarr for
        than the group above has, or the compressor isn't known.
    OSError
        If the store is full or can't be written.

    Examples
    --------
    >>> import numpy as np
    >>> array = create_array("out.zarr/a", (8, 8), "uint8", chunks=(2, 2), shards=(4, 4))
    >>> array.write((slice(0, 4), slice(4, 8)), np.ones((4, 4), np.uint8))
    >>> array.write_unit, int(array.read((slice(0, 8), slice(0, 8))).sum())
    ((4, 4), 16)
    """
    given, location = given_as(path), location_of(path)
    version = zarr_format_for(location, zarr_format)
    documents = new_array_documents(
        version,
        axes,
        compressor,
        separator,
        **checked_layout(shape, chunks, shards, version),
        dtype=dtype,
        attributes=dict(attributes or {}),
        fill_value=fill_value,
    )
    make_room(given, location, overwrite, version)
    make_groups_above(location, version)
    for name, document in documents.items():
        put(location, name, document)
    renew_consolidated(location)
    return open_array(given)


@asked_once()
def create_image(
    path: str | os.PathLike[str],
    placement: Placement,
    shape: Sequence[int],
    dtype: Any,
    *,
    chunks: Sequence[int],
    shards: Sequence[int] | None = None,
    zarr_format: int | None = None,
    overwrite: bool = False,
    name: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    group_attributes: Mapping[str, Any] | None = None,
    fill_value: Any = 0,
    compressor: str | Mapping[str, Any] | None = "zstd",
) -> StoredArray:
    """Create an OME-Zarr image of one level, "s0": version 0.5 in zarr 3, 0.4 in zarr 2.

    Below a group ``labels`` it is a label image, and is added to the group's list.

    Parameters
    ----------
    path : path or URL
        Of the image's group, such as ``"out.zarr/segments"``.
    placement : Placement
    shape, dtype, chunks, shards, zarr_format, overwrite, fill_value, compressor
        As of ``create_array``.
    name : str, optional
        The group's own unless given.
    attributes : mapping, optional
        Of the array, beside the image's.
    group_attributes : mapping, optional
        Of the image's group, beside OME's.

    Returns
    -------
    StoredArray

    Raises
    ------
    FileExistsError
        If something is there, unless it may be overwritten.
    OSError
        If the store is full or can't be written.

    Examples
    --------
    >>> placement = Placement(("y", "x"), (4, 4), (0, 0), "nanometer")
    >>> image = create_image("out.zarr/raw", placement, (8, 8), "uint8", chunks=(4, 4))
    >>> image.path, read_placement(open_array("out.zarr/raw")) == placement
    ('out.zarr/raw/s0', True)
    """
    given, location = given_as(path), location_of(path)
    version = zarr_format_for(location, zarr_format)
    checked_layout(shape, chunks, shards, version)
    make_room(given, location, overwrite, version)
    make_groups_above(location, version)
    title, told = name or location.rsplit("/", 1)[-1], neighbours_attributes(placement, version)
    ome = ome_attributes(placement, _LEVEL, title, version, label=is_label(location))
    put_group(location, ome | dict(group_attributes or {}), version)
    list_label(location, version)
    return create_array(
        f"{given}/{_LEVEL}",
        shape,
        dtype,
        chunks=chunks,
        shards=shards,
        axes=placement.axes,
        attributes=told | with_world(attributes or {}, placement),
        fill_value=fill_value,
        compressor=compressor,
    )


@asked_once()
def remove(path: str | os.PathLike[str]) -> None:
    """Remove an array and all below it, and its local group if that leaves nothing in it."""
    location = location_of(path)
    if find_array(location) is not None or _is_left_empty(location):
        remove_in_order(location)
        renew_consolidated(location)
    if not is_remote(location) and not os.path.exists(location):
        remove_if_empty(next(folders_above(location))[0])


def _is_left_empty(location: str) -> bool:
    """Whether it is a folder without anything, as a removal that was broken off leaves it."""
    return not is_remote(location) and os.path.isdir(location) and not os.listdir(location)
