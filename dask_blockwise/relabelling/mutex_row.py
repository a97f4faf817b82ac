"""What a block of a mutex watershed finds between fragments, as one row of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, pairwise
from math import prod
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index
from ..segmentation.between import Between
from .pairs import ends, firsts, pack
from .rule import LABEL_BITS

if TYPE_CHECKING:
    # As numba takes long to import.
    from ..segmentation.edge_order import EdgesInOrder

__all__ = ["ATTRACTS", "Found", "edges_from", "most_numbers", "runs", "within_block"]

_BITS = 64
ATTRACTS = np.uint64(1)

_Ends = tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint64]]
_Edges = tuple[*_Ends, NDArray[np.uint64], NDArray[np.intp]]


class Found(NamedTuple):
    """The first edges of pairs of fragments, in order; fragments have numbers from 0 on.

    Of several time points, each has its edges in order, after those of the one before.
    """

    # The block, in a volume of this shape.
    core: Box
    volume: Index
    # ``block << 32 | piece`` of each number, by blocks.
    keys: NDArray[np.uint64]
    # Numbers of the fragments at both ends of each edge.
    one: NDArray[np.uint32]
    other: NDArray[np.uint32]
    # Where it begins in the raster of the block, and in the last bit whether it attracts.
    voxels: NDArray[np.unsignedinteger]
    # Its strength and the rank of its offset, once for all that have the same; how many these are.
    order: NDArray[np.uint64]
    counts: NDArray[np.intp]
    # Of the first numbers: the sums of their affinities over the bias.
    sums: NDArray[np.int64]

    @property
    def places(self) -> NDArray[np.uint64]:
        """As `voxels`, in the raster of the volume."""
        *before, (side, size) = zip(self.core, self.volume, strict=True)
        rows = np.zeros(1, np.uint64)
        for other, wide in before:
            along = np.arange(other.start, other.stop, dtype=np.uint64)
            rows = np.add.outer(rows * np.uint64(wide), along).ravel()
        rows = rows * np.uint64(size) + np.uint64(side.start)
        some, width = self.voxels.astype(np.uint64), np.uint64(side.stop - side.start)
        voxels = some >> ATTRACTS
        row = voxels // width
        places: NDArray[np.uint64] = rows[row] + (voxels - row * width)
        places <<= ATTRACTS
        places |= some & ATTRACTS
        return places

    def among_all(self, fragments: NDArray[np.integer]) -> Self:
        """The edges alone, by numbers of fragments among all, in as few bytes as may be.

        Parameters
        ----------
        fragments : ndarray of int
            Of each of its numbers, which that is.
        """
        # Copies, as the row and what it was taken apart into would be kept for a part of it.
        return self._replace(
            keys=np.empty(0, np.uint64),
            one=fragments[self.one].astype(np.uint32),
            other=fragments[self.other].astype(np.uint32),
            voxels=self.voxels.astype(np.min_scalar_type(int(self.voxels.max(initial=0)))),
            order=self.order.copy(),
            counts=self.counts.copy(),
            sums=np.empty(0, np.int64),
        )

    def ascending(self) -> Iterator[Self]:
        """Parts whose strengths are in order: those of each time point, where there are several."""
        return self.split(np.flatnonzero(self.order[1:] <= self.order[:-1]) + 1)

    def split(self, at: NDArray[np.integer]) -> Iterator[Self]:
        """Parts, of which each but the first begins at one of these strengths."""
        strengths = [0, *at.tolist(), self.order.size]
        edges = np.concatenate([[0], np.cumsum(self.counts)])[strengths].tolist()
        for those, these in zip(pairwise(strengths), pairwise(edges), strict=True):
            some, own = slice(*those), slice(*these)
            yield self._replace(
                one=self.one[own],
                other=self.other[own],
                voxels=self.voxels[own],
                order=self.order[some],
                counts=self.counts[some],
            )

    def row(self) -> NDArray[np.uint64]:
        """All in one, of which `of` makes the same again.

        Examples
        --------
        >>> keys, ends = np.array([7, 8], np.uint64), np.array([[0], [1]], np.uint32)
        >>> some = np.array([2], np.uint64), np.array([5], np.uint64), np.ones(1, np.intp)
        >>> row = Found((slice(0, 2),), (9,), keys, *ends, *some, np.zeros(0, np.int64)).row()
        >>> Found.of(row).keys.tolist(), Found.of(row).places.tolist()
        ([1, 2], [2])
        """
        blocks, counts = runs(self.keys >> LABEL_BITS)
        begin, end = ([getattr(s, at) for s in self.core] for at in ("start", "stop"))
        sizes = blocks.size, self.one.size, self.order.size, self.sums.size
        head = np.array([len(begin), *sizes, *begin, *end, *self.volume])
        edges = _together(*self[3:6], *_bits(self.core, self.keys.size))
        parts = head, blocks, counts, self.order, self.counts, self.sums, *edges
        return np.concatenate([part.view(np.uint64) for part in parts])

    @classmethod
    def of(cls, row: NDArray[np.uint64]) -> Self:
        """What such a row says."""
        axes, blocks, edges, some, sums = row[:5].tolist()
        sizes = [5, axes, axes, axes, blocks, blocks, some, some, sums]
        _, begin, end, volume, numbers, seen, order, counts, over, words = np.split(
            row, np.cumsum(sizes)
        )
        core = tuple(map(slice, begin.tolist(), end.tolist()))
        every = [
            np.arange(1, count + 1, dtype=np.uint64) | number << LABEL_BITS
            for number, count in zip(numbers, seen.tolist(), strict=True)
        ]
        keys = np.concatenate([np.empty(0, np.uint64), *every])
        columns = _apart(words, edges, *_bits(core, keys.size))
        return cls(
            *(core, tuple(volume.tolist()), keys, *columns),
            *(order, counts.view(np.intp), over.view(np.int64)),
        )


def within_block(
    between: Sequence[Between],
    values: NDArray[np.uint32],
    core: Box,
    volume: Index,
    number: int,
) -> NDArray[np.uint64]:
    """The row of a block's own fragments, of which none is another block's.

    Parameters
    ----------
    between
        What their source says of them, at each time point.
    values
        Which piece, from 1, each voxel of the block is of.
    core, volume, number
        The block, in a volume of this shape, and its number.
    """
    if not between:
        return np.empty(0, np.uint64)
    points = values if values.ndim > len(between[0].core) else values[None]
    found = []
    for first, point, known in zip(count(step=points[0].size), points, between, strict=False):
        nodes = np.full(known.edges.nodes.shape, -1, np.int32)
        nodes[known.core] = point.view(np.int32) - np.int32(1)
        found.append(edges_from(replace(known.edges, nodes=nodes), known.core, first))
    over_bias = np.concatenate([known.over_bias.ravel() for known in between])
    sums = np.bincount(values.ravel(), over_bias)[1:].astype(np.int64)
    keys = np.arange(1, sums.size + 1, dtype=np.uint64) | np.uint64(number) << LABEL_BITS
    one, other, voxels, order, counts = map(np.concatenate, zip(*found, strict=True))
    return Found(core, volume, keys, one, other, voxels, order, counts, sums).row()


def edges_from(edges: EdgesInOrder, core: Box, first: int = 0) -> _Edges:
    """Ends, voxels, order and counts as `Found` has them, of edges that begin in a part.

    Parameters
    ----------
    edges
        Of an array.
    core
        The part of it that is the block, or what of the block has its first voxel there.
    first
        The number of that voxel.
    """
    size = [s.stop - s.start for s in core]
    own = np.zeros(edges.nodes.shape, np.uint64)
    own[core] = np.arange(first, first + prod(size), dtype=np.uint64).reshape(size)
    voxels = own.ravel()[edges.voxels] << ATTRACTS | edges.attracts
    one, other = (end.view(np.uint32) for end in edges.ends())
    return one, other, voxels, *runs(edges.order)


def most_numbers(axes: int, blocks: int, edges: int, sums: int = 0) -> int:
    """How long a row is at most, of so many edges between fragments of so many blocks."""
    return 5 + 3 * axes + 2 * blocks + 4 * edges + sums


def runs(values: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Each of equal values that follow one another once, and how many these are.

    Examples
    --------
    >>> runs(np.array([3, 3, 5], np.uint64))
    (array([3, 5], dtype=uint64), array([2, 1]))
    """
    begins = np.flatnonzero(firsts(values))
    return values[begins], np.diff(begins, append=values.size)


