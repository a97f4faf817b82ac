"""The one door to zarr and TensorStore: their documents, their arrays, and their errors.

TensorStore reads and writes, with one cache of decoded chunks in each process, so that neighbouring
blocks that share a halo decode a chunk once. zarr-python words the metadata of new arrays, and
reads what TensorStore can't decode.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import tensorstore as ts
import zarr
from numcodecs import Zstd
from zarr.codecs import ZstdCodec
from zarr.storage import MemoryStore

from .documents import cache_context, read_json
from .location import is_remote, kvstore_spec
from .metadata import n5_attributes, precomputed_attributes

__all__ = [
    "FORMATS",
    "Layout",
    "find_array",
    "layout_of",
    "new_array_documents",
    "open_tensorstore",
    "open_zarr",
]


# zarr's, by TensorStore's name of its driver.
FORMATS = {"zarr": 2, "zarr3": 3}


_PRECOMPUTED = "neuroglancer_precomputed"


@dataclass(frozen=True)
class Layout:
    """What an array holds, and in which pieces."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    # Whether zarr-python must decode it.
    by_zarr: bool


def find_array(location: str) -> tuple[str, dict[str, Any]] | None:
    """An array's driver and attributes; None where there is no array."""
    document = read_json(location, "zarr.json")
    if document.get("node_type") == "array":
        names = document.get("dimension_names")
        named = {"axis_names": names} if names and all(names) else {}
        return "zarr3", named | document.get("attributes", {})
    if read_json(location, ".zarray"):
        return "zarr", read_json(location, ".zattrs")
    n5 = read_json(location, "attributes.json")
    if "dimensions" in n5:
        return "n5", n5_attributes(n5)
    root, key = _scale(location)
    info = read_json(root, "info")
    if any(key in (None, scale["key"]) for scale in info.get("scales", ())):
        return _PRECOMPUTED, precomputed_attributes(info, key)
    return None


def _scale(location: str) -> tuple[str, str | None]:
    """The root of precomputed data, and the key of a scale if the path has one."""
    if read_json(location, "info"):
        return location, None
    root, _, key = location.rpartition("/")
    return root, key


def layout_of(location: str, driver: str, opening: str) -> Layout:
    """Shape, dtype and chunks of an array."""
    try:
        array = open_tensorstore(location, driver, False, opening)
        dtype, pieces = array.dtype.numpy_dtype, array.chunk_layout
        chunks, unit, by_zarr = pieces.read_chunk.shape, pieces.write_chunk.shape, False
    except (ValueError, NotImplementedError):
        # A codec, filter or data type that TensorStore doesn't have, or a setting that it refuses,
        # such as zlib's own level of gzip, -1, in what n5-zarr has written.
        if driver not in FORMATS:
            raise
        array = open_zarr(location, opening)
        dtype, chunks, unit, by_zarr = array.dtype, array.chunks, array.shards, True
    shape, chunks, unit = (_whole(sizes) for sizes in (array.shape, chunks, unit or chunks))
    shards = unit if unit != chunks else None
    return Layout(shape, np.dtype(dtype), chunks, shards, by_zarr)


@lru_cache(maxsize=256)
def open_tensorstore(location: str, driver: str, rechecks: bool, opening: str) -> Any:
    """An array with axes in C order, opened once in a process for each opening."""
    root, key = _scale(location) if driver == _PRECOMPUTED else (location, None)
    spec = {
        "driver": driver,
        "kvstore": kvstore_spec(root),
        "recheck_cached_metadata": "open",
        "recheck_cached_data": True if rechecks else "open",
    }
    if key:
        spec["scale_metadata"] = {"key": key}
    return _c_order(ts.open(spec, open=True, context=cache_context()).result(), driver)


@lru_cache(maxsize=256)
def open_zarr(location: str, opening: str) -> Any:
    """The same array as zarr-python opens it."""
    with warnings.catch_warnings():
        # Of metadata that others wrote.
        warnings.simplefilter("ignore")
        return zarr.open_array(location, storage_options={} if is_remote(location) else None)


def _c_order(array: Any, driver: str) -> Any:
    """Turn x, y, z into z, y, x; precomputed's channel comes last and goes first."""
    if driver == "n5":
        return array.T
    if driver != _PRECOMPUTED:
        return array
    array = array.T[ts.d[:].translate_to[0]]
    return array[0] if array.shape[0] == 1 else array


def new_array_documents(
    zarr_format: int, axes: Sequence[str] | None, **settings: Any
) -> dict[str, bytes]:
    """Metadata of a new zarr array, compressed by zstd; the settings are those of zarr-python."""
    documents: dict[str, Any] = {}
    zarr.create_array(
        MemoryStore(documents),
        zarr_format=zarr_format,  # type: ignore[arg-type]
        dimension_names=axes if zarr_format == 3 else None,
        compressors=ZstdCodec(level=3) if zarr_format == 3 else Zstd(level=3),
        chunk_key_encoding={"name": "v2" if zarr_format == 2 else "default", "separator": "/"},
        **settings,
    )
    return {name: document.to_bytes() for name, document in documents.items()}


def _whole(sizes: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(n) or 1 for n in sizes)
