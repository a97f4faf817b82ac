"""What a network makes of a volume in overlapping tiles, of which the weighted mean is taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from ..volumes.frame import Frame
from ..volumes.padding import Boundary, read_padded
from ..volumes.reach import Reach
from ..volumes.source import Source, Voxels
from ..volumes.time_points import each_time_point
from .blending import Blend, TiledAxis, overlaps_of
from .footprint import Footprint
from .inference import Inference
from .normalization import Normalization, moved, volumes_of
from .quantisation import in_bytes
from .tiling import tilings_of

__all__ = ["Blended", "tiled_axes"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Blended(Source):
    """The output of a network over tiles of the whole volume, shape ``(c, z, y, x)``.

    A block computes each tile that it meets, as a whole: so it has the same values in any blocks.
    """

    frame: Frame
    inputs: tuple[Voxels]
    network: Inference
    # One for each axis of space.
    tiled: tuple[TiledAxis, ...]
    # What lies beyond the volume, along each axis of space.
    boundary: tuple[Boundary, ...]
    # Whether the network lacks the first axis, so runs over each plane.
    planes: bool
    normalization: Normalization
    # How many tiles at once.
    batch: int = 1

    kind = "PredictVolume"
    takes_long = True

    @property
    def reach(self) -> Reach:
        """As far as tiles that meet a voxel."""
        halo = tuple((axis.tile - 1, axis.tile - 1) for axis in self.tiled)
        reach = Reach.of_voxels(self.frame, halo, self.boundary)
        # Tiles end with the volume.
        return replace(reach, fills=(False,) * len(reach.fills))

    def reads_along(self, axis: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """See `Source.reads_along`."""
        tiled = self.tiled[axis]
        return ((start, start + tiled.tile) for start in tiled.meeting(begin, end))

    @property
    def also_reads(self) -> tuple[Voxels, ...]:
        """See `Source.also_reads`."""
        return volumes_of(self.normalization)

    def over(self, inputs: tuple[Any, ...]) -> Self:
        """See `Source.over`; numbers of the whole volume are taken of the new one."""
        normalization = moved(self.normalization, self.inputs[0], inputs[0])
        return replace(self, inputs=inputs, normalization=normalization)

    def prepared(self, inputs: tuple[Any, ...]) -> Self:
        """With the numbers of the whole volume that workers would each take."""
        self.network.check_trained()
        return replace(self, normalization=self.normalization.numbers, inputs=inputs)

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        return each_time_point(self.frame, self.inputs, begin, end, self._point)

    def _point(self, sources: Sequence[Voxels], begin: Index, end: Index) -> NDArray[Any]:
        mean = np.zeros((self.frame.channels or 1, *np.subtract(end, begin)), np.float32)
        tiles = product(*(t.meeting(b, e) for t, b, e in zip(self.tiled, begin, end, strict=True)))
        while some := list(islice(tiles, self.batch)):
            arrays = [self._given(sources[0], start) for start in some]
            outputs = self.network(arrays, [()] * len(some), lambda values, _: values)
            for start, output in zip(some, outputs, strict=True):
                self._add(mean, output, start, begin, end)
        span = self.frame.stands_for
        return mean if span is None else np.asarray(in_bytes(mean, span, np))

    def _given(self, raw: Voxels, start: Index) -> NDArray[np.float32]:
        """What the network is given for a tile."""
        end = tuple(b + axis.tile for b, axis in zip(start, self.tiled, strict=True))
        array = read_padded(raw, start, end, self.boundary)
        array = self.normalization.apply(array if "c" in raw.frame.axes else array[None])
        return array[:, 0] if self.planes else array

    def _add(
        self,
        mean: NDArray[np.float32],
        output: NDArray[Any],
        start: Index,
        begin: Index,
        end: Index,
    ) -> None:
        values = output[:, None] if self.planes else output
        here: list[slice] = []
        axes = zip(self.tiled, start, begin, end, strict=True)
        for number, (axis, first, b, e) in enumerate(axes, 1):
            low, high = max(first, b), min(first + axis.tile, e)
            share = axis.share(first, low, high).reshape(-1, *(1,) * (len(self.tiled) - number))
            part = (slice(None),) * number + (slice(low - first, high - first),)
            values = values[part] * share
            here.append(slice(low - b, high - b))
        mean[(slice(None), *here)] += values


def tiled_axes(
    sizes: Index, footprint: Footprint, given: Any, blend: Blend, overlap: Any
) -> tuple[TiledAxis, ...]:
    """Tiles along all axes of space; a network that lacks the first one runs over its planes.

    Parameters
    ----------
    sizes : tuple of int
        Voxels of the volume.
    footprint : Footprint
    given : sequence of int, optional
        Voxels of a tile.
    blend : "gaussian" or "linear"
    overlap : number, sequence of numbers, or None

    Raises
    ------
    ValueError
        If the network can't be given such tiles, or its output can't be blended.
    """
    if given is None and footprint.only_shape is None:
        raise ValueError(
            "blend= is of tiles of one size, whatever the blocks: give input_shape=, mostly that "
            "of the patches which the network was trained on."
        )
    if footprint.dtype.kind != "f":
        raise ValueError(
            f"The network gives {footprint.dtype}, such as classes, of which no mean can be taken: "
            "leave blend out, or take its output before they are made."
        )
    if any(axis.scale != 1 or axis.lost for axis in footprint.axes):
        raise ValueError(
            "blend= is for networks whose output has the voxels of the input, and this one's has "
            f"others (scales {[str(axis.scale) for axis in footprint.axes]}, voxels taken off "
            f"{[axis.lost for axis in footprint.axes]}): leave it out, and halo='auto' gives what "
            "equals the whole volume."
        )
    tilings = tilings_of(sizes, footprint, halo=((0, 0),) * len(sizes), given=given)
    flat = len(sizes) - len(footprint.axes)
    tiles = tuple(1 if n < flat else tiling.given or 1 for n, tiling in enumerate(tilings))
    steps = (tile - n for tile, n in zip(tiles, overlaps_of(overlap, tiles), strict=True))
    return tuple(TiledAxis(*of, blend) for of in zip(sizes, tiles, steps, strict=True))
