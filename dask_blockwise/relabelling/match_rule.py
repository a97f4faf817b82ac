"""The rule by which labels of neighbouring blocks become one object: matching, then union.

How two neighbours are matched is a `Matcher`, one for each name that ``relabel(match=...)`` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Direction, Index, common, grown, layer
from ..labels.ids import merge
from .grid import LabelGrid
from .matching import best_pairs, contained_pairs, link_pieces, touching_pairs
from .pairs import gathered
from .pieces import labels_seen
from .rule import BlockLabels, Values, numbered, positions

__all__ = ["ByFraction", "ByIou", "ByTouch", "Face", "MatchRule", "Matcher"]

_EDGES_AT_ONCE = 1 << 23
# Voxels on either side of a face on which a label may lie within another.
_NEAR = 2


@dataclass(frozen=True)
class Face:
    """Where two blocks meet: at a face, or at an edge or a corner."""

    grid: LabelGrid
    one: int
    other: int
    # From the one to the other.
    direction: Direction

    @property
    def layers(self) -> tuple[Box, Box]:
        """The voxels of the one and of the other that touch it."""
        back = tuple(-step for step in self.direction)
        cores = self.grid.core(self.one), self.grid.core(self.other)
        return layer(cores[0], self.direction), layer(cores[1], back)

    @property
    def seen(self) -> Box:
        """The voxels that both blocks see."""
        return common(self.grid.seen(self.one), self.grid.seen(self.other))

    @property
    def near(self) -> Box:
        """Those of them near the face: further away, one of the blocks errs for want of context."""
        near = (_NEAR,) * len(self.grid.shape)
        cores = (grown(self.grid.core(n), near) for n in (self.one, self.other))
        return common(self.seen, common(*cores))

    def touching(
        self, labels: BlockLabels, connectivity: int, values: Values | None = None
    ) -> NDArray[np.uint32]:
        """Pairs of pieces that touch across it, where given values are equal on both sides."""
        here, there = self.layers
        first, second = labels.values(self.one, here), labels.values(self.other, there)
        alike = (values(here), values(there)) if values else None
        return touching_pairs(
            first, second, self.direction, connectivity, self.grid.stitched, alike
        )

    def linked(
        self,
        labels: BlockLabels,
        box: Box,
        match: Callable[[NDArray[np.uint32], NDArray[np.uint32]], NDArray[np.uint32]],
    ) -> NDArray[np.uint32]:
        """Pairs of pieces, of the labels that match in a box that both blocks see."""
        touching = self.touching(labels, len(self.direction))
        blocks = self.one, self.other
        owners = [labels.owners(n) for n in blocks]
        seen = (labels_seen(labels.values(n, box), own) for n, own in zip(blocks, owners))
        return link_pieces(match(*seen), touching, *owners)


class Matcher(Protocol):
    """Which pieces of two neighbouring blocks are one object."""

    @property
    def needs_halo(self) -> bool:
        """Whether it compares what both blocks saw."""

    @property
    def compares_values(self) -> bool:
        """Whether it looks at the values that keep touching labels apart."""

    def pairs(
        self, face: Face, labels: BlockLabels, values: Values | None, connectivity: int
    ) -> NDArray[np.uint32]:
        """Pieces of the one block and of the other, shape ``(k, 2)``."""


@dataclass(frozen=True)
class ByIou:
    """Labels that are each other's best partner on what both blocks saw."""

    # The least intersection over union.
    min_iou: float

    needs_halo, compares_values = True, False

    def pairs(
        self, face: Face, labels: BlockLabels, values: Values | None, connectivity: int
    ) -> NDArray[np.uint32]:
        """See `Matcher.pairs`."""
        return face.linked(labels, face.seen, partial(best_pairs, min_iou=self.min_iou))


@dataclass(frozen=True)
class ByFraction:
    """Labels of which the smaller lies in the other near the face."""

    # The least part of the smaller label that both share.
    min_fraction: float

    needs_halo, compares_values = True, False

    def pairs(
        self, face: Face, labels: BlockLabels, values: Values | None, connectivity: int
    ) -> NDArray[np.uint32]:
        """See `Matcher.pairs`."""
        match = partial(contained_pairs, min_fraction=self.min_fraction)
        return face.linked(labels, face.near, match)


