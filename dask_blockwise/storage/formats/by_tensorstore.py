"""Arrays as TensorStore opens them: what formats that it knows have in common.

It keeps one cache of decoded chunks in each process, so that neighbouring blocks that share a halo
decode a chunk once. What no other block is likely to read passes it by.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
import tensorstore as ts
from numpy.typing import NDArray

from ...geometry.boxes import Box, Index
from ..checked import MEND, in_plain_words
from ..documents import cache_context, store_error
from ..local_disks import writes_in_order
from ..location import kvstore_spec
from .protocol import CorruptChunk, Layout
from .read_once import ReadOnce

__all__ = ["TensorStoreArray", "layout_of_pieces", "open_tensorstore", "read_error"]

# How TensorStore begins what it says of chunks that it can't decode.
_DAMAGED = ("FAILED_PRECONDITION", "DATA_LOSS", "INVALID_ARGUMENT")
# How it begins what it says of stores that fail or deny.
_OF_THE_STORE = ("ABORTED", "DEADLINE", "INTERNAL", "PERMISSION", "UNAUTH", "UNAVAIL", "UNKNOWN")
# What it says of web servers, whatever it begins with.
_NO_PARTS, _ANSWER = "was ignored by server", "[HTTP code"


@dataclass(frozen=True)
class TensorStoreArray:
    """An array of TensorStore, with axes in C order."""

    array: Any
    # Whether its store is memory of this process, which no cache is for.
    in_memory: bool = False

    @cached_property
    def layout(self) -> Layout:
        """Shape, dtype, chunks and shards."""
        pieces = self.array.chunk_layout
        chunks, unit = pieces.read_chunk.shape, pieces.write_chunk.shape
        return layout_of_pieces(self.array.shape, self.array.dtype.numpy_dtype, chunks, unit)

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region."""
        once = not self.in_memory and self._read_once.is_likely(region)
        array = self._uncached if once else self.array
        try:
            return np.ascontiguousarray(array[region].read().result())
        except ValueError as error:
            raise read_error(error) from error

    @cached_property
    def _read_once(self) -> ReadOnce:
        return ReadOnce(self.layout)

    @cached_property
    def _uncached(self) -> Any:
        """The same array, of which nothing is kept; its metadata isn't read again."""
        context = ts.Context({"cache_pool": {"total_bytes_limit": 0}}, cache_context())
        spec = self.array.spec()
        return ts.open(spec, open=True, assume_metadata=True, context=context).result()

    @property
    def fill_value(self) -> Any:
        """What is read where nothing is stored."""
        value = self.array.fill_value
        return 0 if value is None else value

    def write(self, region: Box, values: NDArray[Any]) -> None:
        """Write a region of whole shards or chunks."""
        self.array[region].write(values).result()


def read_error(error: Exception) -> OSError:
    """What TensorStore says of what it reads, and how to go on."""
    said = in_plain_words(str(error))
    if said.endswith("is missing"):
        return OSError(f"{said}. Store it, or open with on_missing='fill' to read it as fill value")
    if _NO_PARTS in said:
        return OSError(f"{said}. It doesn't give parts of files: copy the array to a disk")
    if str(error).startswith(_DAMAGED) and _ANSWER not in said:
        return CorruptChunk(said)
    return OSError(str(error) if _ANSWER not in said else said)


def open_tensorstore(
    driver: str,
    location: str,
    rechecks: bool,
    *,
    fills: bool = True,
    instead: tuple[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> Any:
    """An array as TensorStore has it, its axes as they are stored.

    Parameters
    ----------
    driver : str
        TensorStore's name of the format.
    location : str
    rechecks : bool
        Whether every read asks the store if what is cached still holds.
    fills : bool
        Whether chunks that aren't there are read as fill value.
    instead : (str, mapping), optional
        A document of the store, and what is read in its place.
    **options
        Of the driver.

    Raises
    ------
    FileNotFoundError
        If there is no array.
    ValueError
        If it can't be opened.
    """
    context = cache_context()
    store = kvstore_spec(location)
    if writes_in_order(location):
        store["file_io_sync"] = False
    spec = {
        "driver": driver,
        "kvstore": _layered(store, *instead, context) if instead else store,
        "fill_missing_data_reads": fills,
        "recheck_cached_metadata": "open",
        "recheck_cached_data": True if rechecks else "open",
        **options,
    }
    try:
        return ts.open(spec, open=True, context=context).result()
    except ValueError as error:
        if str(error).startswith("NOT_FOUND"):
            raise FileNotFoundError(f"There is no array at {location}.") from error
        if _ANSWER in str(error) or str(error).startswith(_OF_THE_STORE):
            raise store_error(location, "read", error) from error
        raise ValueError(f"{in_plain_words(str(error))}. {MEND}") from error


def _layered(
    store: Mapping[str, Any], name: str, document: Mapping[str, Any], context: Any
) -> dict[str, Any]:
    """A store with one document in place of its own, which is kept in memory."""
    text = json.dumps(document).encode()
    digest = blake2b(text + json.dumps(store).encode(), digest_size=16).hexdigest()
    kept = {"driver": "memory", "path": f"{digest}/{name}"}
    ts.KvStore.open(kept, context=context).result().write("", text).result()
    return {"driver": "kvstack", "layers": [{"base": store}, {"base": kept, "exact": name}]}


def layout_of_pieces(
    shape: Sequence[int], dtype: Any, chunks: Sequence[int] | None, unit: Sequence[int] | None
) -> Layout:
    """A layout of what is read and what is written at once, which are shards where they differ."""
    chunks, unit = _at_least_one(chunks), _at_least_one(unit)
    shards = unit if unit != chunks else None
    return Layout(tuple(map(int, shape)), np.dtype(dtype), chunks, shards)


def _at_least_one(sizes: Sequence[Any] | None) -> Index:
    # A single number has none.
    return tuple(int(n) or 1 for n in sizes or ())
