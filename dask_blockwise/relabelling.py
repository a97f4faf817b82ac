"""The steps by which blocks come to one id for each object, each for one block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from .volume import Volume

__all__ = ["Match", "Relabelling", "Rule", "label_block", "match_block", "solve_blocks"]

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
    """The steps of storing a relabelled volume, each for one block.

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
        labels, sizes = label_block(self.fragments, self.grid, block.number)
        framed = np.zeros(self.scratch.labels.shape[1:], np.uint32)
        framed[tuple(map(slice, labels.shape))] = labels
        whole = map(slice, [0] * framed.ndim, framed.shape)
        self.scratch.labels.write((slice(block.number, block.number + 1), *whole), framed[None])
        self.scratch.sizes.write(block.number, sizes)

    def stitch(self, block: Block) -> None:
        """Find the pairs of labels, one of the block and one of a later neighbour, to be merged."""
        self.scratch.edges.write(
            block.number, match_block(self.grid, self.rule, block.number, self._read)
        )

    def solve(self, block: Block) -> None:
        """Give every label of every block its final id."""
        sizes = list(self.scratch.sizes)
        self.scratch.write_table(*solve_blocks(sizes, self.scratch.edges, self.rule.min_size))

    def relabel(self, block: Block) -> None:
        """Write the final ids of the block's own voxels."""
        core = self.grid.core(block.number)
        labels = self._read(block.number, core)
        self.target.write(core, apply_table(labels, self.scratch.read_table(block.number)))

    def clean(self, block: Block) -> None:
        """Remove what blocks left for one another."""
        self.scratch.remove()

    def _read(self, number: int, box: Box) -> NDArray[np.integer]:
        """A block's labels in a box of the volume."""
        there = within(box, self.grid.frame(number))
        (labels,) = self.scratch.labels.read((slice(number, number + 1), *there))
        return np.asarray(labels)


def label_block(
    fragments: Volume, grid: LabelGrid, number: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Labels of all voxels that a block sees, and the sizes of those in its core.

    Parameters
    ----------
    fragments : Volume of int
    grid : LabelGrid
    number : int
        The block's, in raster order.

    Returns
    -------
    labels : ndarray of uint32
        From the beginning of the block's frame, 0 where that leaves the volume.
    sizes : ndarray of int64
        As from `dask_blockwise.stitching.compact`.
    """
    core, seen, frame = (at(number) for at in (grid.core, grid.seen, grid.frame))
    labels, sizes = compact(fragments._seen(core, seen), within(core, seen))
    framed = np.zeros(grid.frame_shape, np.uint32)
    framed[within(seen, frame)] = labels
    return framed, sizes


def match_block(
    grid: LabelGrid, rule: Rule, one: int, read: Callable[[int, Box], NDArray[np.integer]]
) -> NDArray[np.uint64]:
    """Pairs of labels, one of a block and one of a later neighbour, that are one object.

    Parameters
    ----------
    grid : LabelGrid
    rule : Rule
    one : int
        The block's number.
    read : callable
        Gives the labels that a block made in a box of the volume.

    Returns
    -------
    ndarray of uint64
        ``block << 32 | label`` of one and the other, one and the other, and so on.
    """
    pairs = [
        _numbered(one, other, _match(grid, rule, one, other, direction, read))
        for direction, other in grid.later(one, rule.connectivity)
    ]
    return np.concatenate([np.empty(0, np.uint64), *pairs])


def solve_blocks(
    sizes: Sequence[NDArray[np.integer]], edges: Iterable[NDArray[np.uint64]], min_size: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Final ids of the labels of all blocks.

    Parameters
    ----------
    sizes : sequence of ndarray of int
        For each block, the voxels of its labels.
    edges : iterable of ndarray of uint64
        For each block, what `match_block` found.
    min_size : int
        Objects of fewer voxels become background.

    Returns
    -------
    starts : ndarray of int64, shape (blocks + 1,)
        Where each block's labels begin among all.
    ids : ndarray of uint64
        1..n in the order in which blocks first have them; 0 for objects that are too small.

    Examples
    --------
    >>> sizes, edges = [np.array([5, 9]), np.array([3])], [np.array([2, 1 << 32 | 1], np.uint64)]
    >>> solve_blocks(sizes, edges, min_size=6)
    (array([0, 2, 3]), array([0, 1, 1], dtype=uint64))
    """
    counts = np.array([row.size for row in sizes])
    starts = np.concatenate([[0], np.cumsum(counts)])
    dense = (_dense(row, counts, starts) for row in edges)
    component = merge(int(starts[-1]), _batches(dense))
    return starts, final_ids(component, np.concatenate(sizes), min_size)


def _match(
    grid: LabelGrid,
    rule: Rule,
    one: int,
    other: int,
    direction: Direction,
    read: Callable[[int, Box], NDArray[np.integer]],
) -> NDArray[np.uint32]:
    if rule.match == "iou":
        both = common(grid.seen(one), grid.seen(other))
        return iou_pairs(read(one, both), read(other, both), rule.min_iou)
    back = tuple(-step for step in direction)
    first = read(one, layer(grid.core(one), direction))
    second = read(other, layer(grid.core(other), back))
    return touching_pairs(first, second, direction, rule.connectivity)


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
    own = np.all(label <= counts[block], axis=1)
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
