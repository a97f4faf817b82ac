"""Arrays in memory, or of dask, as what a volume is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..geometry.axes import default_axes, warn_of_channels_last
from ..geometry.boxes import checked_sizes
from ..geometry.placement import placement_of
from ..storage.casting import unmasked
from ..storage.chunking import default_block
from .frame import Frame, check_axes, check_numbers
from .kinds import InMemory

__all__ = ["framed"]


def framed(
    array: Any,
    voxel_size: Sequence[Any] | None,
    offset: Sequence[Any] | None,
    axes: Sequence[str] | None,
    unit: str | Sequence[str],
    chunks: Sequence[int] | None = None,
    stands_for: tuple[float, float] | None = None,
) -> tuple[Frame, InMemory]:
    """The frame and source of a volume, given as for ``Volume.from_array``."""
    if not hasattr(array, "ndim"):
        raise TypeError(
            f"Volume.from_array takes an array of numpy or Dask, got {type(array).__name__}: give "
            "np.asarray of it, or open what is stored with open_volume(path)."
        )
    _check_shape_is_known(array.shape)
    if not axes:
        axes = default_axes(array.ndim)
        warn_of_channels_last("An array", array.shape, axes)
    placement = placement_of(axes, voxel_size, offset, unit)
    check_axes(placement.axes, array.ndim)
    check_numbers(array.dtype)
    if isinstance(array, np.ma.MaskedArray):
        array = unmasked(array, "An array")
    if chunks is None:
        chunks = getattr(array, "chunksize", None) or default_block(placement.axes, array.shape)
    else:
        chunks = checked_sizes("chunks", chunks, placement.axes)
    frame = Frame(
        shape=tuple(array.shape),
        dtype=np.dtype(array.dtype),
        placement=placement,
        chunks=tuple(min(c, n) for c, n in zip(chunks, array.shape, strict=True)),
        stands_for=stands_for,
    )
    return frame, InMemory(array, placement.axes)


def _check_shape_is_known(shape: Sequence[Any]) -> None:
    """Refuse what dask has yet to compute the shape of."""
    if any(n != n for n in shape):
        raise ValueError(
            f"The shape of this array of Dask, {tuple(shape)}, isn't known before it is computed: "
            "array.compute_chunk_sizes() finds it out; give it after that."
        )
