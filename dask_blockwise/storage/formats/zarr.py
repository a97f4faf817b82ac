"""zarr 2 and 3: TensorStore reads and writes, and zarr-python where TensorStore lacks a codec.

zarr-python also words the metadata of new arrays.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import zarr
from numcodecs import Zstd
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec
from zarr.storage import MemoryStore

from ...geometry.boxes import Box
from ..checked import mapping
from ..documents import read_json
from ..location import is_remote
from .by_tensorstore import TensorStoreArray, layout_of_pieces, open_tensorstore
from .protocol import Layout, OpenArray
from .registry import register
from .transform import of_transform
from .unit_names import UnitNames, zarr2_names, zarr3_names

__all__ = ["Zarr", "Zarr2", "Zarr3", "ZarrPythonArray", "new_array_documents"]


_DRIVERS = {2: "zarr", 3: "zarr3"}


class Zarr:
    """What arrays of both versions have in common."""

    name: ClassVar[str]
    version: ClassVar[int]
    title = "zarr, OME-Zarr"

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of an array of this version."""
        raise NotImplementedError

    def open(self, location: str, rechecks: bool) -> OpenArray:
        """Open by TensorStore, or else by zarr-python, which caches nothing."""
        try:
            return TensorStoreArray(open_tensorstore(_DRIVERS[self.version], location, rechecks))
        except (ValueError, NotImplementedError):
            # A codec, filter or data type that TensorStore doesn't have, or a setting that it
            # refuses, such as zlib's own level of gzip, -1, in what n5-zarr has written; unless the
            # array is gone.
            if self.find(location) is None:
                raise
            return ZarrPythonArray(_open_zarr(location))


@dataclass(frozen=True)
class Zarr3(Zarr):
    """Arrays of zarr 3."""

    name = "zarr3"
    version = 3
    noticed_by = ("zarr.json",)

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of an array; the names of its dimensions are among them."""
        document = read_json(location, "zarr.json")
        if document.get("node_type") != "array":
            return None
        names = document.get("dimension_names")
        named = {"axis_names": names} if names else {}
        return named | _own(dict(mapping(document.get("attributes", {}), "attributes")))

    def unit_names(self, location: str) -> UnitNames | None:
        """By the encoding of keys."""
        return zarr3_names(self.document(location))

    def document(self, location: str) -> Mapping[str, Any]:
        """All but the attributes."""
        document = read_json(location, "zarr.json")
        return {key: value for key, value in document.items() if key != "attributes"}


@dataclass(frozen=True)
class Zarr2(Zarr):
    """Arrays of zarr 2."""

    name = "zarr"
    version = 2
    noticed_by = (".zarray",)

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Attributes of an array, from the document beside that which tells of it."""
        return _own(read_json(location, ".zattrs")) if read_json(location, ".zarray") else None

    def unit_names(self, location: str) -> UnitNames:
        """By the separator of numbers."""
        return zarr2_names(self.document(location))

    def document(self, location: str) -> Mapping[str, Any]:
        """The document that tells of the array."""
        return read_json(location, ".zarray")


@dataclass(frozen=True)
class ZarrPythonArray:
    """An array of zarr-python."""

    array: Any

    @property
    def layout(self) -> Layout:
        """Shape, dtype, chunks and shards."""
        array = self.array
        return layout_of_pieces(
            array.shape, array.dtype, array.chunks, array.shards or array.chunks
        )

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region."""
        return np.asarray(self.array[region])

    def write(self, region: Box, values: NDArray[Any]) -> None:
        """Write a region of whole shards or chunks."""
        self.array[region] = values


def new_array_documents(
    zarr_format: int, axes: Sequence[str] | None, **settings: Any
) -> dict[str, bytes]:
    """Metadata of a new zarr array, compressed by zstd; the settings are those of zarr-python.

    In zarr 3 each frame of zstd ends in its checksum, also within shards, so that a reader notices
    a bit that changed on disk. TensorStore knows none in zarr 2.
    """
    documents: dict[str, Any] = {}
    zarr.create_array(
        MemoryStore(documents),
        zarr_format=zarr_format,  # type: ignore[arg-type]
        dimension_names=axes if zarr_format == 3 else None,
        compressors=ZstdCodec(level=3, checksum=True) if zarr_format == 3 else Zstd(level=3),
        chunk_key_encoding={"name": "v2" if zarr_format == 2 else "default", "separator": "/"},
        **settings,
    )
    return {name: document.to_bytes() for name, document in documents.items()}


def _own(attributes: dict[str, Any]) -> dict[str, Any]:
    """With the place that a transform has; one of another kind is left to whoever wrote it."""
    transform = attributes.get("transform")
    known = isinstance(transform, Mapping) and "scale" in transform
    return of_transform(attributes, x_first=False) if known else attributes


def _open_zarr(location: str) -> Any:
    with warnings.catch_warnings():
        # Of metadata that others wrote.
        warnings.simplefilter("ignore")
        array = zarr.open_array(location, storage_options={} if is_remote(location) else None)
    if not all(array.chunks):
        raise ValueError(f"its chunks are {array.chunks}")
    return array


register(Zarr3())
register(Zarr2())
