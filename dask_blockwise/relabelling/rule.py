"""Rules: the protocol of how the pieces of all blocks become objects.

A rule of one's own is given to ``relabel(match=rule)`` or ``agglomerate(method=rule)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, common, within
from .grid import LabelGrid

__all__ = [
    "LABEL_BITS",
    "BlockLabels",
    "Rule",
    "Values",
    "Weighed",
    "labels_around",
    "numbered",
    "positions",
]

LABEL_BITS = np.uint64(32)
_LABEL_MASK = np.uint64(0xFFFFFFFF)

# Gives the values of a box of a volume; its channels, if it has any, come first.
Values = Callable[[Box], NDArray[Any]]


class BlockLabels(Protocol):
    """What blocks know of their labels."""

    def values(self, block: int, box: Box) -> NDArray[np.uint32]:
        """`dask_blockwise.relabelling.pieces.Pieces.values` of a block in a box of the volume."""

    def owners(self, block: int) -> NDArray[np.integer]:
        """`dask_blockwise.relabelling.pieces.Pieces.owners` of a block."""

    def ids(self, block: int) -> NDArray[np.uint64] | None:
        """`dask_blockwise.relabelling.pieces.Pieces.ids` of a block."""


@runtime_checkable
class Rule(Protocol):
    """How pieces of all blocks become objects: each block finds edges, then all are solved.

    A piece is a part of a label that its block holds together; pieces of a block count from 1. A
    rule is sent to worker processes and decides on what is resumed, so it must be picklable and
    its attributes must say all that it depends on: a frozen dataclass is right.

    Examples
    --------
    Pieces that touch across a face are one object if they are equally dark, to 10 grey values,
    where they touch:

    >>> from dataclasses import dataclass
    >>> from dask_blockwise import Volume, agglomerate
    >>> from dask_blockwise.relabelling.match_rule import MatchRule
    >>> @dataclass(frozen=True)
    ... class EquallyDark:
    ...     needs_halo, compares_values = False, True
    ...
    ...     def pairs(self, face, labels, values, connectivity):
    ...         return face.touching(labels, connectivity, lambda box: values(box)[0] // 10)
    >>> labels = Volume.from_array(np.array([[1, 1, 2, 2, 3, 3]]), chunks=(1, 2))
    >>> grey = Volume.from_array(np.array([[[10, 15, 12, 50, 80, 85]]]), axes=("c", "y", "x"))
    >>> objects = agglomerate(labels, grey, method=MatchRule(EquallyDark()))
    >>> objects.data.compute()
    array([[1, 1, 1, 1, 2, 2]], dtype=uint64)
    """

    @property
    def min_size(self) -> int:
        """Objects of fewer voxels become background."""

    def reach(self, grid: LabelGrid) -> Index:
        """Voxels around a block in which it looks for its neighbours, along each axis."""

    def most(self, grid: LabelGrid) -> int:
        """Numbers that a block finds at most."""

    def edges(
        self, grid: LabelGrid, one: int, labels: BlockLabels, values: Values | None
    ) -> NDArray[np.uint64]:
        """What a block finds, as one row of numbers.

        Parameters
        ----------
        grid : LabelGrid
            The blocks, with what each sees around itself.
        one : int
            The block's number.
        labels : BlockLabels
            Of the blocks within reach.
        values : callable, optional
            Gives values of the volume that the rule looks at beside the labels.
        """

    def components(
        self, starts: NDArray[np.int64], rows: Iterable[NDArray[np.uint64]]
    ) -> NDArray[np.int64]:
        """The object of each piece, numbered in order of first appearance.

        Parameters
        ----------
        starts : ndarray of int64, shape (blocks + 1,)
            Where each block's pieces begin among all.
        rows : iterable of ndarray of uint64
            What each block found.
        """


@runtime_checkable
class Weighed(Protocol):
    """A rule that knows how much memory it takes to make objects of what all blocks found."""

    def memory(self, grid: LabelGrid) -> int:
        """Bytes that `Rule.components`, and what leads to it, takes at most; the plan says it."""


def labels_around(
    grid: LabelGrid, box: Box, labels: BlockLabels
) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """Pieces in a box of the volume, from the blocks that they belong to.

    Returns
    -------
    numbers : ndarray of uint32
        Of the box; 0 is background.
    keys : ndarray of uint64
        ``block << 32 | piece`` of each number.
    """
    numbers = np.zeros([s.stop - s.start for s in box], np.uint32)
    keys, first = [np.zeros(1, np.uint64)], 0
    for block in grid.meeting(box):
        part = common(box, grid.core(block))
        values = labels.values(block, part)
        most = int(values.max(initial=0))
        numbers[within(part, box)] = np.where(values > 0, values + np.uint32(first), 0)
        keys.append(np.uint64(block) << LABEL_BITS | np.arange(1, most + 1, dtype=np.uint64))
        first += most
    return numbers, np.concatenate(keys)


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


def numbered(one: int, other: int, pairs: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Pairs of pieces of two blocks as ``block << 32 | piece``: one and the other, and so on.

    Examples
    --------
    >>> [divmod(int(key), 1 << 32) for key in numbered(0, 3, np.array([[7, 5]], np.uint32))]
    [(0, 7), (3, 5)]
    """
    blocks = np.array([one, other], np.uint64) << LABEL_BITS
    return (blocks | pairs.astype(np.uint64)).ravel()
