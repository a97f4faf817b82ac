"""The steps by which blocks come to one id for each object, each for one block."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index
from ..volumes.volume import Volume
from .grid import LabelGrid

__all__ = ["LABEL_BITS", "BlockLabels", "Rule", "positions"]


LABEL_BITS = np.uint64(32)


_LABEL_MASK = np.uint64(0xFFFFFFFF)


class BlockLabels(Protocol):
    """What blocks know of their labels."""

    def values(self, block: int, box: Box) -> NDArray[np.uint32]:
        """`dask_blockwise.relabelling.pieces.Pieces.values` of a block in a box of the volume."""

    def owners(self, block: int) -> NDArray[np.integer]:
        """`dask_blockwise.relabelling.pieces.Pieces.owners` of a block."""


class Rule(Protocol):
    """How pieces of all blocks become objects: each block finds edges, then all are solved."""

    @property
    def min_size(self) -> int:
        """Objects of fewer voxels become background."""

    def reach(self, grid: LabelGrid) -> Index:
        """Voxels around a block in which it looks for its neighbours, along each axis."""

    def most(self, grid: LabelGrid) -> int:
        """Numbers that a block finds at most."""

    def edges(
        self, grid: LabelGrid, one: int, labels: BlockLabels, values: Volume | None
    ) -> NDArray[np.uint64]:
        """What a block finds, as one row of numbers."""

    def components(
        self, starts: NDArray[np.int64], rows: Iterable[NDArray[np.uint64]]
    ) -> NDArray[np.int64]:
        """The object of each piece, numbered in order of first appearance."""


def positions(keys: NDArray[np.uint64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where ``block << 32 | piece`` stands among all pieces of all blocks.

    Examples
    --------
    >>> positions(np.array([2, 1 << 32 | 1], np.uint64), np.array([0, 2, 3]))
    array([1, 2])
    """
    block, piece = (keys >> LABEL_BITS).astype(np.intp), (keys & _LABEL_MASK).astype(np.int64)
    dense: NDArray[np.int64] = starts[block] + piece - 1
    return dense
