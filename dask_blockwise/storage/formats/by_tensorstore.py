"""Arrays as TensorStore opens them: what formats that it knows have in common.

It keeps one cache of decoded chunks in each process, so that neighbouring blocks that share a halo
decode a chunk once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorstore as ts
from numpy.typing import NDArray

from ...geometry.boxes import Box, Index
from ..documents import cache_context
from ..location import kvstore_spec
from .protocol import Layout

__all__ = ["TensorStoreArray", "layout_of_pieces", "open_tensorstore"]


@dataclass(frozen=True)
class TensorStoreArray:
    """An array of TensorStore, with axes in C order."""

    array: Any

    @property
    def layout(self) -> Layout:
        """Shape, dtype, chunks and shards."""
        pieces = self.array.chunk_layout
        chunks, unit = pieces.read_chunk.shape, pieces.write_chunk.shape
        return layout_of_pieces(self.array.shape, self.array.dtype.numpy_dtype, chunks, unit)

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region."""
        part = self.array[region]
        try:
            return np.ascontiguousarray(part.read().result())
        except ValueError as error:
            raise OSError(str(error)) from error

    def write(self, region: Box, values: NDArray[Any]) -> None:
        """Write a region of whole shards or chunks."""
        self.array[region].write(values).result()


def open_tensorstore(driver: str, location: str, rechecks: bool, **options: Any) -> Any:
    """An array as TensorStore has it, its axes as they are stored.

    Parameters
    ----------
    driver : str
        TensorStore's name of the format.
    location : str
    rechecks : bool
        Whether every read asks the store if what is cached still holds.
    **options
        Of the driver.
    """
    spec = {
        "driver": driver,
        "kvstore": kvstore_spec(location),
        "recheck_cached_metadata": "open",
        "recheck_cached_data": True if rechecks else "open",
        **options,
    }
    return ts.open(spec, open=True, context=cache_context()).result()


def layout_of_pieces(
    shape: Sequence[int], dtype: Any, chunks: Sequence[int], unit: Sequence[int]
) -> Layout:
    """A layout of what is read and what is written at once, which are shards where they differ."""
    chunks, unit = _at_least_one(chunks), _at_least_one(unit)
    shards = unit if unit != chunks else None
    return Layout(tuple(map(int, shape)), np.dtype(dtype), chunks, shards)


def _at_least_one(sizes: Sequence[Any]) -> Index:
    return tuple(int(n) or 1 for n in sizes)
