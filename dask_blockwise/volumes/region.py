"""What answers a region of the world with an ndarray, stored or computed on request."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize
from numpy.typing import NDArray

from ..geometry.blocks import Coordinate, Roi
from ..geometry.boxes import Index, index_bounds
from ..storage.chunking import split
from .frame import Frame

__all__ = ["Context", "Regions"]

Context = tuple[Coordinate, Coordinate]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Regions(Frame):
    """Voxels in the world: a region gives an ndarray, and all of them a dask array."""

    # What the values are computed from.
    inputs: tuple[Regions, ...] = ()

    @property
    def data(self) -> da.Array:
        """The values as a dask array of one task a block, all channels together."""
        self._check_regional()
        shape, block = self._without_channels(self.shape), self.block_shape
        chunks = [split(n, b) for n, b in zip(shape, block, strict=True)]
        if "c" in self.axes:
            chunks.insert(self.axes.index("c"), (self.shape[self.axes.index("c")],))
        array: da.Array = da.map_blocks(
            partial(_dask_block, self),
            chunks=tuple(chunks),
            dtype=self.dtype,
            meta=np.empty((0,) * len(chunks), self.dtype),
            name=f"volume-{self.token}",
        )
        return array

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if isinstance(key, Roi):
            return self._region(*self._voxels(key))
        bounds, rest = index_bounds(key, self.shape)
        region = self._without_channels(tuple(bounds))
        values = self._region(tuple(b for b, _ in region), tuple(e for _, e in region))
        if "c" in self.axes:
            channel = self.axes.index("c")
            values = values[(slice(None),) * channel + (slice(*bounds[channel]),)]
        part: NDArray[Any] = values[rest]
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All of the values, for numpy's functions."""
        return np.asarray(self[:], dtype)

    @cached_property
    def token(self) -> str:
        """A hash of all that the values depend on."""
        values = [getattr(self, f.name) for f in fields(self) if f.name != "inputs"]
        return str(tokenize(type(self).__qualname__, *values, *(i.token for i in self.inputs)))

    def __dask_tokenize__(self) -> str:
        return self.token

    def _fingerprint(self, block: Index) -> str:
        return str(tokenize(self.token, block))

    @property
    def context(self) -> Context:
        """What is read before and after a region, in world units, down to what is stored."""
        before, after = self._own_context
        inner = [volume.context for volume in self.inputs]
        zero = Coordinate((0,) * len(self.voxel_size))
        return (
            before + _largest([zero, *(b for b, _ in inner)]),
            after + _largest([zero, *(a for _, a in inner)]),
        )

    @property
    def _own_context(self) -> Context:
        zero = Coordinate((0,) * len(self.voxel_size))
        return zero, zero

    @property
    def wraps(self) -> tuple[bool, ...]:
        """Along which axes a block at the border reads at the opposite one too."""
        inner = [volume.wraps for volume in self.inputs if not volume._is_stored]
        return tuple(map(any, zip(self._own_wraps, *inner)))

    @property
    def _own_wraps(self) -> tuple[bool, ...]:
        return (False,) * len(self.voxel_size)

    @property
    def _is_stored(self) -> bool:
        """Whether what is made from it reads it from a store."""
        return not self.inputs

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        """Values of a box, in voxels along all axes but "c", within the volume."""
        raise NotImplementedError

    def _block(self, number: int, begin: Index, end: Index) -> NDArray[Any]:
        """Values of the block with a number in raster order."""
        return self._region(begin, end)

    def _seen(self, core: tuple[slice, ...], seen: tuple[slice, ...]) -> NDArray[Any]:
        """Values of what a block sees around its core."""
        return self._region(tuple(s.start for s in seen), tuple(s.stop for s in seen))

    def _in_dask(self) -> bool:
        """Whether ``.data`` is more than a region request for each block."""
        return False

    def _check_regional(self, stored: bool = False) -> None:
        """Refuse where a block needs values of the whole volume that no checkpoint has stored."""
        for volume in self.inputs:
            volume._check_regional(stored)


def _dask_block(
    volume: Regions, block_id: Index | None = None, block_info: Any = None
) -> NDArray[Any]:
    index = volume._without_channels(block_id or ())
    shape, block = volume._without_channels(volume.shape), volume.block_shape
    begin = tuple(i * b for i, b in zip(index, block, strict=True))
    end = tuple(min(n, o + b) for n, o, b in zip(shape, begin, block, strict=True))
    counts = tuple(-(-n // b) for n, b in zip(shape, block, strict=True))
    return volume._block(int(np.ravel_multi_index(index, counts)), begin, end)


def _largest(coordinates: list[Coordinate]) -> Coordinate:
    return Coordinate(max(values) for values in zip(*coordinates))
