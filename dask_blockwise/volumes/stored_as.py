"""As what a volume is stored: which zarr, how compressed, of which values, in which levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..geometry.boxes import Index
from ..storage.chunking import chunks_and_shards
from ..storage.container_format import check_zarr_format, zarr_format_for
from ..storage.formats import codec_for, known_compressor
from ..storage.stored_array import StoredArray
from .frame import Frame
from .pyramids import Pyramid
from .source import Voxels

__all__ = ["HowStored", "StoredAs", "checked_fill", "stored_as"]

_KINDS = "buifc"


class HowStored(Protocol):
    """As what a volume is stored, in whichever format."""

    @property
    def dtype(self) -> str | None:
        """By name; None for that of the volume."""

    @property
    def pyramid(self) -> Pyramid | None:
        """Coarser levels beside the first."""

    @property
    def recipe(self) -> dict[str, Any]:
        """What makes the stored array another one, where it isn't as usual."""

    def of(self, frame: Frame) -> np.dtype[Any]:
        """The dtype in which a volume is stored."""

    @property
    def aligned(self) -> bool:
        """Whether voxels of coarser levels lie whole ones of them from the world's origin."""

    def chunks(self, frame: Frame, block: Index) -> Index:
        """Voxels of a chunk, along all axes, as far as that is known without a path."""

    def level_name(self, number: int, frame: Frame) -> str:
        """What a coarser level is called, counted from 1 on."""

    def settings(self, path: str, frame: Frame, block: Index) -> dict[str, Any]:
        """What the array is created with at a path, ``chunks`` among it."""

    def is_made_so(self, array: StoredArray, frame: Frame, block: Index) -> bool:
        """Whether an array that is there is cut, and encoded, as this makes one."""

    def for_levels(self) -> HowStored:
        """As what coarser levels of it are stored."""


@dataclass(frozen=True, kw_only=True)
class StoredAs:
    """As what a volume is stored; made by `stored_as`, which checks it."""

    # That of the group above, or else 3, unless given.
    zarr_format: int | None = None
    # By name, with a level, or a codec's settings; None for no compression.
    compressor: str | Mapping[str, Any] | None = "zstd"
    # What is read where no block has been written.
    fill_value: Any = 0
    # By name; that of the volume unless given.
    dtype: str | None = None
    # Coarser levels beside the first.
    pyramid: Pyramid | None = None

    aligned = False

    def chunks(self, frame: Frame, block: Index) -> Index:
        """Voxels of a chunk, along all axes, as far as that is known without a path."""
        cut = chunks_and_shards(frame.with_channels(block), frame.axes, self.zarr_format or 3)
        return cut[0]

    def level_name(self, number: int, frame: Frame) -> str:
        """What a coarser level is called, counted from 1 on."""
        return f"s{number}"

    @property
    def recipe(self) -> dict[str, Any]:
        """What makes the stored array another one, where it isn't as usual."""
        usual = StoredAs()
        names = "compressor", "fill_value", "dtype"
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(usual, n)}

    def is_made_so(self, array: StoredArray, frame: Frame, block: Index) -> bool:
        """Whether an array that is there is cut as this cuts it, in either version of zarr."""
        if array.zarr_format is None:
            return False
        cut = chunks_and_shards(frame.with_channels(block), frame.axes, array.zarr_format)
        return cut == (array.chunks, array.shards)

    def for_levels(self) -> StoredAs:
        """As what coarser levels of it are stored."""
        return replace(self, dtype=None, pyramid=None, fill_value=0)

    def of(self, frame: Frame) -> np.dtype[Any]:
        """The dtype in which a volume is stored."""
        return np.dtype(self.dtype) if self.dtype else frame.dtype

    def settings(self, path: str, frame: Frame, block: Index) -> dict[str, Any]:
        """What the array is created with at a path, for a volume in such blocks.

        Raises
        ------
        ValueError
            If the group above is of another version of zarr than was asked for, or that doesn't
            have the compressor.
        """
        version = zarr_format_for(path, self.zarr_format)
        codec_for(self.compressor, version)
        chunks, shards = chunks_and_shards(frame.with_channels(block), frame.axes, version)
        return {
            "zarr_format": version,
            "dtype": self.of(frame),
            "chunks": chunks,
            "shards": shards,
            "compressor": self.compressor,
            "fill_value": self.fill_value,
        }


def stored_as(
    volume: Voxels,
    *,
    zarr_format: int | None = None,
    compressor: Any = "zstd",
    fill_value: Any = 0,
    dtype: Any = None,
    pyramid: Any = False,
) -> StoredAs:
    """As what a volume is stored, given as for ``to_zarr``.

    Raises
    ------
    TypeError, ValueError
        If something isn't understood, or can't be of this volume.
    """
    frame = volume.frame
    check_zarr_format(zarr_format)
    chosen = _checked_dtype(volume, dtype)
    made = StoredAs(
        zarr_format=zarr_format,
        compressor=known_compressor(compressor),
        fill_value=checked_fill(fill_value, np.dtype(chosen) if chosen else frame.dtype),
        dtype=chosen,
        pyramid=Pyramid.of(pyramid),
    )
    if made.pyramid is not None:
        stored = replace(frame, dtype=made.of(frame))
        made.pyramid.steps(stored, chunks_and_shards(frame.shape, frame.axes, 3)[0])
    return made


def _checked_dtype(volume: Voxels, given: Any) -> str | None:
    frame = volume.frame
    if given is None:
        return None
    if isinstance(given, str) and given == "smallest":
        given = _smallest(volume)
    try:
        dtype = np.dtype(given)
    except TypeError as error:
        raise TypeError(f"dtype is a type of numpy or 'smallest', got {given!r}.") from error
    if dtype.kind not in _KINDS or (frame.dtype.kind == "c" and dtype.kind != "c"):
        raise ValueError(f"{frame.dtype} can't be stored as {dtype}: choose a type that holds it.")
    if frame.stands_for is not None and dtype != frame.dtype:
        raise ValueError(
            f"{volume!r} is a quantised float, {frame.dtype} that stands for {frame.stands_for}, "
            f"and {dtype} would not say so: leave dtype out, or predict with output dtype {dtype}."
        )
    return None if dtype == frame.dtype else dtype.name


def _smallest(volume: Voxels) -> np.dtype[Any]:
    """The smallest that is sure to hold all ids before any is known."""
    most = volume.source.largest_id
    if most is None:
        raise ValueError(
            f"dtype='smallest' is for what relabel, renumber and agglomerate make, of which it is "
            f"known how many objects there may be, got {volume!r}: name a type, such as 'uint32'; "
            "a block that has a larger id is then refused."
        )
    return np.min_scalar_type(most)


def checked_fill(given: Any, dtype: np.dtype[Any]) -> Any:
    """The value as Python has it, if it is one of the dtype.

    Raises
    ------
    ValueError
    """
    try:
        value = np.asarray(given)
        with np.errstate(all="ignore"):
            cast = value.astype(dtype) if value.ndim == 0 and value.dtype.kind in _KINDS else None
    except (TypeError, ValueError, OverflowError):
        cast = None
    if cast is None or not (cast == value or (cast != cast and value != value)):
        raise ValueError(
            f"fill_value must be a value of {dtype}, got {given!r}: choose one that it holds, or "
            "another dtype."
        )
    return cast.item()
