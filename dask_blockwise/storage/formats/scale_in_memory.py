"""A scale of precomputed data with chunks in memory, where TensorStore decodes and encodes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorstore as ts

from .by_tensorstore import TensorStoreArray

__all__ = ["ScaleInMemory", "turned_to_c"]

_KEY = "chunks"


def turned_to_c(array: Any) -> Any:
    """TensorStore's x, y, z, c as c, z, y, x from 0 on, without c where there is one channel."""
    array = array.T[ts.d[:].translate_to[0]]
    return array[0] if array.shape[0] == 1 else array


@dataclass(frozen=True)
class ScaleInMemory:
    """One scale, not sharded, in a memory of its own."""

    array: TensorStoreArray
    store: Any
    # As errors name it.
    folder = f"{_KEY}/"

    @classmethod
    def of(
        cls, info: Mapping[str, Any], chunks: Mapping[str, bytes], fills: bool = True
    ) -> ScaleInMemory:
        """Open what has these chunks.

        Parameters
        ----------
        info : mapping
            Of this scale alone.
        chunks : mapping
            By name, as they are encoded.
        fills : bool
            Whether others are read as zeros.
        """
        context = ts.Context({"memory_key_value_store": {}})
        scale = {name: part for name, part in info["scales"][0].items() if name != "sharding"}
        documents = {"info": json.dumps({**info, "scales": [{**scale, "key": _KEY}]}).encode()}
        documents |= {f"{_KEY}/{name}": chunk for name, chunk in chunks.items()}
        store = ts.KvStore.open({"driver": "memory"}, context=context).result()
        for name, document in documents.items():
            store.write(name, document).result()
        spec = {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "memory"},
            "fill_missing_data_reads": fills,
            "store_data_equal_to_fill_value": True,
        }
        array = ts.open(spec, open=True, context=context).result()
        return cls(TensorStoreArray(turned_to_c(array), in_memory=True), store)

    def chunk(self, name: str) -> bytes:
        """One that was written, as it is encoded."""
        return bytes(self.store.read(f"{_KEY}/{name}").result().value)
