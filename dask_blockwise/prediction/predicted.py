"""What a network makes of a volume: any box of it, on request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from math import lcm
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from ..volumes.map_overlap import MappedVolume, read_padded
from ..volumes.volume import Context, Volume
from .model_source import ModelSource
from .normalization import Normalization
from .tiling import AxisTiling

__all__ = ["Activation", "PredictVolume"]

Activation = Literal["sigmoid", "softmax", "tanh"]


@dataclass(frozen=True)
class _Piece:
    """What a network is given at once."""

    # (c, z, y, x), or a plane of it for a network of two axes.
    array: NDArray[np.float32]
    # What is wanted of its output, and where that goes.
    core: tuple[Any, ...]
    target: tuple[Any, ...]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PredictVolume(MappedVolume):
    """The output of a network, shape ``(c, z, y, x)``."""

    source: ModelSource = field(repr=False)
    # One for each axis of space.
    tilings: tuple[AxisTiling, ...]
    # Whether the network lacks the first axis, so runs over each plane.
    planes: bool
    normalization: Normalization
    activation: Activation | None
    device: str
    precision: str
    # How many inputs at once.
    batch: int = 1

    @property
    def _own_context(self) -> Context:
        """In whole voxels of the output too."""
        time = (0,) * ("t" in self.axes)
        sides = ([*time, *side] for side in zip(*(tiling.context for tiling in self.tilings)))
        before, after = (
            Coordinate(
                -(-n * size // lcm(size, own)) * lcm(size, own)
                for n, size, own in zip(side, self.inputs[0].voxel_size, self.voxel_size)
            )
            for side in sides
        )
        return before, after

    def _from_stores(self) -> Volume:
        """As workers compute it, with the numbers of the whole volume that they would each take."""
        stored: Volume = super()._from_stores()
        return replace(stored, normalization=self.normalization.numbers)  # type: ignore[call-arg]

    def _point(self, sources: tuple[Volume, ...], begin: Index, end: Index) -> NDArray[Any]:
        channels = [n for axis, n in zip(self.axes, self.shape) if axis == "c"]
        result = np.empty((*channels, *np.subtract(end, begin)), self.dtype)
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

    def _pieces(self, raw: Volume, begin: Index, end: Index) -> Iterator[_Piece]:
        axes = (
            list(tiling.tiles(*axis))
            for tiling, *axis in zip(self.tilings, begin, end, strict=True)
        )
        for tile in product(*axes):
            low, high, origin = zip(
                *(tiling.read(*axis) for tiling, axis in zip(self.tilings, tile)), strict=True
            )
            array = read_padded(raw, low, high, self.boundary)
            array = self.normalization.apply(array if "c" in raw.axes else array[None])
            core = tuple(slice(b - o, e - o) for (b, e), o in zip(tile, origin))
            target = tuple(slice(b - o, e - o) for (b, e), o in zip(tile, begin))
            if not self.planes:
                yield _Piece(array, core, target)
                continue
            for plane, at in zip(range(array.shape[1])[core[0]], range(end[0])[target[0]]):
                yield _Piece(array[:, plane], core[1:], (at, *target[1:]))

    def _infer(self, pieces: list[_Piece], result: NDArray[Any]) -> None:
        from .networks import infer

        arrays = np.stack([piece.array for piece in pieces])
        outputs = infer(self.source, arrays, self.device, self.precision)
        for output, piece in zip(outputs, pieces, strict=True):
            values = self._stored(output[(slice(None), *piece.core)])
            result[(slice(None), *piece.target)] = values

    def _stored(self, values: NDArray[np.float32]) -> NDArray[Any]:
        values = _activate(values, self.activation)
        if self.dtype != np.uint8:
            return values.astype(self.dtype, copy=False)
        unit = values if self.activation in ("sigmoid", "softmax") else (values + 1) / 2
        quantised: NDArray[np.uint8] = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
        return quantised


def _activate(values: NDArray[np.float32], activation: Activation | None) -> NDArray[np.float32]:
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-values.clip(-80, 80))), np.float32)
    if activation == "softmax":
        powers = np.exp(values - values.max(0))
        return np.asarray(powers / powers.sum(0), np.float32)
    return np.tanh(values) if activation == "tanh" else values
