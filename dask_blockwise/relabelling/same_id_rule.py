"""The rule by which labels of the whole volume are one object wherever their ids are equal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .grid import LabelGrid
from .pairs import firsts
from .rule import BlockLabels, Values

__all__ = ["SameIdRule", "by_first_block"]


@dataclass(frozen=True)
class SameIdRule:
    """Pieces are one object if they came with the same id.

    Parameters
    ----------
    min_size
        Objects of fewer voxels become background.
    """

    min_size: int = 0

    def reach(self, grid: LabelGrid) -> Index:
        """See `Rule.reach`."""
        return (0,) * len(grid.shape)

    def most(self, grid: LabelGrid) -> int:
        """See `Rule.most`."""
        return prod(grid.block_shape)

    def edges(
        self, grid: LabelGrid, one: int, labels: BlockLabels, values: Values | None
    ) -> NDArray[np.uint64]:
        """The id that each of the block's pieces came with."""
        ids = labels.ids(one)
        if ids is None:
            raise TypeError("Labels that a block made by itself have no ids of the whole volume.")
        return ids

    def components(
        self, starts: NDArray[np.int64], rows: Iterable[NDArray[np.uint64]]
    ) -> NDArray[np.int64]:
        """See `Rule.components`; ids that a block is the first to have are in ascending order."""
        ids = np.concatenate([np.empty(0, np.uint64), *rows])
        return by_first_block(ids, np.repeat(np.arange(starts.size - 1), np.diff(starts)))


def by_first_block(ids: NDArray[np.uint64], blocks: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number ids from 0, by the first block that has them and then by themselves.

    Parameters
    ----------
    ids, blocks : ndarray of int, shape (k,)
        Which id is in which block.

    Examples
    --------
    >>> by_first_block(np.array([70, 50, 50, 9], np.uint64), np.array([0, 0, 1, 1]))
    array([1, 0, 0, 2])
    """
    order = np.lexsort((blocks, ids))
    first = firsts(ids[order])
    known = order[first]
    rank = np.empty(known.size, np.int64)
    rank[np.lexsort((ids[known], blocks[known]))] = np.arange(known.size)
    numbers = np.empty(ids.size, np.int64)
    numbers[order] = rank[np.cumsum(first) - 1]
    return numbers
