"""Shards of precomputed data: read by TensorStore, and written whole.

TensorStore leaves out chunks of zeros within a shard, of which cloud-volume then says that they are
missing. So chunks are encoded in memory and put into the shard one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import tensorstore as ts
from numpy.typing import NDArray

from ...geometry.boxes import Box
from ...geometry.morton import codes_of
from ..documents import remove_documents
from ..location import kvstore_spec
from .by_tensorstore import TensorStoreArray
from .precomputed_names import chunk_name
from .precomputed_units import grid_of, shard_names
from .protocol import Layout
from .scale_in_memory import ScaleInMemory

__all__ = ["ShardedChunks"]

# As TensorStore says that a shard can't be decoded.
_DAMAGED = ("FAILED_PRECONDITION", "DATA_LOSS")


@dataclass(frozen=True)
class ShardedChunks:
    """A scale whose chunks lie in shards."""

    # As TensorStore reads it.
    stored: TensorStoreArray
    # Where its shards lie.
    folder: str
    # The info of this scale alone.
    info: Mapping[str, Any]

    @property
    def layout(self) -> Layout:
        """Shape, dtype, chunks and shards."""
        return self.stored.layout

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region."""
        return self.stored.read(region)

    def write(self, region: Box, values: NDArray[Any]) -> None:
        """Write a region of whole shards, each of them once."""
        encoding = ScaleInMemory.of(self.info, {})
        encoding.array.write(region, values)
        scale = self.info["scales"][0]
        axes = zip(region[-1:-4:-1], scale["chunk_sizes"][0], strict=True)
        touched = [range(part.start // chunk, -(-part.stop // chunk)) for part, chunk in axes]
        places = list(product(*touched))
        codes = codes_of(np.array(places, np.int64), grid_of(scale))
        names = [chunk_name(scale, place) for place in places]
        chunks = dict(zip(codes.tolist(), map(encoding.chunk, names), strict=True))
        try:
            self._put(chunks)
        except ValueError as error:
            if not str(error).startswith(_DAMAGED):
                raise
            # What is there is read before it is replaced, and can't be.
            remove_documents(self.folder, shard_names(scale, codes))
            self._put(chunks)

    def _put(self, chunks: Mapping[int, bytes]) -> None:
        """Write chunks, by their codes, into the shards."""
        shards = ts.KvStore.open(
            {
                "driver": "neuroglancer_uint64_sharded",
                "metadata": self.info["scales"][0]["sharding"],
                "base": kvstore_spec(self.folder),
            }
        ).result()
        together = ts.Transaction()
        for code, chunk in chunks.items():
            shards.with_transaction(together)[code.to_bytes(8, "big")] = chunk
        together.commit_async().result()
