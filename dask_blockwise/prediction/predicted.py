"""What a network makes of a volume: any box of it, on request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import lcm
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from ..volumes.frame import Frame
from ..volumes.padding import Boundary, read_padded
from ..volumes.reach import Reach
from ..volumes.source import Source, Voxels
from ..volumes.time_points import each_time_point
from .inference import Inference
from .normalization import Normalization, WholeVolume, moved, volumes_of
from .quantisation import in_bytes, whole
from .tiling import AxisTiling

__all__ = ["Predicted"]


@dataclass(frozen=True)
class _Piece:
    """What a network is given at once."""

    # (c, z, y, x), or a plane of it for a network of two axes.
    array: NDArray[np.float32]
    # What is wanted of its output, and where that goes.
    core: tuple[Any, ...]
    target: tuple[Any, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Predicted(Source):
    """The output of a network, shape ``(c, z, y, x)``."""

    frame: Frame
    inputs: tuple[Voxels]
    network: Inference
    # One for each axis of space.
    tilings: tuple[AxisTiling, ...]
    # What lies beyond the volume, along each axis of space.
    boundary: tuple[Boundary, ...]
    # Whether the network lacks the first axis, so runs over each plane.
    planes: bool
    normalization: Normalization
    # How many inputs at once.
    batch: int = 1
    # Whether the network takes inputs of one size alone.
    fixed: bool = False
    # Whether what the network sees was found by probing, so is to be proven, not given.
    found: bool = False

    kind = "PredictVolume"
    takes_long = True

    @property
    def reach(self) -> Reach:
        """In whole voxels of the output too."""
        raw, own, time = self.inputs[0].frame, self.frame, "t" in self.frame.axes
        sides = ([*(0,) * time, *side] for side in zip(*(t.context for t in self.tilings)))
        before, after = (
            Coordinate(
                -(-n * size // lcm(size, step)) * lcm(size, step)
                for n, size, step in zip(side, raw.voxel_size, own.voxel_size)
            )
            for side in sides
        )
        return Reach.with_boundary(own, before, after, self.boundary)

    def reads_along(self, axis: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """See `Source.reads_along`."""
        tiling = self.tilings[axis]
        return (tiling.read(*tile)[:2] for tile in tiling.tiles(begin, end))

    @property
    def also_reads(self) -> tuple[Voxels, ...]:
        """See `Source.also_reads`."""
        return volumes_of(self.normalization)

    def over(self, inputs: tuple[Any, ...]) -> Self:
        """See `Source.over`; numbers of the whole volume are taken of the new one."""
        normalization = moved(self.normalization, self.inputs[0], inputs[0])
        return replace(self, inputs=inputs, normalization=normalization)

    def prepared(self, inputs: tuple[Any, ...]) -> Self:
        """With the numbers of the whole volume that workers would each take.

        What was proven with those of a window is proven with them.
        """
        self.network.check_trained()
        known = replace(self, normalization=self.normalization.numbers)
        if isinstance(self.normalization, WholeVolume):
            from .proof import prove

            prove(known)
        return replace(known, inputs=inputs)

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        return each_time_point(self.frame, self.inputs, begin, end, self._point)

    def _point(self, sources: Sequence[Voxels], begin: Index, end: Index) -> NDArray[Any]:
        result = np.empty((self.frame.channels, *np.subtract(end, begin)), self.frame.dtype)
        waiting: list[_Piece] = []
        for piece in self._pieces(sources[0], begin, end):
            if waiting and waiting[0].array.shape != piece.array.shape:
                self._infer(waiting, result)
                waiting = []
            waiting.append(piece)
            if len(waiting) == self.batch:
                self._infer(waiting, result)
                waiting = []
        if waiting:
            self._infer(waiting, result)
        return result

    def _pieces(self, raw: Voxels, begin: Index, end: Index) -> Iterator[_Piece]:
        axes = (
            list(tiling.tiles(*axis))
            for tiling, *axis in zip(self.tilings, begin, end, strict=True)
        )
        for tile in product(*axes):
            low, high, origin = zip(
                *(tiling.read(*axis) for tiling, axis in zip(self.tilings, tile)), strict=True
            )
            array = read_padded(raw, low, high, self.boundary)
            array = self.normalization.apply(array if "c" in raw.frame.axes else array[None])
            core = tuple(slice(b - o, e - o) for (b, e), o in zip(tile, origin))
            target = tuple(slice(b - o, e - o) for (b, e), o in zip(tile, begin))
            if not self.planes:
                yield _Piece(array, core, target)
                continue
            for plane, at in zip(range(array.shape[1])[core[0]], range(end[0])[target[0]]):
                yield _Piece(array[:, plane], core[1:], (at, *target[1:]))

    def _infer(self, pieces: list[_Piece], result: NDArray[Any]) -> None:
        arrays = [piece.array for piece in pieces]
        made = self.network(arrays, [piece.core for piece in pieces], self._finished)
        for output, piece in zip(made, pieces, strict=True):
            result[(slice(None), *piece.target)] = self._stored(output)

    def _finished(self, values: Any, xp: Any) -> Any:
        span = self.frame.stands_for
        return values if span is None else in_bytes(values, span, xp)

    def _stored(self, values: NDArray[Any]) -> NDArray[Any]:
        dtype = self.frame.dtype
        is_real = self.frame.stands_for is not None or dtype.kind == "f"
        return values.astype(dtype, copy=False) if is_real else whole(values, dtype)
