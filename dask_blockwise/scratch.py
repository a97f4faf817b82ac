"""What the blocks of a relabelling leave for one another: labels, sizes, edges, and the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .label_grid import LabelGrid
from .store import StoredArray, create_array, open_array, remove

Index = tuple[int, ...]

_ROW_CHUNK = 512
_ROWS_AT_ONCE = 4096
_TABLE_CHUNK = 1 << 16
_LABEL_CHUNK = 64


@dataclass(frozen=True)
class RaggedRows:
    """Rows of numbers of different length, each written at once by one block.

    Parameters
    ----------
    array
        Shape ``(rows, capacity)``, uint64; a row's first entry is its length.
    """

    array: StoredArray

    def write(self, row: int, values: NDArray[np.integer]) -> None:
        """Write a row; only as much of its capacity as it fills is stored."""
        filled = np.zeros(_whole_chunks(values.size + 1), np.uint64)
        filled[0] = values.size
        filled[1 : values.size + 1] = values
        self.array.write((slice(row, row + 1), slice(0, filled.size)), filled[None])

    def read(self, row: int) -> NDArray[np.uint64]:
        """Read one row."""
        head = self._heads(row, row + 1)[0]
        return self._whole(row, head)

    def __iter__(self) -> Iterator[NDArray[np.uint64]]:
        rows = self.array.shape[0]
        for begin in range(0, rows, _ROWS_AT_ONCE):
            heads = self._heads(begin, min(rows, begin + _ROWS_AT_ONCE))
            for row, head in enumerate(heads, begin):
                yield self._whole(row, head)

    def _heads(self, begin: int, end: int) -> NDArray[np.uint64]:
        return self.array.read((slice(begin, end), slice(0, _ROW_CHUNK)))

    def _whole(self, row: int, head: NDArray[np.uint64]) -> NDArray[np.uint64]:
        end = int(head[0]) + 1
        if end > head.size:
            head = self.array.read((slice(row, row + 1), slice(0, end)))[0]
        return head[1:end].copy()


@dataclass(frozen=True)
class Scratch:
    """The arrays beside an output, while its labels are stitched.

    Parameters
    ----------
    path
        Where they lie: a group, local or a URL.
    """

    path: str

    def create_labels(self, grid: LabelGrid) -> None:
        """Make the arrays of what blocks find by themselves; what is there is thrown away."""
        chunks, shard = _label_chunks(grid.frame_shape)
        create_array(
            f"{self.path}/labels",
            (grid.blocks, *shard),
            np.uint32,
            chunks=(1, *chunks),
            shards=(1, *shard),
            attributes={"halo": grid.halo},
            overwrite=True,
        )
        self._create_rows("sizes", grid.blocks, prod(grid.frame_shape))

    def create_edges(self, grid: LabelGrid) -> None:
        """Make the array of what blocks find with their neighbours, in the same way."""
        self._create_rows("edges", grid.blocks, 2 * grid.most_pairs)

    def _create_rows(self, name: str, rows: int, capacity: int) -> None:
        shape, chunks = (rows, _whole_chunks(capacity + 1)), (1, _ROW_CHUNK)
        create_array(f"{self.path}/{name}", shape, np.uint64, chunks=chunks, overwrite=True)

    def remove(self) -> None:
        """Remove all arrays, and the folder unless something else is in it."""
        for name in "labels", "sizes", "edges", "starts", "table":
            remove(f"{self.path}/{name}")
        with suppress(OSError):
            Path(self.path).rmdir()

    @cached_property
    def labels(self) -> StoredArray:
        """Labels of each block, shape ``(blocks, ...)``, uint32."""
        return self._open("labels")

    @cached_property
    def sizes(self) -> RaggedRows:
        """For each block, the voxels of each of its labels."""
        return RaggedRows(self._open("sizes"))

    @cached_property
    def edges(self) -> RaggedRows:
        """For each block, pairs of labels that are one object: block << 32 | label, flattened."""
        return RaggedRows(self._open("edges"))

    @cached_property
    def starts(self) -> StoredArray:
        """Where each block's labels begin in the table, shape ``(blocks + 1,)``."""
        return self._open("starts")

    @cached_property
    def table(self) -> StoredArray:
        """The id of each label of each block."""
        return self._open("table")

    def write_table(self, starts: NDArray[np.int64], ids: NDArray[np.uint64]) -> None:
        """Write each label's id, and where each block's labels begin."""
        for name, values in ("starts", starts.astype(np.uint64)), ("table", ids):
            array = create_array(
                f"{self.path}/{name}",
                (max(1, values.size),),
                np.uint64,
                chunks=(_TABLE_CHUNK,),
                overwrite=True,
            )
            if values.size:
                array.write((slice(0, values.size),), values)

    def read_table(self, block: int) -> NDArray[np.uint64]:
        """The ids of a block's labels, with that of the background before them."""
        begin, end = self.starts.read((slice(block, block + 2),)).tolist()
        ids = np.zeros(end - begin + 1, np.uint64)
        if end > begin:
            ids[1:] = self.table.read((slice(begin, end),))
        return ids

    def _open(self, name: str) -> StoredArray:
        return open_array(f"{self.path}/{name}", writable=True).uncached()


def _whole_chunks(entries: int) -> int:
    return -(-entries // _ROW_CHUNK) * _ROW_CHUNK


def _label_chunks(shape: Index) -> tuple[Index, Index]:
    """Chunks near 64 that divide a shard, and the shard: the shape, grown where they don't."""
    parts = [-(-size // _LABEL_CHUNK) for size in shape]
    chunks = tuple(-(-size // n) for size, n in zip(shape, parts, strict=True))
    return chunks, tuple(c * n for c, n in zip(chunks, parts, strict=True))
