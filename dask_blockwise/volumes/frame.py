"""Frames: where the voxels of a volume lie in the world, and in which blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..geometry.blocks import Coordinate, Roi, check_region
from ..geometry.boxes import Index, checked_sizes
from ..geometry.placement import Placement

__all__ = ["Frame", "check_axes", "check_holds_voxels", "check_numbers", "check_real"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame:
    """Shape, place and blocks of a volume, without its values.

    Parameters
    ----------
    shape
        Voxels along all axes.
    dtype
        Of the values.
    placement
        Axes, voxel size, offset and unit.
    chunks
        What is stored together, and for a lazy volume one block; in voxels along all axes.
    shards
        What is written at once, if that is more than a chunk.
    stands_for
        Where uint8 is a quantised float, as predictions are stored, what 0 and 255 stand for; None
        where values are what they are.
    names
        Whether values are known to be names, such as ids, classes and masks, of which a mean makes
        no sense.

    Examples
    --------
    >>> place = Placement(("c", "y", "x"), (4, 4), (0, 8), "nanometer")
    >>> frame = Frame(shape=(2, 5, 6), dtype=np.dtype("u1"), placement=place, chunks=(2, 5, 3))
    >>> frame.roi, frame.block_shape
    ([0:20, 8:32] (20, 24), (5, 3))
    """

    shape: Index
    dtype: np.dtype[Any]
    placement: Placement
    chunks: Index
    shards: Index | None = None
    stands_for: tuple[float, float] | None = None
    names: bool = False

    def __post_init__(self) -> None:
        check_holds_voxels(self.shape, self.axes)
        check_numbers(self.dtype)
        # Most libraries take no other order of bytes; what is read is brought into it.
        object.__setattr__(self, "dtype", self.dtype.newbyteorder("="))
        if self.stands_for is not None:
            check_stands_for(self.stands_for, self.dtype)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of all axes, such as ``("c", "z", "y", "x")``."""
        return self.placement.axes

    def lies_as(self, other: Frame) -> bool:
        """Whether the other has the same voxels of the world, as far as units are known."""
        same = self.roi == other.roi and self.voxel_size == other.voxel_size
        return same and self.placement.measures_as(other.placement)

    def how_to_lie_as(self, other: Frame) -> str:
        """What to do about a volume that doesn't lie as the other, for people."""
        same = self.placement.measures_as(other.placement)
        if same and self.extent == other.extent:
            return (
                "they have as many voxels; where these are the same, open one with the numbers and "
                "unit of the other, open_volume(path, voxel_size=..., offset=..., unit=...)"
            )
        if same:
            return "crop or resample one of them"
        units = f"{self.unit or 'no unit'} and {other.unit or 'no unit'}"
        return (
            f"their units differ ({units}); open one with the numbers and unit of the other, "
            "open_volume(path, voxel_size=..., offset=..., unit=...)"
        )

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def voxel_size(self) -> Coordinate:
        """World units a voxel, along all axes but "c"."""
        return Coordinate(self.placement.voxel_size)

    @property
    def offset(self) -> Coordinate:
        """World position of the first voxel, along all axes but "c"."""
        return Coordinate(self.placement.offset)

    @property
    def unit(self) -> str:
        """Unit of the world along space, such as ``"nanometer"``; empty where none is known."""
        return self.placement.unit

    @property
    def may_be_names(self) -> bool:
        """Whether values are taken for names: they are known to be, or as wide as ids, or bool."""
        wide = self.dtype.kind in "iu" and self.dtype.itemsize >= 4
        return self.names or wide or self.dtype.kind == "b"

    @property
    def roi(self) -> Roi:
        """Where the volume lies, in world units, along all axes but "c"."""
        return Roi(self.offset, Coordinate(self.extent) * self.voxel_size)

    @property
    def extent(self) -> Index:
        """Voxels along all axes but "c"."""
        return self.without_channels(self.shape)

    @property
    def space(self) -> Index:
        """Voxels along each axis of space."""
        return tuple(n for axis, n in zip(self.axes, self.shape, strict=True) if axis not in "tc")

    @property
    def channels(self) -> int | None:
        """Number of channels; None where there is no such axis."""
        return self.shape[self.axes.index("c")] if "c" in self.axes else None

    @property
    def block_shape(self) -> Index:
        """Voxels of a block, along all axes but "c"."""
        return self.without_channels(self.shards or self.chunks)

    def axis(self, name: str) -> int:
        """Which of all axes has a name.

        Raises
        ------
        ValueError
        """
        if name not in self.axes:
            raise ValueError(f"There is no axis {name!r} among {self.axes}: name one of these.")
        return self.axes.index(name)

    def without_channels(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Of values along all axes, those along all but "c"."""
        return tuple(v for axis, v in zip(self.axes, values, strict=True) if axis != "c")

    def with_channels(self, block: Index) -> Index:
        """Voxels along all axes of a box with all channels."""
        rest = iter(block)
        axes = zip(self.axes, self.shape, strict=True)
        return tuple(n if axis == "c" else next(rest) for axis, n in axes)

    def checked_block(self, block_shape: Sequence[int] | None) -> Index:
        """Voxels of a block, cut to the volume; those of the frame unless given.

        Raises
        ------
        ValueError
            If it isn't one positive whole number for each axis but "c".
        """
        if block_shape is None:
            return self.block_shape
        block = checked_sizes("block_shape", block_shape, self.placement.block_axes)
        return tuple(min(b, n) for b, n in zip(block, self.extent))

    def voxels(self, roi: Roi) -> tuple[Index, Index]:
        """Where a region of the world begins and ends, in voxels along all axes but "c".

        Raises
        ------
        TypeError, ValueError
            If it is no region along these axes, leaves the volume or cuts voxels.
        """
        check_region(roi, self.placement.block_axes)
        if not self.roi.contains(roi):
            raise ValueError(
                f"The region {roi} isn't within the volume's {self.roi}: intersect it with "
                "volume.roi, in world units along all axes but 'c'."
            )
        _check_on_grid(roi, self)
        begin = (roi.begin - self.offset) / self.voxel_size
        return tuple(begin), tuple(begin + roi.shape / self.voxel_size)

    def box(self, begin: Index, shape: Index) -> Frame:
        """The frame of a box, in voxels along all axes but "c", as one block."""
        offset = self.offset + Coordinate(begin) * self.voxel_size
        placement = replace(self.placement, offset=tuple(map(int, offset)))
        full = self.with_channels(shape)
        return replace(self, shape=full, placement=placement, chunks=full, shards=None)

    def full_order(self, order: Index) -> Index:
        """The order of all axes, as numpy's ``transpose`` takes it, given that of all but "c"."""
        others = self.without_channels(tuple(range(self.ndim)))
        rest = iter(order)
        return tuple(n if axis == "c" else others[next(rest)] for n, axis in enumerate(self.axes))

    def transposed(self, order: Index) -> Frame:
        """With its axes but "c" in another order."""
        full = self.full_order(order)
        return replace(
            self,
            shape=tuple(self.shape[n] for n in full),
            chunks=tuple(self.chunks[n] for n in full),
            shards=self.shards and tuple(self.shards[n] for n in full),
            placement=self.placement.along([self.axes[n] for n in full]),
        )

    def with_block(self, block: Index) -> Frame:
        """The same in blocks of so many voxels along all axes but "c"."""
        return replace(self, chunks=self.with_channels(block), shards=None)

    def with_values(self, dtype: Any, channels: str | int | None = "same") -> Frame:
        """The same place and blocks for other values: of a type, with so many channels or none."""
        axes, sizes = self.axes, dict(zip(self.axes, self.shape, strict=True))
        if channels != "same":
            axes = tuple(axis for axis in axes if axis != "c")
        if channels not in ("same", None):
            time = axes.count("t")
            axes, sizes = (*axes[:time], "c", *axes[time:]), sizes | {"c": int(channels)}
        shape = tuple(sizes[axis] for axis in axes)
        placement = self.placement.along(axes)
        made = Frame(shape=shape, dtype=np.dtype(dtype), placement=placement, chunks=shape)
        return made.with_block(self.block_shape)

    def describe(self, kind: str, note: str = "") -> str:
        """A line that says all of it."""
        place = f"{''.join(self.axes)}, {self.roi} {self.unit}".rstrip()
        return f"<{kind} {self.shape} {self.dtype} {place}{note and ', '}{note}>"


def check_axes(axes: tuple[str, ...], dimensions: int) -> None:
    """Refuse axes that aren't known, or not in the order of a volume's."""
    space = [axis for axis in axes if axis in ("z", "y", "x")]
    ordered = [axis for axis in ("t", "c") if axis in axes] + space
    unique = len(set(axes)) == len(axes) == dimensions
    if not unique or not space or list(axes) != ordered:
        raise ValueError(
            f"axes must be an optional 't', an optional 'c' and then space out of 'z', 'y' and "
            f"'x', one for each of the array's {dimensions} dimensions, got {axes}. "
            f"{_how_to_order(axes, ordered) if unique and space else 'Name them so'}."
        )


def _how_to_order(axes: tuple[str, ...], ordered: list[str]) -> str:
    turned = tuple(map(axes.index, ordered))
    return f"Turn the array, np.transpose(array, {turned}), with axes={''.join(ordered)!r}"


def check_holds_voxels(shape: Sequence[int], axes: tuple[str, ...]) -> None:
    """Refuse a volume in which there is nothing."""
    if 0 in shape:
        raise ValueError(
            f"A volume of shape {tuple(shape)} along {axes} has no voxels: give an array, or a "
            "region, that holds some along each axis."
        )


def check_numbers(dtype: np.dtype[Any]) -> None:
    """Refuse values that are texts, dates, records or objects."""
    if dtype.kind not in "buifc":
        raise TypeError(f"Voxels must be numbers, got {dtype}: convert the array first.")


def check_stands_for(span: tuple[float, float], dtype: np.dtype[Any]) -> None:
    """Refuse a meaning of values that isn't one of uint8."""
    if dtype != np.uint8 or len(span) != 2 or not -np.inf < span[0] < span[1] < np.inf:
        raise ValueError(
            f"stands_for says what 0 and 255 of uint8 stand for, such as (0, 1), got {span!r} for "
            f"{dtype}: leave it out where values are what they are."
        )


def check_real(frame: Frame, stage: str) -> None:
    """Refuse values of which none is the largest."""
    if frame.dtype.kind not in "buif":
        raise TypeError(
            f"{stage} needs real numbers, got {frame.dtype}: make them real first, such as with "
            "map_overlap(np.abs, volume)."
        )


def _check_on_grid(roi: Roi, frame: Frame) -> None:
    off, size = (roi.begin - frame.offset), frame.voxel_size
    if any(o % v for o, v in zip(off, size)) or any(n % v for n, v in zip(roi.shape, size)):
        raise ValueError(
            f"The region {roi} cuts voxels of {tuple(size)} world units: snap it, "
            "roi.snap_to_grid(volume.voxel_size)."
        )