@dataclass(frozen=True)
class ByTouch:
    """Pieces that touch across the face."""

    # Whether the same id on both sides is refused, since labels are then of the whole volume.
    own_ids: bool = False

    needs_halo, compares_values = False, True

    def pairs(
        self, face: Face, labels: BlockLabels, values: Values | None, connectivity: int
    ) -> NDArray[np.uint32]:
        """See `Matcher.pairs`."""
        pairs = face.touching(labels, connectivity, values)
        if self.own_ids:
            _check_own_ids(pairs, labels.ids(face.one), labels.ids(face.other))
        return pairs


@dataclass(frozen=True)
class MatchRule:
    """Which labels of neighbouring blocks are one object, and which objects are kept.

    Parameters
    ----------
    match
        How neighbours are matched.
    connectivity
        Neighbours across faces (1), edges too (2), corners too (3).
    min_size
        Objects of fewer voxels become background.
    """

    match: Matcher
    connectivity: int = 1
    min_size: int = 0

    def reach(self, grid: LabelGrid) -> Index:
        """See `Rule.reach`.

        Raises
        ------
        ValueError
            If neighbours are compared on what both saw, and some saw nothing of each other.
        """
        if self.match.needs_halo:
            _check_seen_by_both(grid)
        return tuple(map(int, grid.stitched))

    def most(self, grid: LabelGrid) -> int:
        """See `Rule.most`."""
        return int(2 * 3 ** len(grid.shape)) * prod(grid.frame_shape)

    def edges(
        self, grid: LabelGrid, one: int, labels: BlockLabels, values: Values | None
    ) -> NDArray[np.uint64]:
        """Pairs of pieces, one of a block and one of a later neighbour, that are one object.

        Returns
        -------
        ndarray of uint64
            As `dask_blockwise.relabelling.rule.numbered` has them, one after the other.
        """
        faces = (Face(grid, one, other, way) for way, other in grid.later(one, self.connectivity))
        found = (
            numbered(one, face.other, self.match.pairs(face, labels, values, self.connectivity))
            for face in faces
        )
        return np.concatenate([np.empty(0, np.uint64), *found])

    def components(
        self, starts: NDArray[np.int64], rows: Iterable[NDArray[np.uint64]]
    ) -> NDArray[np.int64]:
        """See `Rule.components`."""
        dense = (positions(row.reshape(-1, 2), starts) for row in rows)
        return merge(int(starts[-1]), gathered(dense, _EDGES_AT_ONCE))


def _check_seen_by_both(grid: LabelGrid) -> None:
    """Refuse blocks that have neighbours along an axis, and no halo there."""
    axes = zip(grid.stitched, grid.counts, grid.halo, strict=True)
    blind = [n for n, (moves, count, halo) in enumerate(axes) if moves and count > 1 > sum(halo)]
    if blind:
        raise ValueError(
            f"Blocks of {grid.block_shape} voxels with a halo of {grid.halo} see nothing of their "
            f"neighbours along axis {blind[0]}, where labels are compared on voxels that both saw: "
            "every object would be cut there. Segment with a halo along that axis too, or in "
            'blocks as long as the volume is there, block_shape=...; or use match="touch".'
        )


def _check_own_ids(
    pairs: NDArray[np.uint32], one: NDArray[np.uint64] | None, other: NDArray[np.uint64] | None
) -> None:
    """Refuse pieces that touch, one of either block, and came with the same id."""
    if one is None or other is None or not len(pairs):
        return
    ids = one[pairs[:, 0].astype(np.intp) - 1]
    same = ids == other[pairs[:, 1].astype(np.intp) - 1]
    if same.any():
        raise ValueError(
            f"Label {ids[same][0]} is on both sides of where two blocks meet, so these aren't "
            'labels that each block made by itself, which match="touch" is for: it would fuse all '
            "objects that touch there. Labels of the whole volume, equal wherever they are one "
            "object: renumber(labels). Labels that blocks made by themselves under the same ids: "
            'relabel(segment(labels, numpy.asarray, halo=0), match="touch"). Labels made in other '
            "blocks than these: to_zarr(..., block_shape=...) as they were made."
        )
