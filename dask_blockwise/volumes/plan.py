"""What storing a volume would take, known before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, prod
from typing import Any

import numpy as np
from dask.utils import format_bytes

from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from ..tables import html_columns, text_columns
from .region import Context, Regions

__all__ = ["Plan", "StagePlan"]

_COLUMNS = ("stage", "block", "blocks", "read", "written", "a worker holds", "recompute factor")


@dataclass(frozen=True)
class StagePlan:
    """Cost of storing one array block by block."""

    name: str
    # Voxels of a block, along all axes but "c".
    block_shape: Index
    # Each is one task of the graph, however long the chain of stages.
    blocks: int
    # Read from what is stored, halos included.
    read_bytes: int
    # Before compression.
    write_bytes: int
    # Arrays of one block on their way through the stages and into the store.
    worker_bytes: int
    # Voxels that the first stage computes for each one that is stored.
    recompute_factor: float = 1.0

    @classmethod
    def of(cls, name: str, volume: Regions, block: Index) -> StagePlan:
        """Plan for a volume, given the shape of a block in voxels."""
        shape = volume._without_channels(volume.shape)
        seen = [
            (_seen(source, context, volume, block), source) for source, context in _read(volume)
        ]
        world = prod(shape) * prod(volume.voxel_size)
        written = prod(block) * _voxel_bytes(volume)
        return cls(
            name,
            block,
            blocks=prod(-(-n // b) for n, b in zip(shape, block)),
            read_bytes=sum(voxels * _voxel_bytes(source) for voxels, source in seen),
            write_bytes=prod(shape) * _voxel_bytes(volume),
            worker_bytes=max(_peak(volume, block), 2 * written),
            recompute_factor=max(
                voxels * prod(source.voxel_size) / max(1, world) for voxels, source in seen
            ),
        )


@dataclass(frozen=True, repr=False)
class Plan:
    """Cost of storing a volume, and what is stored on the way to it, block by block.

    What a stage's function or network allocates while it works is not known, and comes on top of
    what a worker holds; so do Python with its libraries (some 200 MB), and the cache of decoded
    chunks (256 MB, or what ``DASK_BLOCKWISE_CACHE_MB`` says).
    """

    stages: tuple[StagePlan, ...]

    @property
    def blocks(self) -> int:
        """Blocks of the volume."""
        return self.stages[-1].blocks

    @property
    def tasks(self) -> int:
        """Blocks of all stages: each is computed, and tried again, by itself."""
        return sum(stage.blocks for stage in self.stages)

    @property
    def block_shape(self) -> Index:
        """Voxels of a block of the volume, along all axes but "c"."""
        return self.stages[-1].block_shape

    @property
    def read_bytes(self) -> int:
        """Read from what is stored, halos included."""
        return sum(stage.read_bytes for stage in self.stages)

    @property
    def write_bytes(self) -> int:
        """Stored, on the way too, before compression."""
        return sum(stage.write_bytes for stage in self.stages)

    @property
    def worker_bytes(self) -> int:
        """Arrays that a worker holds at most."""
        return max(stage.worker_bytes for stage in self.stages)

    @property
    def recompute_factor(self) -> float:
        """Voxels that a stage computes for each one that is stored, where that is most."""
        return max(stage.recompute_factor for stage in self.stages)

    def __str__(self) -> str:
        return text_columns(_COLUMNS, self._rows())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_columns(_COLUMNS, self._rows())

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [_row(stage) for stage in self.stages]
        if len(rows) == 1:
            return rows
        total = StagePlan("in all", (), self.tasks, self.read_bytes, self.write_bytes, 0)
        return [*rows, (*_row(total)[:5], format_bytes(self.worker_bytes), "")]


def _bytes(number: int) -> str:
    return format_bytes(number) if number else "-"


def _row(stage: StagePlan) -> tuple[str, ...]:
    return (
        stage.name,
        " x ".join(map(str, stage.block_shape)),
        f"{stage.blocks:,}",
        _bytes(stage.read_bytes),
        _bytes(stage.write_bytes),
        _bytes(stage.worker_bytes),
        f"{stage.recompute_factor:.2f}",
    )


def _read(volume: Regions) -> Iterator[tuple[Regions, Context]]:
    """What is read from stores for a volume, with how much around a region of it."""
    own_before, own_after = volume._own_context
    if volume._is_stored:
        yield volume, (own_before, own_after)
        return
    for inner in volume.inputs:
        for source, (before, after) in _read(inner):
            yield source, (before + own_before, after + own_after)


def _seen(source: Regions, context: Context, volume: Regions, block: Index) -> int:
    """Voxels of a source that all blocks of a volume read together."""
    step = Coordinate(block) * volume.voxel_size
    axes = zip(
        volume.roi.begin, volume.roi.end, step, *context,
        source.roi.begin, source.roi.end, source.voxel_size, strict=True,
    )  # fmt: skip
    return prod(_seen_along(*axis) for axis in axes)


def _seen_along(
    begin: int, end: int, step: int, before: int, after: int, low: int, high: int, size: int
) -> int:
    firsts = np.arange(begin, end, step)
    lasts = np.minimum(firsts + step, end) + after
    firsts, lasts = np.maximum(firsts - before, low), np.minimum(lasts, high)
    return int((-(-(lasts - low) // size) - (firsts - low) // size).clip(0).sum())


def _peak(volume: Regions, shape: Index) -> int:
    """Bytes of the arrays that are there at once while a region of a volume is computed."""
    own = prod(shape) * _voxel_bytes(volume)
    if volume._is_stored:
        return own
    held = most = 0
    for source in volume.inputs:
        seen = _seen_shape(source, volume, shape)
        most = max(most, held + _peak(source, seen))
        held += prod(seen) * _voxel_bytes(source)
    return max(most, held + own)


def _seen_shape(source: Regions, volume: Regions, shape: Index) -> Index:
    before, after = volume._own_context
    world = Coordinate(shape) * volume.voxel_size + before + after
    sizes = source._without_channels(source.shape)
    axes = zip(sizes, world, source.voxel_size, strict=True)
    return tuple(min(n, ceil(Fraction(int(length), int(size)))) for n, length, size in axes)


def _voxel_bytes(volume: Any) -> int:
    channels = prod(n for axis, n in zip(volume.axes, volume.shape) if axis == "c")
    return int(channels * volume.dtype.itemsize)
