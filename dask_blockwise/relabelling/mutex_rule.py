"""The rule by which fragments of a mutex watershed become the objects of the whole volume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index, bounded_growth, within
from ..labels.ids import BACKGROUND, by_first_appearance
from ..segmentation.mutex import MutexEdges
from .grid import LabelGrid
from .mutex_graph import AT_ONCE, strongest_first
from .mutex_row import Found, edges_from, most_numbers
from .rule import BlockLabels, Values, labels_around, positions

__all__ = ["MutexRule"]

_MOST_FRAGMENTS = (1 << 32) - 2
# 35 to 40 were measured, of affinities of a network, sharp, blurred and noisy; and what edges take
# that are put in order, of which there are so many at once.
_BYTES_A_VOXEL, _BYTES_AT_ONCE = 42, 60


@dataclass(frozen=True)
class MutexRule:
    """The mutex watershed of the whole volume, of what blocks could not decide by themselves.

    Of each pair of fragments the strongest edge alone counts: once it has joined them or kept them
    apart, all others come too late. So the objects are those of the volume in one piece.

    Parameters
    ----------
    between
        How affinities are edges.
    min_size
        Objects of fewer voxels become background.
    drop_weak
        Whether objects become background whose mean affinity over all offsets is under the bias.
    """

    between: MutexEdges
    min_size: int = 0
    drop_weak: bool = True

    def reach(self, grid: LabelGrid) -> Index:
        """See `Rule.reach`."""
        return self._along(grid).reach

    def most(self, grid: LabelGrid) -> int:
        """See `Rule.most`."""
        rule, block = self._along(grid), grid.block_shape
        # Blocks around one, and voxels from which edges leave it.
        around = prod(3 + 2 * (n // size) for n, size in zip(rule.reach, block, strict=True))
        edges = sum(prod(block) - prod(_stay(block, offset)) for offset in rule.offsets)
        return most_numbers(len(block), around, edges)

    def memory(self, grid: LabelGrid) -> int:
        """See `Weighed.memory`: as measured where all voxels are foreground, and a little more."""
        voxels = prod(grid.shape)
        return _BYTES_A_VOXEL * voxels + _BYTES_AT_ONCE * min(voxels, AT_ONCE)

    def edges(
        self, grid: LabelGrid, one: int, labels: BlockLabels, values: Values | None
    ) -> NDArray[np.uint64]:
        """The strongest edge of each pair of fragments of which one is another block's.

        Those of the block itself came with its fragments; see `within_block`.
        """
        if values is None:
            raise TypeError("A mutex watershed needs affinities.")
        core, rule = grid.core(one), self._along(grid)
        box = bounded_growth(core, rule.reach, grid.shape)
        numbers, keys = labels_around(grid, box, labels)
        begin = tuple(s.start for s in box)
        every = rule.leaving(values(core), within(core, box), numbers.shape, begin)
        # Here, as numba takes long to import.
        from ..segmentation.edge_order import in_order

        # Background is of no node.
        found = in_order(every, numbers.view(np.int32) - np.int32(1)).firsts()
        edges, sums = edges_from(found, within(core, box)), np.empty(0, np.int64)
        return Found(core, grid.shape, keys[1:], *edges, sums).row()

    def components(
        self, starts: NDArray[np.int64], rows: Iterable[NDArray[np.uint64]]
    ) -> NDArray[np.int64]:
        """See `Rule.components`."""
        fragments = int(starts[-1])
        if fragments > _MOST_FRAGMENTS:
            raise ValueError(
                f"At most 2^32 fragments are solved at once, got {fragments}: relabel with "
                'match="fraction", which takes any number.'
            )
        from ..segmentation.contraction import Contraction

        over_bias = np.zeros(fragments, np.int64)
        blocks: list[Found] = []
        for found in map(Found.of, rows):
            table = positions(found.keys, starts)
            over_bias[table[: found.sums.size]] = found.sums
            blocks.extend(found.among_all(table).ascending())
        contraction = Contraction(fragments, fragments)
        for edges in strongest_first(blocks):
            contraction.take(*edges)
        objects = by_first_appearance(contraction.clusters())
        if not self.drop_weak:
            return objects
        strong = np.bincount(objects, weights=over_bias, minlength=1) >= 0
        return np.where(strong[objects], objects, BACKGROUND)

    def _along(self, grid: LabelGrid) -> MutexEdges:
        """The edges along all axes of the grid, of which the first may be time."""
        timed = len(grid.shape) > len(self.between.offsets[0])
        return self.between.at_each_time() if timed else self.between


def _stay(block: Index, offset: Index) -> Iterator[int]:
    """Of how many voxels along each axis a step from there ends in the block."""
    return (max(0, size - abs(step)) for size, step in zip(block, offset, strict=True))