def _bits(core: Box, numbers: int) -> tuple[np.uint64, np.uint64]:
    """Bits of a number of a fragment, and of a voxel with whether it attracts."""
    voxels = prod(s.stop - s.start for s in core)
    return np.uint64(max(1, numbers.bit_length())), np.uint64(voxels.bit_length() + 1)


def _together(
    one: NDArray[np.uint32],
    other: NDArray[np.uint32],
    voxels: NDArray[np.uint64],
    number: np.uint64,
    voxel: np.uint64,
) -> list[NDArray[np.uint64]]:
    """Ends and voxels in one number an edge, if there is room: little is written then."""
    if 2 * number + voxel > _BITS:
        return [pack(one, other), voxels]
    words = one.astype(np.uint64) << number
    words |= other
    words <<= voxel
    words |= voxels
    return [words]


def _apart(words: NDArray[np.uint64], edges: int, number: np.uint64, voxel: np.uint64) -> _Ends:
    """Ends and voxels, of what `_together` made of them."""
    if 2 * number + voxel > _BITS:
        return *ends(words[:edges]), words[edges:]
    of_number, of_voxel = ((np.uint64(1) << bits) - np.uint64(1) for bits in (number, voxel))
    one = (words >> number + voxel).astype(np.uint32)
    return one, (words >> voxel & of_number).astype(np.uint32), words & of_voxel
