"""Chunks of precomputed data that are compressed once more as files, as cloud-volume does on disks.

TensorStore knows no such files, but what is in them: they are unpacked into memory, where it reads.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from typing import Any

from numcodecs import Zstd
from numpy.typing import NDArray

from ...geometry.boxes import Box
from ..documents import read_surely
from .by_tensorstore import TensorStoreArray
from .precomputed_names import chunk_name, ending_of
from .protocol import CorruptChunk, Layout
from .scale_in_memory import ScaleInMemory

__all__ = ["PACKED", "PackedChunks", "packed_names"]

_DAMAGED = (EOFError, OSError, RuntimeError, ValueError, lzma.LZMAError, zlib.error)


def _brotli(packed: bytes) -> bytes:
    return bytes(import_module("brotli").decompress(packed))


_UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.decompress,
    ".zstd": lambda packed: bytes(Zstd().decode(packed)),
    ".br": _brotli,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
}


# What is added to names of chunks; nothing to those that aren't compressed as files.
PACKED = tuple(_UNPACK)


def packed_names(names: Sequence[str]) -> list[str]:
    """Those names that are of chunks compressed as files.

    Raises
    ------
    ValueError
        If it isn't known how to unpack them.

    Examples
    --------
    >>> packed_names(["0-64_0-64_0-64.gz", "64-128_0-64_0-64"])
    ['0-64_0-64_0-64.gz']
    """
    found = [name for name in names if ending_of(name)]
    for ending, name in {ending_of(name): name for name in found}.items():
        if ending not in _UNPACK:
            expected = name.removesuffix(ending)
            raise ValueError(
                f"by its metadata it has chunks such as {expected!r}, but there is {name!r}, which "
                f"can't be unpacked: unpack the files, or write it anew, in cloud-volume with "
                "compress=False"
            )
        if ending == ".br" and find_spec("brotli") is None:
            raise ValueError(
                f"its chunks, such as {name!r}, are compressed by brotli: python -m pip install "
                "brotli, where workers run, too"
            )
    return found


@dataclass(frozen=True)
class PackedChunks:
    """A scale whose chunks are unpacked into memory, and decoded there, for each read."""

    # Where its chunks lie.
    folder: str
    # The info of this scale alone.
    info: Mapping[str, Any]
    # Whether chunks that aren't there are read as zeros.
    fills: bool

    @cached_property
    def layout(self) -> Layout:
        """Shape, dtype and chunks."""
        return self._decoding({}).layout

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region."""
        chunks = {name: self._unpacked(name) for name in self._names(region)}
        found = {name: chunk for name, chunk in chunks.items() if chunk}
        try:
            return self._decoding(found).read(region)
        except CorruptChunk as error:
            raise CorruptChunk(self._named(error.reason)) from error
        except OSError as error:
            raise OSError(self._named(str(error))) from error

    @property
    def fill_value(self) -> int:
        """What is read where nothing is stored."""
        return 0

    def _named(self, said: str) -> str:
        """With the folder where the chunks lie in truth."""
        return said.replace(ScaleInMemory.folder, f"{self.folder}/")

    def _names(self, region: Box) -> Iterator[str]:
        """Names of the chunks that a region touches, before anything is added to them."""
        scale = self.info["scales"][0]
        axes = zip(region[-1:-4:-1], scale["chunk_sizes"][0], strict=True)
        touched = [range(part.start // chunk, -(-part.stop // chunk)) for part, chunk in axes]
        return (chunk_name(scale, index) for index in product(*touched))

    def _unpacked(self, name: str) -> bytes:
        """What a chunk holds; nothing where it isn't there."""
        denied = None
        for ending, unpack in _UNPACK.items():
            try:
                packed = read_surely(self.folder, name + ending)
            except PermissionError as error:
                # A bucket that may not be listed denies what isn't there; one name may be.
                packed, denied = b"", error
            if packed:
                try:
                    return unpack(packed)
                except _DAMAGED as error:
                    raise CorruptChunk(
                        f"{self.folder}/{name}{ending} can't be unpacked, {error}"
                    ) from error
        if denied is not None:
            raise denied
        return b""

    def _decoding(self, chunks: Mapping[str, bytes]) -> TensorStoreArray:
        """An array of TensorStore that has these chunks alone."""
        return ScaleInMemory.of(self.info, chunks, self.fills).array
