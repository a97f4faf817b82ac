"""Which file of precomputed data holds which chunk, or which chunks where they are sharded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.boxes import Index
from ...geometry.morton import axes_of_bits, bits_along, codes_of, places_of
from .unit_names import UnitNaming

__all__ = ["grid_of", "shard_names", "units_of"]

_CHUNK = "_".join([r"(-?\d+)-(-?\d+)"] * 3)
_SHARD = "([0-9a-f]+)[.]shard"


def grid_of(scale: Mapping[str, Any]) -> Index:
    """Chunks of a scale along x, y and z."""
    return tuple(-(-n // c) for n, c in zip(scale["size"], scale["chunk_sizes"][0], strict=True))


def units_of(scale: Mapping[str, Any], folder: str = "") -> UnitNaming | None:
    """How the files of a scale are named; None where it isn't known which chunks share one.

    Parameters
    ----------
    scale : mapping
        As the info has it.
    folder : str
        Where they lie, seen from where they are looked for.
    """
    prefix = f"{folder}/" if folder else ""
    sharding = scale.get("sharding")
    if not sharding:
        begin = tuple(scale.get("voxel_offset", (0, 0, 0)))
        return _Chunks(prefix, begin, tuple(scale["size"]), tuple(scale["chunk_sizes"][0]))
    grid = grid_of(scale)
    within = int(sharding["preshift_bits"]) + int(sharding["minishard_bits"])
    shard_bits = int(sharding["shard_bits"])
    # Of other hashes a shard holds chunks from anywhere, and with too few bits some of many places.
    if sharding.get("hash") != "identity" or within + shard_bits < len(axes_of_bits(grid)):
        return None
    return _Shards(prefix, grid, within, shard_bits)


def shard_names(scale: Mapping[str, Any], codes: NDArray[np.uint64]) -> list[str]:
    """Files of a scale with the hash "identity" that hold the chunks of these codes.

    Examples
    --------
    >>> sharding = {"preshift_bits": 1, "minishard_bits": 2, "shard_bits": 5}
    >>> shard_names({"sharding": sharding}, np.array([7, 8, 9, 170], np.uint64))
    ['00.shard', '01.shard', '15.shard']
    """
    sharding = scale["sharding"]
    within = int(sharding["preshift_bits"]) + int(sharding["minishard_bits"])
    numbers = np.unique(codes >> np.uint64(within))
    return [_shard_name(number, int(sharding["shard_bits"])) for number in numbers.tolist()]


def _shard_name(number: int, shard_bits: int) -> str:
    return f"{number:0{_digits(shard_bits)}x}.shard"


def _digits(shard_bits: int) -> int:
    return max(1, -(-shard_bits // 4))


@dataclass(frozen=True)
class _Chunks:
    """Files named after the voxels that they hold, from x on."""

    prefix: str
    begin: Index
    size: Index
    chunk: Index

    def of(self, numbers: NDArray[np.int64]) -> list[str]:
        """See `UnitNaming.of`."""
        low = _x_first(numbers) * np.array(self.chunk)
        high = np.minimum(low + np.array(self.chunk), np.array(self.size)) + np.array(self.begin)
        ends = np.stack([low + np.array(self.begin), high], 2).reshape(-1, 6).tolist()
        return [f"{self.prefix}{a}-{b}_{c}-{d}_{e}-{f}" for a, b, c, d, e, f in ends]

    def numbers(
        self, names: Sequence[str], dimensions: int
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """See `UnitNaming.numbers`."""
        matches = re.compile(re.escape(self.prefix) + _CHUNK).fullmatch
        found = [(i, match.groups()) for i, name in enumerate(names) if (match := matches(name))]
        ends = np.array([ends for _, ends in found], np.int64).reshape(-1, 6)
        places = (ends[:, ::2] - np.array(self.begin)) // np.array(self.chunk)
        kept = np.array([i for i, _ in found], np.intp)
        numbers = _of_all_axes(places, dimensions)
        # What is off the grid is of another array.
        right = [names[i] == name for i, name in zip(kept.tolist(), self.of(numbers), strict=True)]
        inside = (places >= 0).all(1) & np.array(right, bool)
        return kept[inside], numbers[inside]


@dataclass(frozen=True)
class _Shards:
    """Files named after the upper bits of the codes of the chunks that they hold."""

    prefix: str
    # Chunks along x, y and z.
    grid: Index
    # Lower bits of a code, by which chunks of one shard differ.
    within: int
    shard_bits: int

    def of(self, numbers: NDArray[np.int64]) -> list[str]:
        """See `UnitNaming.of`."""
        codes = codes_of(_x_first(numbers) << self._spanned, self.grid) >> np.uint64(self.within)
        return [self.prefix + _shard_name(code, self.shard_bits) for code in codes.tolist()]

    def numbers(
        self, names: Sequence[str], dimensions: int
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """See `UnitNaming.numbers`."""
        matches = re.compile(re.escape(self.prefix) + _SHARD).fullmatch
        found = [(i, match[1]) for i, name in enumerate(names) if (match := matches(name))]
        most = 1 << max(0, len(axes_of_bits(self.grid)) - self.within)
        whole = [(i, int(text, 16)) for i, text in found if len(text) == _digits(self.shard_bits)]
        known = [(i, code) for i, code in whole if code < most]
        codes = np.array([code for _, code in known], np.uint64) << np.uint64(self.within)
        places = places_of(codes, self.grid) >> self._spanned
        return np.array([i for i, _ in known], np.intp), _of_all_axes(places, dimensions)

    @property
    def _spanned(self) -> NDArray[np.int64]:
        """How many chunks of a shard lie along each axis, as powers of 2."""
        return np.array(bits_along(self.grid, self.within), np.int64)


def _x_first(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Along x, y and z; a channel, which comes first, has all in one."""
    return numbers[:, ::-1][:, :3]


def _of_all_axes(places: NDArray[np.int64], dimensions: int) -> NDArray[np.int64]:
    """The other way round."""
    numbers = np.zeros((len(places), dimensions), np.int64)
    numbers[:, -3:] = places[:, ::-1]
    return numbers
