"""The steps by which blocks come to one id for each object, each for one block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ..engine.worker.trace import Trace
from ..geometry.blocks import Block
from ..geometry.boxes import Box, within
from ..labels.ids import apply_table, final_ids
from ..labels.kept_ids import keep_ids, shared_voxels
from ..storage.fences import while_claimed
from ..volumes.source import Voxels
from ..volumes.step import Target, write_all
from .changed import write_changed
from .fragments import filled_up, is_empty, label_block, most_within
from .grid import LabelGrid
from .pieces import Pieces
from .rule import Rule, Values
from .scratch import Scratch

__all__ = ["PiecesInMemory", "Relabelling", "solve_blocks"]


@dataclass(frozen=True)
class Relabelling:
    """The steps of storing a relabelled volume, each for one block.

    Parameters
    ----------
    fragments
        The volume of labels.
    values
        Those that the rule looks at beside the labels, if any.
    grid
        Its blocks, with the halo in which their labels are compared.
    rule
        When two pieces are one object.
    scratch
        What blocks leave for one another.
    target
        The array that gets the final ids.
    changed
        Where it is written which ids have changed, where those that were there are kept.
    """

    fragments: Voxels
    values: Values | None
    grid: LabelGrid
    rule: Rule
    scratch: Scratch
    target: Target
    changed: str = ""

    def segment(self, block: Block) -> Trace:
        """Label what the block sees, and count the voxels of its pieces."""
        scratch, number = self.scratch, block.number
        pieces = label_block(self.fragments, self.grid, number)
        framed = filled_up(pieces.values, scratch.labels.shape[1:])
        whole = tuple(map(slice, [0] * framed.ndim, framed.shape))
        rows = [scratch.owners.row(number, pieces.owners), scratch.sizes.row(number, pieces.sizes)]
        if pieces.ids is not None:
            rows.append(scratch.ids.row(number, pieces.ids))
        if pieces.within is not None:
            rows.append(scratch.within.row(number, pieces.within))
        left = write_all(
            [(scratch.labels, (slice(number, number + 1), *whole), framed[None]), *rows]
        )
        return left.of_nothing() if self._is_empty(number) else left

    def stitch(self, block: Block) -> Trace:
        """Find what ties the block's pieces to others."""
        if self._is_empty(block.number):
            none = self.scratch.edges.row(block.number, np.zeros(0, np.uint64))
            return write_all([none]).of_nothing()
        labels = _PiecesInScratch(self.grid, self.scratch)
        edges = self.rule.edges(self.grid, block.number, labels, self.values)
        return write_all([self.scratch.edges.row(block.number, edges)])

    def recall(self, block: Block) -> None:
        """Find which ids the block's own voxels had before."""
        core = self.grid.core(block.number)
        pieces = _PiecesInScratch(self.grid, self.scratch).values(block.number, core)
        shared = shared_voxels(pieces, self.target.read(core))
        self.scratch.recalled.write(block.number, shared.ravel())

    def solve(self, block: Block) -> Trace:
        """Give every piece of every block its final id."""
        scratch = self.scratch
        if most_within(self.fragments, self.grid) and not scratch.has_within:
            raise ValueError(
                f"{scratch.path} was begun by a version that kept no edges within blocks, and it "
                "can't be gone on with: pass overwrite=True to begin anew."
            )
        within_blocks = scratch.within if scratch.has_within else ()
        edges = chain(within_blocks, scratch.edges)
        starts, ids = solve_blocks(self.rule, list(scratch.sizes), edges)
        ids = self._kept(starts, ids) if self.changed else ids
        with while_claimed():
            return scratch.write_table(starts, ids)

    def _kept(self, starts: NDArray[np.int64], ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """The ids that objects had before; which have changed is written beside the output."""
        shared = [self._shared(n, ids[starts[n] : starts[n + 1]]) for n in range(self.grid.blocks)]
        final, changed = keep_ids(np.concatenate(shared))
        with while_claimed():
            write_changed(self.changed, changed)
        return final[ids.astype(np.intp)]

    def _shared(self, number: int, ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Which ids the voxels of a block's objects had before, given the ids of its pieces."""
        shared = self.scratch.recalled.read(number).reshape(-1, 3)
        objects = np.concatenate([np.zeros(1, np.uint64), ids])[shared[:, 0].astype(np.intp)]
        return np.column_stack([objects, shared[:, 1:]])

    def relabel(self, block: Block) -> Trace:
        """Write the final ids of the block's own voxels."""
        number, core = block.number, self.grid.core(block.number)
        if self._is_empty(number):
            none = np.zeros([s.stop - s.start for s in core], np.uint64)
            return self.target.write(core, none).of_nothing()
        pieces = _PiecesInScratch(self.grid, self.scratch).values(number, core)
        return self.target.write(core, apply_table(pieces, self.scratch.read_table(number)))

    def _is_empty(self, number: int) -> bool:
        return is_empty(self.fragments, self.grid, number)

    def clean(self, block: Block) -> None:
        """Remove what blocks left for one another."""
        with while_claimed():
            self.scratch.remove()


@dataclass(frozen=True)
class PiecesInMemory:
    """The pieces of some blocks."""

    grid: LabelGrid
    pieces: Mapping[int, Pieces]

    def values(self, block: int, box: Box) -> NDArray[np.uint32]:
        """See `BlockLabels`."""
        return self.pieces[block].values[within(box, self.grid.frame(block))]

    def owners(self, block: int) -> NDArray[np.integer]:
        """See `BlockLabels`."""
        return self.pieces[block].owners

    def ids(self, block: int) -> NDArray[np.uint64] | None:
        """See `BlockLabels`."""
        return self.pieces[block].ids


@dataclass(frozen=True)
class _PiecesInScratch:
    """The pieces that blocks have left in scratch."""

    grid: LabelGrid
    scratch: Scratch

    def values(self, block: int, box: Box) -> NDArray[np.uint32]:
        there = within(box, self.grid.frame(block))
        (values,) = self.scratch.labels.read((slice(block, block + 1), *there))
        return np.asarray(values)

    def owners(self, block: int) -> NDArray[np.integer]:
        return self.scratch.owners.read(block)

    def ids(self, block: int) -> NDArray[np.uint64] | None:
        return self.scratch.ids.read(block) if self.scratch.has_ids else None


def solve_blocks(
    rule: Rule, sizes: Sequence[NDArray[np.integer]], edges: Iterable[NDArray[np.uint64]]
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Final ids of the pieces of all blocks.

    Parameters
    ----------
    rule : Rule
    sizes : sequence of ndarray of int
        For each block, the voxels of its pieces.
    edges : iterable of ndarray of uint64
        What the rule found in each block, and what came with the labels of each.

    Returns
    -------
    starts : ndarray of int64, shape (blocks + 1,)
        Where each block's pieces begin among all.
    ids : ndarray of uint64
        1..n in the order in which blocks first have them; 0 for objects that are too small.
    """
    starts = np.concatenate([[0], np.cumsum([row.size for row in sizes])]).astype(np.int64)
    # Blocks that were skipped as empty have found nothing, whatever a rule's rows are like.
    component = rule.components(starts, (row for row in edges if row.size))
    voxels = np.concatenate([np.empty(0, np.int64), *(s.astype(np.int64) for s in sizes)])
    return starts, final_ids(component, voxels, rule.min_size)
