"""Frames: where the voxels of a volume lie in the world, and in which blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..geometry.blocks import Coordinate, Roi
from ..geometry.boxes import Index
from ..geometry.placement import Placement

__all__ = ["Frame", "check_axes", "check_real"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Frame:
    """Shape, place and blocks of a volume, without its values."""

    shape: Index
    dtype: np.dtype[Any]
    placement: Placement
    # What is stored together, and for a lazy volume one block; in voxels along all axes.
    chunks: Index
    shards: Index | None = None

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of all axes, such as ``("c", "z", "y", "x")``."""
        return self.placement.axes

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
    def roi(self) -> Roi:
        """Where the volume lies, in world units, along all axes but "c"."""
        return Roi(self.offset, Coordinate(self._without_channels(self.shape)) * self.voxel_size)

    @property
    def block_shape(self) -> Index:
        """Voxels of a block, along all axes but "c"."""
        return self._without_channels(self.shards or self.chunks)

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind} {self.shape} {self.dtype} {''.join(self.axes)}, {self.roi} {self.unit}>"

    def _checked_block(self, block: Index | None) -> Index:
        if block is None:
            return self.block_shape
        if len(block) != len(self.voxel_size) or min(block) < 1:
            raise ValueError(
                f"block_shape must be {len(self.voxel_size)} positive numbers of voxels, for the "
                f"axes {self.placement.block_axes}, got {block}."
            )
        return tuple(min(b, n) for b, n in zip(block, self._without_channels(self.shape)))

    def _voxels(self, roi: Roi) -> tuple[Index, Index]:
        if roi.dims != len(self.voxel_size) or not self.roi.contains(roi):
            raise ValueError(
                f"The region {roi} isn't within the volume's {self.roi}: intersect it with "
                "volume.roi, in world units along all axes but 'c'."
            )
        _check_on_grid(roi, self)
        begin = (roi.begin - self.offset) / self.voxel_size
        return tuple(begin), tuple(begin + roi.shape / self.voxel_size)

    def _without_channels(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(v for axis, v in zip(self.axes, values, strict=True) if axis != "c")

    def _with_channels(self, block: Index) -> Index:
        rest = iter(block)
        axes = zip(self.axes, self.shape, strict=True)
        return tuple(n if axis == "c" else next(rest) for axis, n in axes)


def check_axes(axes: tuple[str, ...], dimensions: int) -> None:
    space = [axis for axis in axes if axis not in "tc"]
    ordered = [axis for axis in ("t", "c") if axis in axes] + space
    if len(axes) != dimensions or list(axes) != ordered or len(set(axes)) != len(axes):
        raise ValueError(
            f"axes must be an optional 't', an optional 'c' and then space, one for each of the "
            f"array's {dimensions} dimensions, got {axes}. Transpose the array, or name its axes."
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
