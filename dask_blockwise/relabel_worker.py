"""Relabel: one id for each object of the volume, from labels that blocks made by themselves.

Storing a relabelled volume runs four tasks: blocks segment what they see into a scratch array;
neighbours compare their labels; one block solves for all; blocks write their final ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .geometry import Block
from .label_grid import Box, LabelGrid, common, layer, within
from .scratch import Scratch
from .stitching import (
    Direction,
    apply_table,
    compact,
    final_ids,
    iou_pairs,
    merge,
    touching_pairs,
)
from .store import StoredArray

Match = Literal["iou", "touch"]

_EDGES_AT_ONCE = 1 << 23
_LABEL_BITS = np.uint64(32)
_LABEL_MASK = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Rule:
    """Which labels of neighbouring blocks are one object, and which objects are kept.

    Parameters
    ----------
    match
        ``"iou"``: on the voxels that both blocks saw; ``"touch"``: across the face between them.
    min_iou
        For ``"iou"``: the least intersection over union of mutual best partners.
    connectivity
        Neighbours across faces (1), edges too (2), corners too (3).
    min_size
        Objects of fewer voxels become background.
    """

    match: Match
    min_iou: float
    connectivity: int
    min_size: int


@dataclass(frozen=True)
class Relabelling:
    """The four steps of storing a relabelled volume, each for one block.

    Parameters
    ----------
    fragments
        The volume of labels.
    grid
        Its blocks, with the halo in which their labels are compared.
    rule
        When two labels are one object.
    scratch
        What blocks leave for one another.
    target
        The array that gets the final ids.
    """

    fragments: Volume
    grid: LabelGrid
    rule: Rule
    scratch: Scratch
    target: StoredArray

    def segment(self, block: Block) -> None:
        """Label what the block sees, and count the voxels of its labels."""
        number = block.number
        core, seen, frame = (at(number) for at in (self.grid.core, self.grid.seen, self.grid.frame))
        labels, sizes = compact(self._labels(number), within(core, seen))
        framed = np.zeros(self.scratch.labels.shape[1:], np.uint32)
        framed[within(seen, frame)] = labels
        self.scratch.labels.write(_row(number, framed.shape), framed[None])
        self.scratch.sizes.write(number, sizes)

    def stitch(self, block: Block) -> None:
        """Find the pairs of labels, one of the block and one of a later neighbour, to be merged."""
        one = block.number
        pairs = [
            _numbered(one, other, self._match(one, other, direction))
            for direction, other in self.grid.later(one, self.rule.connectivity)
        ]
        self.scratch.edges.write(one, np.concatenate([np.empty(0, np.uint64), *pairs]))

    def solve(self, block: Block) -> None:
        """Give every label of every block its final id."""
        sizes = list(self.scratch.sizes)
        counts = np.array([row.size for row in sizes])
        starts = np.concatenate([[0], np.cumsum(counts)])
        edges = (_dense(row, counts, starts) for row in self.scratch.edges)
        component = merge(int(starts[-1]), _batches(edges))
        ids = final_ids(component, np.concatenate(sizes), self.rule.min_size)
        self.scratch.write_table(starts, ids)

    def relabel(self, block: Block) -> None:
        """Write the final ids of the block's own voxels."""
        core = self.grid.core(block.number)
        labels = self._read(block.number, core)
        self.target.write(core, apply_table(labels, self.scratch.read_table(block.number)))

    def _labels(self, number: int) -> NDArray[np.integer]:
        """Labels of all voxels that the block sees."""
        raise NotImplementedError

    def _match(self, one: int, other: int, direction: Direction) -> NDArray[np.uint32]:
        grid, rule = self.grid, self.rule
        if rule.match == "iou":
            both = common(grid.seen(one), grid.seen(other))
            return iou_pairs(self._read(one, both), self._read(other, both), rule.min_iou)
        back = tuple(-step for step in direction)
        first = self._read(one, layer(grid.core(one), direction))
        second = self._read(other, layer(grid.core(other), back))
        return touching_pairs(first, second, direction, rule.connectivity)

    def _read(self, number: int, box: Box) -> NDArray[np.integer]:
        """A block's labels in a box of the volume."""
        there = within(box, self.grid.frame(number))
        return self.scratch.labels.read((slice(number, number + 1), *there))[0]


def _row(number: int, shape: tuple[int, ...]) -> Box:
    return (slice(number, number + 1), *(slice(0, size) for size in shape))


def _numbered(one: int, other: int, pairs: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Pairs of labels with the numbers of their blocks above them, flattened."""
    blocks = np.array([one, other], np.uint64) << _LABEL_BITS
    return (blocks | pairs.astype(np.uint64)).ravel()


def _dense(
    row: NDArray[np.uint64], counts: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pairs as positions among all labels, without those that lie in a halo only."""
    pairs = row.reshape(-1, 2)
    block, label = (pairs >> _LABEL_BITS).astype(np.intp), (pairs & _LABEL_MASK).astype(np.int64)
    own: NDArray[np.bool_] = (label <= counts[block]).all(axis=1)
    dense: NDArray[np.int64] = (starts[block] + label - 1)[own]
    return dense


def _batches(rows: Iterable[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
    """Gather rows, so that merging them costs a few passes over all labels, not one a block."""
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
