"""An open array with its axes in another order, such as channels that are stored last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index
from .formats import Layout, OpenArray

__all__ = ["TurnedArray"]


@dataclass(frozen=True)
class TurnedArray:
    """An open array whose axes are taken in another order; it is only read.

    Examples
    --------
    >>> from dask_blockwise.storage.formats.single_file import FileArray
    >>> array = TurnedArray(FileArray.of(np.zeros((4, 5, 2)), ("z", "y", "x")), (2, 0, 1))
    >>> array.layout.shape, array.read((slice(0, 1), slice(1, 3), slice(0, 5))).shape
    ((2, 4, 5), (1, 2, 5))
    """

    array: OpenArray
    # Which of its axes come first, second, and so on.
    order: Index

    @property
    def layout(self) -> Layout:
        """Shape, dtype, chunks and shards."""
        own = self.array.layout
        shape, chunks = self._turned(own.shape), self._turned(own.chunks)
        return Layout(shape, own.dtype, chunks, own.shards and self._turned(own.shards))

    @property
    def fill_value(self) -> Any:
        """What is read where nothing is stored."""
        return getattr(self.array, "fill_value", 0)

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region."""
        stored = tuple(region[self.order.index(n)] for n in range(len(region)))
        return np.ascontiguousarray(self.array.read(stored).transpose(self.order))

    def _turned(self, values: Index) -> Index:
        return tuple(values[n] for n in self.order)
