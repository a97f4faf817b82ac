"""Into which chunks and shards a scale of precomputed data is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import Any

from ..geometry.boxes import Index
from .chunking import chunks_and_shards
from .formats import axes_of_bits

__all__ = ["ScaleCut", "scale_cut"]

_NEAR = 64
# So many chunks share an index within their shard, as 2 ** 9.
_BITS_OF_INDEX = 9
_COMPRESSED = ("jpeg", "png")


@dataclass(frozen=True)
class ScaleCut:
    """Chunks and shards of a scale, in voxels along z, y and x."""

    chunk: Index
    # What is written at once.
    unit: Index
    # As the info has it; None where each chunk is a file.
    sharding: Mapping[str, Any] | None


def scale_cut(extent: Index, block: Index, encoding: str, sharded: bool) -> ScaleCut:
    """A shard a block with chunks near 64; or chunks that divide the block.

    A shard holds ``2 ** k`` chunks along each axis, as the order of chunks by Morton codes has it,
    or all there are.

    Parameters
    ----------
    extent, block : tuple of int
        Voxels of the volume and of a block, along z, y and x.
    encoding : str
    sharded : bool

    Examples
    --------
    >>> cut = scale_cut((300, 300, 100), (256, 128, 128), "raw", True)
    >>> cut.chunk, cut.unit, cut.sharding["preshift_bits"], cut.sharding["shard_bits"]
    ((128, 64, 50), (256, 128, 100), 3, 3)
    """
    block = tuple(map(min, block, extent))
    if not sharded:
        chunk, _ = chunks_and_shards(block, ("z", "y", "x"), 3)
        return ScaleCut(chunk, chunk, None)
    doublings = _doublings(extent, block)
    chunk = tuple(-(-b // 2**doublings) for b in block)
    grid = tuple(-(-n // c) for n, c in zip(extent, chunk, strict=True))
    bits = tuple(min(doublings, (n - 1).bit_length()) for n in grid)
    unit = tuple(c << b for c, b in zip(chunk, bits, strict=True))
    return ScaleCut(chunk, unit, _sharding(len(axes_of_bits(grid)), sum(bits), encoding))


def _doublings(extent: Sequence[int], block: Sequence[int]) -> int:
    """How often a block is halved along all axes; along one that it covers, it may leave a rest."""
    wanted = max(0, round(log2(prod(block) / _NEAR**3) / 3))
    cut = [b for n, b in zip(extent, block, strict=True) if b < n]
    return max(k for k in range(wanted + 1) if all(b % 2**k == 0 for b in cut))


def _sharding(bits: int, within: int, encoding: str) -> dict[str, Any]:
    below = min(within, _BITS_OF_INDEX)
    return {
        "@type": "neuroglancer_uint64_sharded_v1",
        "hash": "identity",
        "preshift_bits": below,
        "minishard_bits": within - below,
        "shard_bits": bits - within,
        "minishard_index_encoding": "gzip",
        "data_encoding": "raw" if encoding in _COMPRESSED else "gzip",
    }
