"""The rule by which labels of neighbouring blocks become one object: matching, then union."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Direction, Index, common, grown, layer
from ..labels.ids import merge
from ..volumes.volume import Volume
from .grid import LabelGrid
from .matching import best_pairs, contained_pairs, link_pieces, touching_pairs
from .pieces import labels_seen
from .rule import LABEL_BITS, BlockLabels, positions

__all__ = ["Match", "MatchRule"]

Match = Literal["iou", "fraction", "touch"]

_EDGES_AT_ONCE = 1 << 23
# Voxels on either side of a face on which a label may lie within another.
_NEAR = 2


@dataclass(frozen=True)
class MatchRule:
    """Which labels of neighbouring blocks are one object, and which objects are kept.

    Parameters
    ----------
    match
        ``"iou"``: on the voxels that both blocks saw; ``"fraction"``: on those of them that are
        near the face between the blocks; ``"touch"``: across the face.
    min_iou
        For ``"iou"``: the least intersection over union of mutual best partners.
    min_fraction
        For ``"fraction"``: the least part of the smaller label that both share.
    connectivity
        Neighbours across faces (1), edges too (2), corners too (3).
    min_size
        Objects of fewer voxels become background.
    """

    match: Match
    min_iou: float
    min_fraction: float
    connectivity: int
    min_size: int

    def reach(self, grid: LabelGrid) -> Index:
        """Voxels around a block in which it looks for its neighbours, along each axis."""
        return tuple(map(int, grid.stitched))

    def most(self, grid: LabelGrid) -> int:
        """Numbers that a block finds at most."""
        return int(2 * 3 ** len(grid.shape)) * prod(grid.frame_shape)

    def edges(
        self, grid: LabelGrid, one: int, labels: BlockLabels, values: Volume | None
    ) -> NDArray[np.uint64]:
        """Pairs of pieces, one of a block and one of a later neighbour, that are one object.

        Parameters
        ----------
        grid : LabelGrid
        one : int
            The block's number.
        labels : BlockLabels
        values : Volume, optional
            What must be equal on both sides where labels touch.

        Returns
        -------
        ndarray of uint64
            ``block << 32 | piece`` of one and the other, one and the other, and so on.
        """
        pairs = [
            _numbered(one, other, self._pairs(grid, one, other, direction, labels, values))
            for direction, other in grid.later(one, self.connectivity)
        ]
        return np.concatenate([np.empty(0, np.uint64), *pairs])

    def components(
        self, starts: NDArray[np.int64], rows: Iterable[NDArray[np.uint64]]
    ) -> NDArray[np.int64]:
        """The object of each piece of all blocks, from all blocks' edges."""
        dense = (positions(row.reshape(-1, 2), starts) for row in rows)
        return merge(int(starts[-1]), _batches(dense))

    def _pairs(
        self,
        grid: LabelGrid,
        one: int,
        other: int,
        direction: Direction,
        labels: BlockLabels,
        values: Volume | None,
    ) -> NDArray[np.uint32]:
        back = tuple(-step for step in direction)
        here, there = layer(grid.core(one), direction), layer(grid.core(other), back)
        first, second = labels.values(one, here), labels.values(other, there)
        if self.match == "touch":
            alike = (_read(values, here), _read(values, there)) if values else None
            return touching_pairs(first, second, direction, self.connectivity, grid.stitched, alike)
        touching = touching_pairs(first, second, direction, len(direction), grid.stitched)
        owners = labels.owners(one), labels.owners(other)
        both = common(grid.seen(one), grid.seen(other))
        if self.match == "fraction":
            both = common(both, _near_face(grid, one, other))
        seen = (labels_seen(labels.values(n, both), own) for n, own in zip((one, other), owners))
        return link_pieces(self._matched(*seen), touching, *owners)

    def _matched(self, first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.uint32]:
        if self.match == "iou":
            return best_pairs(first, second, self.min_iou)
        return contained_pairs(first, second, self.min_fraction)


def _near_face(grid: LabelGrid, one: int, other: int) -> Box:
    """The voxels near the face: further away, one of the blocks errs for want of context."""
    near = (_NEAR,) * len(grid.shape)
    return common(grown(grid.core(one), near), grown(grid.core(other), near))


def _read(volume: Volume, box: Box) -> NDArray[np.integer]:
    return volume._region(tuple(s.start for s in box), tuple(s.stop for s in box))


def _numbered(one: int, other: int, pairs: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Pairs of pieces with the numbers of their blocks above them, flattened."""
    blocks = np.array([one, other], np.uint64) << LABEL_BITS
    return (blocks | pairs.astype(np.uint64)).ravel()


def _batches(rows: Iterable[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
    """Gather rows, so that merging them costs few calls."""
    batch: list[NDArray[np.int64]] = []
    held = 0
    for row in rows:
        batch.append(row)
        held += len(row)
        if held >= _EDGES_AT_ONCE:
            yield np.concatenate(batch)
            batch, held = [], 0
    if batch:
        yield np.concatenate(batch)
