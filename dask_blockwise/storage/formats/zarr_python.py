"""Arrays of zarr as zarr-python opens them, where TensorStore lacks a codec."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import zarr
from numcodecs.registry import get_codec
from numpy.typing import NDArray
from zarr.storage import LocalStore, StorePath

from ...geometry.boxes import Box, Index
from ..checked import MEND
from ..documents import has_document
from ..location import on_disk
from .by_tensorstore import layout_of_pieces
from .kvstore import KvStore
from .protocol import CorruptChunk, Layout

__all__ = ["ZarrPythonArray", "open_zarr_python"]

# Codecs of numcodecs that need more, and what its installation calls that.
_EXTRAS = {"crc32c": "crc32c", "msgpack2": "msgpack", "pcodec": "pcodec", "zfpy": "zfpy"}
# As zarr and numcodecs say it, the last from zarr 3.4 and numcodecs 0.17 on.
_UNKNOWN = re.compile(
    r"(?:codec not available: |[Uu]nknown codec: |implementation for codec )['\"]*([\w.\-/]+)"
)
_MISSING = re.compile(r"missing \d+ required .*arguments?: (.*)")
_WHERE = "Install it where workers run, too"


@dataclass(frozen=True)
class ZarrPythonArray:
    """An array of zarr-python."""

    array: Any
    location: str
    # Whether chunks that aren't there are read as fill value.
    fills: bool = True

    @property
    def layout(self) -> Layout:
        """Shape, dtype, chunks and shards."""
        array = self.array
        return layout_of_pieces(
            array.shape, array.dtype, array.chunks, array.shards or array.chunks
        )

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region."""
        if not self.fills:
            self._check_there(region)
        try:
            return np.asarray(self.array[region])
        except Exception as error:
            # Each codec has errors of its own, some of which are OSErrors.
            if _is_of_the_store(error):
                raise
            raise self._damaged(region, error) from error

    @property
    def fill_value(self) -> Any:
        """What is read where nothing is stored."""
        value = self.array.fill_value
        return 0 if value is None else value

    def write(self, region: Box, values: NDArray[Any]) -> None:
        """Write a region of whole shards or chunks."""
        self.array[region] = values

    def _check_there(self, region: Box) -> None:
        for name, _ in self._files(region):
            if not has_document(self.location, name):
                raise OSError(
                    f"the chunk {self.location}/{name} is missing. Store it, or open with "
                    "on_missing='fill' to read it as fill value"
                )

    def _damaged(self, region: Box, error: Exception) -> OSError:
        """What is wrong, and with which file."""
        for name, box in self._files(region):
            try:
                self.array[box]
            except Exception as own:
                if isinstance(own, OSError) and _is_of_the_store(own):
                    return own
                return CorruptChunk(
                    f"{self.location}/{name} can't be decoded, {type(own).__name__}: {own}"
                )
        return OSError(f"{type(error).__name__}: {error}")

    def _files(self, region: Box) -> Iterator[tuple[str, Box]]:
        """Names of the files that a region touches, and what of it is in each."""
        layout = self.layout
        sizes = layout.shards or layout.chunks
        touched = [range(s.start // n, -(-s.stop // n)) for s, n in zip(region, sizes)]
        for index in product(*touched):
            yield self.array.metadata.encode_chunk_key(index), _within(region, index, sizes)


def _is_of_the_store(error: Exception) -> bool:
    """Whether the system says why, as it does of files that can't be read."""
    return isinstance(error, OSError) and bool(error.errno)


def _within(region: Box, index: Index, sizes: Index) -> Box:
    return tuple(
        slice(max(s.start, i * n), min(s.stop, (i + 1) * n))
        for s, i, n in zip(region, index, sizes, strict=True)
    )


def open_zarr_python(location: str, document: Mapping[str, Any], fills: bool) -> ZarrPythonArray:
    """Open an array by the document that tells of it.

    Raises
    ------
    ValueError
        If it isn't understood, or a codec isn't installed, with the package that has it.
    """
    store = LocalStore(location) if on_disk(location) else KvStore(location)
    try:
        with warnings.catch_warnings():
            # Of metadata that others wrote.
            warnings.simplefilter("ignore")
            _check_numcodecs(document)
            metadata: Any = dict(document)
            array = zarr.Array(zarr.AsyncArray(metadata, StorePath(store)))
    except Exception as error:
        if _is_of_the_store(error):
            raise
        codec = _UNKNOWN.search(str(error))
        if codec is None:
            lacks = str(error) if isinstance(error, KeyError) else _lacking(str(error))
            said = f"it has no {lacks}" if lacks else str(error).rstrip(".")
            raise ValueError(f"{said}. {MEND}") from error
        raise ValueError(f"it needs the codec {codec[1]!r}, {_where(codec[1])}") from error
    # From zarr 3.4 on, sizes of chunks that can't be are read as others that can.
    read = array.shards or array.chunks
    written = _chunks_of(document) or read
    if tuple(written) != tuple(read) or not all(array.chunks):
        raise ValueError(f"its chunks are {tuple(written)}")
    return ZarrPythonArray(array, location, fills)


def _chunks_of(document: Mapping[str, Any]) -> Sequence[int]:
    """Voxels of a file, as they are written; none where the grid is of another kind."""
    grid = document.get("chunk_grid", {"configuration": {"chunk_shape": document.get("chunks")}})
    return grid["configuration"].get("chunk_shape") or ()


def _lacking(said: str) -> str:
    """What metadata lack, if that is what is said."""
    missing = _MISSING.search(said)
    return missing[1] if missing else ""


def _check_numcodecs(document: Mapping[str, Any]) -> None:
    """Ask for codecs of numcodecs, which zarr-python else does only at the first chunk."""
    for codec in document.get("codecs", ()):
        name = codec.get("name", "") if isinstance(codec, Mapping) else ""
        if name.startswith("numcodecs."):
            get_codec({"id": name.removeprefix("numcodecs.")} | codec.get("configuration", {}))


def _where(codec: str) -> str:
    """Which package has a codec."""
    name = codec.removeprefix("numcodecs.").removeprefix("imagecodecs_")
    if "imagecodecs" in codec:
        return (
            "which imagecodecs has: python -m pip install imagecodecs imagecodecs-numcodecs. "
            f"{_WHERE}"
        )
    if name in _EXTRAS:
        needed = f"python -m pip install 'numcodecs[{_EXTRAS[name]}]'"
        return f"for which numcodecs needs another library: {needed}. {_WHERE}"
    return (
        "which isn't known here. Install the package that has it, as the tool does that wrote the "
        "array, such as numcodecs or imagecodecs, where workers run, too; or copy the array with "
        "that tool into a codec that all know, such as zstd or gzip"
    )
