"""Which file of an array's folder holds which shard, or chunk where there are none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["TurnedNames", "UnitNames", "UnitNaming", "zarr2_names", "zarr3_names"]

# As libraries write it: without zeros before it; no grid has more digits.
_NUMBER = "(?:0|[1-9][0-9]{0,17})"


class UnitNaming(Protocol):
    """How the files of an array's shards, or chunks, are named."""

    def of(self, numbers: NDArray[np.int64]) -> list[str]:
        """Names of the units with these numbers along all axes, one in each row."""

    def numbers(
        self, names: Sequence[str], dimensions: int
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Which of the names are those of units, and these units' numbers."""


@dataclass(frozen=True)
class UnitNames:
    """Names of files after the numbers of what they hold, along each axis.

    Examples
    --------
    >>> names = UnitNames("c", "/")
    >>> names.of(np.array([[3, 17]]))
    ['c/3/17']
    >>> kept, numbers = names.numbers(["zarr.json", "c/3/17", "c/3/17.__lock"], 2)
    >>> kept.tolist(), numbers.tolist()
    ([1], [[3, 17]])
    """

    # What comes before the numbers, and is the name where there is no axis.
    prefix: str
    separator: str
    # Whether the last axis comes first.
    x_first: bool = False
    # Without axes, where there is no prefix.
    alone: str = "0"

    def of(self, numbers: NDArray[np.int64]) -> list[str]:
        """Names of the units with these numbers, one in each row."""
        if self.x_first:
            numbers = numbers[:, ::-1]
        if not numbers.shape[1]:
            return [self.prefix or self.alone] * len(numbers)
        before = [self.prefix] if self.prefix else []
        return [self.separator.join([*before, *map(str, row)]) for row in numbers.tolist()]

    def numbers(
        self, names: Sequence[str], dimensions: int
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Which of the names are those of units, and these units' numbers."""
        matches = re.compile(self._pattern(dimensions)).fullmatch
        kept = [i for i, name in enumerate(names) if matches(name)]
        begin = len(self.prefix) + bool(self.prefix)
        text = " ".join([names[i][begin:] for i in kept]).replace(self.separator, " ")
        if not dimensions or not kept:
            found = np.zeros((len(kept), dimensions), np.int64)
        else:
            found = np.fromstring(text, np.int64, sep=" ").reshape(len(kept), dimensions)
        return np.array(kept, np.intp), found[:, ::-1] if self.x_first else found

    def _pattern(self, dimensions: int) -> str:
        if not dimensions:
            return re.escape(self.prefix or self.alone)
        before = [re.escape(self.prefix)] if self.prefix else []
        return re.escape(self.separator).join([*before, *([_NUMBER] * dimensions)])


@dataclass(frozen=True)
class TurnedNames:
    """The same names, of numbers in another order.

    Examples
    --------
    >>> TurnedNames(UnitNames("c", "/"), (2, 0, 1)).of(np.array([[3, 0, 17]]))
    ['c/0/17/3']
    """

    names: UnitNaming
    # Which of the axes by which files are named come first, second, and so on.
    order: tuple[int, ...]

    def of(self, numbers: NDArray[np.int64]) -> list[str]:
        """See `UnitNaming.of`."""
        return self.names.of(numbers[:, np.argsort(self.order)])

    def numbers(
        self, names: Sequence[str], dimensions: int
    ) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """See `UnitNaming.numbers`."""
        kept, found = self.names.numbers(names, dimensions)
        return kept, found[:, list(self.order)]


def zarr3_names(document: Mapping[str, Any]) -> UnitNames | None:
    """Of an array of zarr 3; None where its names are of another kind.

    Parameters
    ----------
    document : mapping
        Its metadata.

    Examples
    --------
    >>> encoding = {"name": "v2", "configuration": {"separator": "."}}
    >>> zarr3_names({"chunk_key_encoding": encoding}).of(np.array([[3, 17]]))
    ['3.17']
    """
    encoding = document.get("chunk_key_encoding", {})
    if isinstance(encoding, str):
        encoding = {"name": encoding}
    separator = encoding.get("configuration", {}).get("separator")
    if encoding.get("name") == "default":
        return UnitNames("c", separator or "/")
    return UnitNames("", separator or ".") if encoding.get("name") == "v2" else None


def zarr2_names(document: Mapping[str, Any]) -> UnitNames:
    """Of an array of zarr 2, from its metadata."""
    return UnitNames("", document.get("dimension_separator") or ".")
