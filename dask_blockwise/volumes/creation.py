"""Create volumes that are written block by block."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..geometry.axes import known_axes
from ..geometry.placement import Placement, default_axes, placement_of
from ..geometry.units import check_units
from ..storage.arrays import create_image
from ..storage.chunking import chunks_and_shards, default_block
from ..storage.container_format import zarr_format_for
from ..storage.location import location_of
from .frame import Frame, check_axes, check_holds_voxels, check_numbers
from .meaning import attributes_of
from .opening import open_volume
from .volume import Volume

__all__ = ["create_volume"]


def create_volume(
    path: str | os.PathLike[str],
    like: Volume | None = None,
    *,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
    axes: Sequence[str] | None = None,
    voxel_size: Sequence[Any] | None = None,
    offset: Sequence[Any] | None = None,
    unit: str = "",
    block_shape: Sequence[int] | None = None,
    zarr_format: int | None = None,
    overwrite: bool = False,
    stands_for: tuple[float, float] | None = None,
) -> Volume:
    """Create an OME-Zarr image of zeros, to be written block by block.

    Parameters
    ----------
    path : path or URL
    like : Volume, optional
        Gives whatever is not given.
    shape : sequence of int
    dtype : dtype
    axes : sequence of str
    voxel_size, offset : sequence of number
        In world units, for all axes but "c".
    unit : str
    block_shape : sequence of int
        Voxels of what is written at once: one shard, or one chunk.
    zarr_format : int, optional
        That of the container, or else 3, unless given.
    overwrite : bool
    stands_for : (float, float), optional
        What 0 and 255 of uint8 stand for, where it will hold a quantised float; never taken from
        ``like``.

    Returns
    -------
    Volume

    Raises
    ------
    ValueError
        If neither ``like`` nor ``shape`` and ``dtype`` are given, or it would have no voxels.
    FileExistsError
        If something is there.

    Examples
    --------
    >>> made = create_volume("in.zarr/raw", shape=(4, 4), dtype="uint8", voxel_size=(8, 8))
    >>> made.roi
    [0:32, 0:32] (32, 32)
    """
    check_units(unit)
    if like is None and (shape is None or dtype is None):
        raise ValueError("create_volume needs shape and dtype, or a volume to be like.")
    full = tuple(shape) if shape is not None else like.shape  # type: ignore[union-attr]
    kind = np.dtype(dtype) if dtype is not None else like.dtype  # type: ignore[union-attr]
    placement = _placement(like, len(full), axes, voxel_size, offset, unit)
    check_axes(placement.axes, len(full))
    check_holds_voxels(full, placement.axes)
    check_numbers(kind)
    whole = default_block(placement.axes, full)
    if block_shape is None and like is not None:
        block_shape = like.block_shape
    if block_shape is not None:
        frame = Frame(shape=full, dtype=kind, placement=placement, chunks=whole)
        whole = frame.with_channels(frame.checked_block(block_shape))
    version = zarr_format_for(location_of(path), zarr_format)
    chunks, shards = chunks_and_shards(whole, placement.axes, version)
    create_image(
        path, placement, full, kind,
        chunks=chunks, shards=shards, zarr_format=version, overwrite=overwrite,
        attributes=attributes_of(stands_for),
    )  # fmt: skip
    return open_volume(path)


def _placement(
    like: Volume | None,
    dimensions: int,
    axes: Sequence[str] | None,
    voxel_size: Sequence[Any] | None,
    offset: Sequence[Any] | None,
    unit: str,
) -> Placement:
    """What is given; and else what the volume to be like has."""
    if like is None:
        return placement_of(axes or default_axes(dimensions), voxel_size, offset, unit)
    place = like.placement
    same = len(place.axes) == dimensions
    names = known_axes(axes or (place.axes if same else default_axes(dimensions)))
    made = placement_of(
        names,
        place.voxel_size if voxel_size is None else voxel_size,
        place.offset if offset is None else offset,
        [place.time_unit if axis == "t" else unit or place.unit for axis in names if axis != "c"],
    )
    ways = dict(zip(place.block_axes, place.written))
    units = [(p.unit, p.time_unit) for p in (made, place)]
    if made.written or units[0] != units[1] or not set(made.block_axes) <= set(ways):
        return made
    return replace(made, written=tuple(ways[axis] for axis in made.block_axes))
