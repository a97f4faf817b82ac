"""What the blocks of a relabelling leave for one another: pieces, edges, and the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.worker.trace import Trace
from ..geometry.boxes import Box, Index
from ..storage.arrays import StoredArray, create_array, open_array
from ..storage.asked_once import asked_once
from ..storage.documents import list_names
from ..storage.groups import make_group, remove_if_empty
from ..storage.location import is_remote, location_of
from ..storage.removal import remove_in_order
from ..storage.stamps import stamps_of
from ..volumes.known import ledger_of, new_id
from ..volumes.left import left_in_rows
from ..volumes.step import Left, content_of, write_all
from .grid import LabelGrid

# Numbers that are stored together, of rows that may have many: so that few files are written, and
# little is read to learn how long rows are.
_LEAST_CHUNK, _MOST_CHUNK, _CHUNKS_A_ROW = 1 << 9, 1 << 17, 32
# It is read but once or twice, and removed.
_FAST: dict[str, Any] = {"compressor": "lz4", "separator": "."}
_HEADS_AT_ONCE = 1 << 21
_TABLE_CHUNK = 1 << 16
_LABEL_CHUNK = 64
_LABELS, _TABLE = ("labels", "owners", "sizes", "ids", "within"), ("starts", "table")


@dataclass(frozen=True)
class RaggedRows:
    """Rows of numbers of different length, each written at once by one block.

    Parameters
    ----------
    array
        Shape ``(rows, capacity)``, uint64; a row's first entry is its length and 1, or 0 before the
        row is written.
    """

    array: StoredArray

    def row(self, row: int, values: NDArray[np.integer]) -> tuple[StoredArray, Box, NDArray[Any]]:
        """What is to be written for a row: only as much of its capacity as it fills."""
        filled = np.zeros(_whole(values.size + 1, self._chunk), np.uint64)
        filled[0] = values.size + 1
        filled[1 : values.size + 1] = values
        return self.array, (slice(row, row + 1), slice(0, filled.size)), filled[None]

    def write(self, row: int, values: NDArray[np.integer]) -> Trace:
        """Write a row."""
        return write_all([self.row(row, values)])

    def read(self, row: int) -> NDArray[np.uint64]:
        """Read one row."""
        head = self._heads(row, row + 1)[0]
        return self._whole(row, head)

    def __iter__(self) -> Iterator[NDArray[np.uint64]]:
        for begin, heads in self._every_head():
            for row, head in enumerate(heads, begin):
                yield self._whole(row, head)

    def lengths(self) -> NDArray[np.int64]:
        """The length of each row, -1 where none is written."""
        heads = [heads[:, 0] for _, heads in self._every_head()]
        return np.concatenate(heads).astype(np.int64) - 1

    @property
    def _chunk(self) -> int:
        return self.array.chunks[1]

    def _every_head(self) -> Iterator[tuple[int, NDArray[np.uint64]]]:
        rows, step = self.array.shape[0], max(1, _HEADS_AT_ONCE // self._chunk)
        for begin in range(0, rows, step):
            yield begin, self._heads(begin, min(rows, begin + step))

    def _heads(self, begin: int, end: int) -> NDArray[np.uint64]:
        return self.array.read((slice(begin, end), slice(0, self._chunk)))

    def _whole(self, row: int, head: NDArray[np.uint64]) -> NDArray[np.uint64]:
        end = max(1, int(head[0]))
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
    kept
        Where the blocks' labels lie, if an earlier relabelling has kept them.
    """

    path: str
    kept: str | None = None

    @asked_once()
    def create_labels(self, grid: LabelGrid, attributes: Mapping[str, Any]) -> None:
        """Make the arrays that hold the labels of a grid's blocks, in place of what is there."""
        chunks, shard = _label_chunks(grid.frame_shape)
        self._remove(_LABELS)
        self._create(
            "labels",
            (grid.blocks, *shard),
            np.uint32,
            chunks=(1, *chunks),
            shards=(1, *shard),
            attributes={**asdict(grid), **attributes, **new_id()},
        )
        for name in ("owners", "sizes", *(("ids",) * bool(attributes.get("ids")))):
            self._create_rows(name, grid.blocks, prod(grid.block_shape))
        if most := attributes.get("within"):
            self._create_rows("within", grid.blocks, most)

    def create_edges(self, blocks: int, most: int) -> None:
        """Make the array that holds at most so many numbers of each block's edges."""
        self._remove(["edges"])
        self._create_rows("edges", blocks, most)

    def create_recalled(self, blocks: int, most: int) -> None:
        """Make the array that holds which ids the voxels of each block had before."""
        self._remove(["recalled"])
        self._create_rows("recalled", blocks, most)

    def remove(self) -> None:
        """Remove all arrays but kept ones, and the folder unless something else is in it."""
        location = location_of(self.path)
        kept = self.kept is not None and location_of(self.kept) == location
        self._remove((*(() if kept else _LABELS), "edges", "recalled", *_TABLE))
        remove_if_empty(location)
        with suppress(OSError):
            Path(location).rmdir()

    @property
    def is_there(self) -> bool:
        """Whether anything of it is left."""
        location = location_of(self.path)
        return bool(list_names(location)) if is_remote(location) else Path(location).is_dir()

    @property
    def solved(self) -> str:
        """Where it is marked that all pieces have their ids."""
        return f"{self.path}/edges/solved"

    @cached_property
    def labels(self) -> StoredArray:
        """Pieces of each block's labels, shape ``(blocks, ...)``, uint32."""
        return self._open("labels", self.kept)

    @cached_property
    def owners(self) -> RaggedRows:
        """For each block, the label of each of its pieces."""
        return RaggedRows(self._open("owners", self.kept))

    @cached_property
    def sizes(self) -> RaggedRows:
        """For each block, the voxels of each of its pieces."""
        return RaggedRows(self._open("sizes", self.kept))

    @property
    def has_ids(self) -> bool:
        """Whether blocks have left the ids that their pieces came with."""
        return bool(self.labels.attributes.get("ids"))

    @cached_property
    def ids(self) -> RaggedRows:
        """For each block, the id that each of its pieces came with."""
        return RaggedRows(self._open("ids", self.kept))

    @property
    def has_within(self) -> bool:
        """Whether blocks have left what they found between their own pieces."""
        return bool(self.labels.attributes.get("within"))

    @cached_property
    def within(self) -> RaggedRows:
        """For each block, what was found between its own pieces as it was labelled."""
        return RaggedRows(self._open("within", self.kept))

    @cached_property
    def edges(self) -> RaggedRows:
        """For each block, what its rule found."""
        return RaggedRows(self._open("edges"))

    @cached_property
    def recalled(self) -> RaggedRows:
        """For each block, which voxels of its pieces had which ids before."""
        return RaggedRows(self._open("recalled"))

    @cached_property
    def starts(self) -> StoredArray:
        """Where each block's pieces begin in the table, shape ``(blocks + 1,)``."""
        return self._open("starts")

    @cached_property
    def table(self) -> StoredArray:
        """The id of each piece of each block."""
        return self._open("table")

    @asked_once()
    def write_table(self, starts: NDArray[np.int64], ids: NDArray[np.uint64]) -> Trace:
        """Write each piece's id, and where each block's begin."""
        self._remove(_TABLE)
        rows = ("starts", starts.astype(np.uint64)), ("table", ids)
        created = [(self._create_table(name, values.size), values) for name, values in rows]
        return write_all((a, (slice(0, v.size),), v) for a, v in created if v.size)

    def left(self, *names: str) -> Left:
        """What lies of each block in arrays that have a row for each, such as "labels"."""
        return left_in_rows([self._open(name) for name in names])

    def left_of_labels(self) -> Left:
        """What lies of the labels of each block."""
        more = ("ids",) * self.has_ids + ("within",) * self.has_within
        return self.left("labels", "owners", "sizes", *more)

    def left_of_table(self) -> Left:
        """What lies of the table, which one block wrote."""
        try:
            arrays = [self._open(name) for name in ("starts", "table")]
        except FileNotFoundError:
            return Left(np.zeros(1, np.uint64), np.zeros(1, np.uint64))
        stamps = [stamps_of(array).values for array in arrays]
        files = sum(np.count_nonzero(values) for values in stamps)
        total = sum(int(values.sum(dtype=np.uint64)) for values in stamps) % 2**64
        return Left(np.array([files], np.uint64), np.array([total], np.uint64))

    def hashes_of_table(self, blocks: NDArray[np.int64]) -> NDArray[np.uint64]:
        """A hash of each block's part of the table."""
        first, stop = int(blocks.min()), int(blocks.max()) + 2
        starts = self.starts.read((slice(first, stop),)).astype(np.int64)
        begin, end = int(starts[0]), int(starts[-1])
        table = self.table.read((slice(begin, end),)) if end > begin else np.zeros(0, np.uint64)
        spans = ((starts[n - first] - begin, starts[n - first + 1] - begin) for n in blocks)
        return np.fromiter((content_of(table[b:e]) for b, e in spans), np.uint64, len(blocks))

    def read_table(self, block: int) -> NDArray[np.uint64]:
        """The ids of a block's pieces, with that of the background before them."""
        begin, end = self.starts.read((slice(block, block + 2),)).tolist()
        ids = np.zeros(end - begin + 1, np.uint64)
        if end > begin:
            ids[1:] = self.table.read((slice(begin, end),))
        return ids

    def _create_table(self, name: str, size: int) -> StoredArray:
        return self._create(name, (max(1, size),), np.uint64, chunks=(_TABLE_CHUNK,))

    def _create_rows(self, name: str, rows: int, capacity: int) -> None:
        chunk = min(_MOST_CHUNK, max(_LEAST_CHUNK, capacity // _CHUNKS_A_ROW))
        shape = rows, _whole(capacity + 1, chunk)
        settings = {"chunks": (1, chunk), "attributes": new_id()}
        self._create(name, shape, np.uint64, **settings)

    def _create(self, name: str, shape: Index, dtype: Any, **settings: Any) -> StoredArray:
        # Of zarr 3 in containers of zarr 2 too: it is read here alone, and has shards.
        make_group(location_of(self.path), 3)
        return create_array(f"{self.path}/{name}", shape, dtype, **_FAST, **settings)

    def _remove(self, names: Sequence[str]) -> None:
        """Remove arrays, and what is left of those whose removal was broken off.

        Marks go first: no run takes an array of which a part is gone for one that is done.
        """
        arrays = [location_of(f"{self.path}/{name}") for name in names]
        solved = [location_of(self.solved)] if "edges" in names else []
        for part in (*map(ledger_of, arrays), *solved, *arrays):
            if is_remote(part) or Path(part).is_dir():
                remove_in_order(part)

    def _open(self, name: str, path: str | None = None) -> StoredArray:
        return open_array(f"{path or self.path}/{name}", writable=True)


def _whole(entries: int, chunk: int) -> int:
    """So many entries and more as fill whole chunks."""
    return -(-entries // chunk) * chunk


def _label_chunks(shape: Index) -> tuple[Index, Index]:
    """Chunks near 64 that divide a shard, and the shard: the shape, grown where they don't."""
    parts = [-(-size // _LABEL_CHUNK) for size in shape]
    chunks = tuple(-(-size // n) for size, n in zip(shape, parts, strict=True))
    return chunks, tuple(c * n for c, n in zip(chunks, parts, strict=True))
