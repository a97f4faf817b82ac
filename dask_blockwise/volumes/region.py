"""The way of a region request: from an index to values, and of all blocks to a dask array."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from dask.base import compute, tokenize
from numpy.typing import NDArray

from ..engine.clients import in_task
from ..geometry.blocks import Roi
from ..geometry.boxes import Index, index_bounds
from ..storage.casting import as_dtype
from ..storage.chunking import split
from .kinds import Checkpoint, InMemory
from .lineage import check_regional
from .source import Voxels

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["as_numpy", "computed", "dask_array", "read_region"]


def read_region(volume: Voxels, key: Any) -> NDArray[Any]:
    """Values of a region, or of a numpy index of integers and slices.

    Parameters
    ----------
    volume : Volume
    key : Roi, or int, slice and ellipsis, one or a tuple of them
        In world units along all axes but "c", or in voxels along all axes.
    """
    frame = volume.frame
    if isinstance(key, Roi):
        return _read(volume, *frame.voxels(key))
    bounds, rest = index_bounds(key, frame.shape)
    region = frame.without_channels(tuple(bounds))
    values = _read(volume, tuple(b for b, _ in region), tuple(e for _, e in region))
    if "c" in frame.axes:
        channel = frame.axes.index("c")
        values = values[(slice(None),) * channel + (slice(*bounds[channel]),)]
    part: NDArray[Any] = values[rest]
    return part


def as_numpy(volume: Voxels, /, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
    """All of the values, for numpy's functions.

    Raises
    ------
    ValueError
        If no copy may be made of values that aren't in memory.
    """
    source = volume.source
    held = isinstance(source, InMemory) and isinstance(source.array, np.ndarray)
    if copy is False and not held:
        raise ValueError(
            f"The values of {volume!r} are made when they are asked for, which copy=False "
            "forbids: leave copy out."
        )
    return np.array(read_region(volume, ...), dtype, copy=copy if held else None)


def dask_array(volume: Voxels) -> da.Array:
    """The values as a dask array of one task a block, all channels together.

    Raises
    ------
    ValueError
        If a block would need all of another volume.
    """
    if isinstance(volume.source, Checkpoint):
        return _as_stored(volume.source.made.data, volume.frame.dtype, volume.source.path)
    array = volume.source.dask_array()
    if array is not None:
        return array
    check_regional(volume)
    import dask.array as da  # see `kinds.is_dasks`

    frame = volume.frame
    chunks = [split(n, b) for n, b in zip(frame.extent, frame.block_shape, strict=True)]
    if frame.channels is not None:
        chunks.insert(frame.axes.index("c"), (frame.channels,))
    blocks: da.Array = da.map_blocks(
        partial(_dask_block, volume),
        chunks=tuple(chunks),
        dtype=frame.dtype,
        meta=np.empty((0,) * len(chunks), frame.dtype),
        name=f"volume-{tokenize(volume)}",
    )
    return blocks


def _as_stored(data: da.Array, dtype: np.dtype[Any], path: str) -> da.Array:
    if data.dtype == dtype:
        return data
    import dask.array as da  # see `kinds.is_dasks`

    cast: da.Array = da.map_blocks(partial(as_dtype, dtype=dtype, path=path), data, dtype=dtype)
    return cast


def computed(*arrays: da.Array) -> tuple[Any, ...]:
    """The values of dask arrays, by the present cluster, or here within a worker's task."""
    options = {"scheduler": "synchronous"} if in_task() else {}
    values: tuple[Any, ...] = compute(*arrays, **options)
    return values


def _read(volume: Voxels, begin: Index, end: Index) -> NDArray[Any]:
    values = volume.source.read(begin, end)
    needed = volume.frame.with_channels(tuple(e - b for b, e in zip(begin, end, strict=True)))
    if values.shape != needed:
        raise ValueError(
            f"{volume!r} gave values of shape {values.shape} for a box of {needed}: what reads it "
            "must answer for just the box that it is asked for, with all channels."
        )
    return values


def _dask_block(
    volume: Voxels, block_id: Index | None = None, block_info: Any = None
) -> NDArray[Any]:
    frame = volume.frame
    index, block = frame.without_channels(block_id or ()), frame.block_shape
    begin = tuple(i * b for i, b in zip(index, block, strict=True))
    end = tuple(min(n, o + b) for n, o, b in zip(frame.extent, begin, block, strict=True))
    counts = tuple(-(-n // b) for n, b in zip(frame.extent, block, strict=True))
    return volume.source.block(int(np.ravel_multi_index(index, counts)), begin, end)
