"""What storing a volume would take, known before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
from dask.utils import format_bytes

from .display import html_table
from .geometry import Coordinate
from .indexing import Index

__all__ = ["Plan"]


class _Planned(Protocol):
    @property
    def shape(self) -> Index: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def axes(self) -> tuple[str, ...]: ...
    @property
    def voxel_size(self) -> Coordinate: ...
    @property
    def inputs(self) -> tuple[Any, ...]: ...
    @property
    def context(self) -> tuple[Coordinate, Coordinate]: ...


@dataclass(frozen=True)
class Plan:
    """Cost of storing a volume block by block."""

    # Voxels of a block, along all axes but "c".
    block_shape: Index
    # Each is one task of the graph, however long the chain of stages.
    blocks: int
    # Read from what is stored, halos included.
    read_bytes: int
    # Before compression.
    write_bytes: int
    # What one block holds: its input with the whole context, and its output. What a stage's
    # function allocates on the way is not known and comes on top.
    worker_bytes: int
    # Voxels that the first stage computes for each one that is stored.
    recompute_factor: float

    @classmethod
    def of(cls, volume: _Planned, block: Index) -> Plan:
        """Plan for a volume, given the shape of a block in voxels."""
        shape = tuple(n for axis, n in zip(volume.axes, volume.shape) if axis != "c")
        before, after = (tuple(side / volume.voxel_size) for side in volume.context)
        seen = [_seen(*axis) for axis in zip(shape, block, before, after)]
        sources = [_voxel_bytes(source) for source in _sources(volume)]
        largest = prod(min(n, b + i + j) for n, b, i, j in zip(shape, block, before, after))
        return cls(
            block_shape=block,
            blocks=prod(-(-n // b) for n, b in zip(shape, block)),
            read_bytes=prod(seen) * sum(sources),
            write_bytes=prod(shape) * _voxel_bytes(volume),
            worker_bytes=largest * sum(sources) + prod(block) * _voxel_bytes(volume),
            recompute_factor=prod(seen) / max(1, prod(shape)),
        )

    def __str__(self) -> str:
        return "\n".join(f"{name:<18}{value}" for name, value in self._rows().items())

    def _repr_html_(self) -> str:
        return html_table(self._rows())

    def _rows(self) -> dict[str, str]:
        return {
            "block": " x ".join(map(str, self.block_shape)),
            "blocks": f"{self.blocks:,}",
            "read": format_bytes(self.read_bytes),
            "written": format_bytes(self.write_bytes),
            "a worker holds": format_bytes(self.worker_bytes),
            "recompute factor": f"{self.recompute_factor:.2f}",
        }


def _seen(size: int, block: int, before: int, after: int) -> int:
    """Voxels that all blocks along an axis see together."""
    begins = range(0, size, block)
    return sum(min(size, b + block + after) - max(0, b - before) for b in begins)


def _sources(volume: Any) -> list[Any]:
    found = [source for inner in volume.inputs for source in _sources(inner)]
    return found or [volume]


def _voxel_bytes(volume: Any) -> int:
    channels = prod(n for axis, n in zip(volume.axes, volume.shape) if axis == "c")
    return int(channels * volume.dtype.itemsize)
