"""In which order blocks run: those that read the same come soon after one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from math import prod

import numpy as np

from ..geometry.blocks import BlockGrid
from ..geometry.morton import codes_of, places_of
from .conflicts import Integers

__all__ = ["Order"]

# Blocks of a tile along each axis, a power of 2.
_TILE = 16


class Order:
    """The order of a grid's blocks: each has a key, and those of lower keys come first.

    A worker keeps the chunks that it has decoded for a while. Along axes in which blocks read
    beyond what they write, neighbours follow one another in Morton order, so that a chunk is
    decoded half as often as in raster order. That is so within tiles, which follow one another in
    raster order, so that keys are computed, and none is kept for each block. Along other axes
    blocks share nothing, and each position is finished before the next.

    Parameters
    ----------
    grid : BlockGrid

    References
    ----------
    G. M. Morton, "A computer oriented geodetic data base", IBM, 1966.

    Examples
    --------
    >>> from dask_blockwise.geometry.blocks import Roi
    >>> halo = BlockGrid(Roi((0, 0), (6, 10)), Roi((0, 0), (4, 4)), Roi((1, 1), (2, 2)))
    >>> order = Order(halo)
    >>> order.numbers(order)
    [0, 1, 4, 5, 2, 3, 6, 7]
    >>> order.numbers(order.keys([np.array([1, 0]), np.array([3, 2])]).tolist())
    [7, 2]
    """

    def __init__(self, grid: BlockGrid) -> None:
        self._shape = grid.shape
        near = [before > 0 or after > 0 for before, after in zip(*grid.context, strict=True)]
        self._tile = tuple(
            min(_TILE, 1 << max(0, n - 1).bit_length()) if sees else 1
            for n, sees in zip(grid.shape, near, strict=True)
        )
        self._tiles = tuple(-(-n // side) for n, side in zip(grid.shape, self._tile, strict=True))
        # Blocks of a tile in order, each by its position along all axes; Morton codes take the
        # first axis for the one along which blocks lie closest.
        codes = np.arange(prod(self._tile), dtype=np.uint64)
        self._inside = places_of(codes, self._tile[::-1])[:, ::-1]
        # From one block to the next along each axis, in numbers.
        self._strides = [prod(grid.shape[axis + 1 :]) for axis in range(len(grid.shape))]
        self._within: list[int] = (self._inside @ self._strides).tolist()
        self._parts = [self._part(axis) for axis in range(len(grid.shape))]

    def keys(self, index: Sequence[Integers]) -> Integers:
        """Keys of blocks, given their positions along each axis."""
        parts = (part[at] for part, at in zip(self._parts, index, strict=True))
        return reduce(np.add, parts)

    def numbers(self, keys: Iterable[int]) -> list[int]:
        """Numbers of the blocks with these keys, in raster order of the grid."""
        return list(keys) if len(self._within) == 1 else list(map(self._number, keys))

    def __iter__(self) -> Iterator[int]:
        """Keys of all blocks, the lowest first."""
        if len(self._inside) == 1:
            yield from range(prod(self._shape))
            return
        for number, tile in enumerate(np.ndindex(self._tiles)):
            index = np.multiply(tile, self._tile) + self._inside
            inside = np.flatnonzero((index < self._shape).all(1))
            yield from (number * len(self._inside) + inside).tolist()

    def _number(self, key: int) -> int:
        tile, within = divmod(key, len(self._within))
        number = self._within[within]
        for count, side, stride in zip(self._tiles[::-1], self._tile[::-1], self._strides[::-1]):
            tile, at = divmod(tile, count)
            number += at * side * stride
        return number

    def _part(self, axis: int) -> Integers:
        """What each position along an axis adds to a key."""
        place = np.zeros((self._tile[axis], len(self._shape)), np.int64)
        place[:, -1 - axis] = np.arange(self._tile[axis])
        code = codes_of(place, self._tile[::-1]).astype(np.int64)
        tile = np.arange(self._tiles[axis]) * prod(self._tiles[axis + 1 :]) * len(self._inside)
        return np.add.outer(tile, code).ravel()[: self._shape[axis]]
