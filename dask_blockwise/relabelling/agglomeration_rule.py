"""The rule by which fragments become objects by the affinities between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index, bounded_growth, within
from .contacts import count_contacts, sum_contacts
from .grid import LabelGrid
from .partition import Method, partition
from .rule import BlockLabels, Values, labels_around, positions

__all__ = ["AgglomerationRule", "dense_rows"]

_MOST_FRAGMENTS = 1 << 32


@dataclass(frozen=True)
class AgglomerationRule:
    """How fragments become objects by the affinities between them.

    Parameters
    ----------
    method
        See `dask_blockwise.relabelling.partition.partition`.
    offsets
        One step an axis of space, for each channel of the affinities.
    thresholds
        Affinities above it hold together, for each channel.
    min_size
        Objects of fewer voxels become background.
    clip
        Whether affinities beyond [0, 1] count as 0 or 1, and NaN as 0; else they are refused.
    """

    method: Method
    offsets: tuple[Index, ...]
    thresholds: tuple[float, ...]
    min_size: int
    clip: bool = False

    def reach(self, grid: LabelGrid) -> Index:
        """See `Rule.reach`."""
        steps = (max(map(abs, axis)) for axis in zip(*self._steps(grid), strict=True))
        return tuple(steps)

    def most(self, grid: LabelGrid) -> int:
        """See `Rule.most`."""
        return 6 * len(self.offsets) * prod(grid.block_shape)

    def edges(
        self, grid: LabelGrid, one: int, labels: BlockLabels, values: Values | None
    ) -> NDArray[np.uint64]:
        """What `dask_blockwise.relabelling.contacts.count_contacts` finds in a block, flattened."""
        if values is None:
            raise TypeError("An agglomeration needs affinities.")
        core = grid.core(one)
        box = bounded_growth(core, self.reach(grid), grid.shape)
        numbers, keys = labels_around(grid, box, labels)
        return count_contacts(
            keys[numbers],
            values(core),
            self._steps(grid),
            self.thresholds,
            within(core, box),
            self.clip,
        ).ravel()

    def components(
        self, starts: NDArray[np.int64], rows: Iterable[NDArray[np.uint64]]
    ) -> NDArray[np.int64]:
        """See `Rule.components`."""
        fragments = int(starts[-1])
        if fragments > _MOST_FRAGMENTS:
            raise ValueError(
                f"At most 2^32 fragments are agglomerated, got {fragments}: make larger ones, or "
                "join them by relabel, which takes any number."
            )
        dense = (dense_rows(row.reshape(-1, 6), starts) for row in rows)
        return partition(fragments, sum_contacts(dense), self.method)

    def _steps(self, grid: LabelGrid) -> list[Index]:
        """The offsets along all axes of the grid, of which the first may be time."""
        time = (0,) * (len(grid.shape) - len(self.offsets[0]))
        return [(*time, *offset) for offset in self.offsets]


def dense_rows(rows: NDArray[np.uint64], starts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Rows with positions among all fragments instead of block and piece."""
    dense = positions(rows[:, :2], starts).astype(np.uint64)
    return np.concatenate([dense, rows[:, 2:]], axis=1)
