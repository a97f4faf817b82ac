"""The shards of an array, or its chunks where there are none, as files of a store."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from io import UnsupportedOperation
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from ..geometry.boxes import Box, Index
from .file_stamps import all_names, all_stamps, digests, mixed, stamps_of_files
from .formats import UnitNaming
from .location import archive_of, can_be_listed, folders_above, is_remote

__all__ = ["By", "WriteUnits"]

By = Literal["stamps", "content"]


@dataclass(frozen=True)
class WriteUnits:
    """What must be written whole, and the files that hold it."""

    location: str
    shape: Index
    # Voxels of each along all axes; the whole shape, where they aren't files of their own.
    size: Index
    names: UnitNaming | None

    @cached_property
    def grid(self) -> Index:
        """How many there are along each axis."""
        return tuple(-(-n // size) for n, size in zip(self.shape, self.size, strict=True))

    def stamps(self, by: By) -> NDArray[np.uint64]:
        """Of each of them, 0 where no file is there.

        Raises
        ------
        OSError
            If the files can't be listed or read.
        """
        if not can_be_listed(self.location):
            return self._untold(by)
        if self.names is None:
            return np.full(self.grid, self._of_whole(by), np.uint64)
        names, stamps = _stamped(self.location, by)
        kept, numbers = self.names.numbers(names, len(self.grid))
        inside = (numbers < np.array(self.grid, np.int64)).all(axis=1)
        places = self._places(numbers[inside])
        found = np.zeros(prod(self.grid), np.uint64)
        found[places] = _placed(stamps[kept[inside]], places)
        return found.reshape(self.grid)

    def stamp(self, region: Box) -> tuple[int, int]:
        """Of those that a region touches, how many files there are now, and their stamps' sum."""
        if self.names is None:
            return 1, self._of_whole("stamps")
        touched = [
            np.arange(s.start // size, -(-s.stop // size))
            for s, size in zip(region, self.size, strict=True)
        ]
        grid = np.meshgrid(*touched, indexing="ij")
        numbers = np.stack([n.ravel() for n in grid], 1) if grid else np.zeros((1, 0), np.int64)
        stamps = stamps_of_files(self.location, self.names.of(numbers))
        total = np.add.reduce(_placed(stamps, self._places(numbers)))
        return int(np.count_nonzero(stamps)), int(total)

    def _untold(self, by: By) -> NDArray[np.uint64]:
        """Of a web server, where nothing tells cheaply whether a file is what it was."""
        if by == "stamps":
            return np.ones(self.grid, np.uint64)
        raise UnsupportedOperation(
            f"{self.location} can't be known by its content: a web server doesn't list its files. "
            'Leave verify="content" out, or copy it to a disk.'
        )

    def _places(self, numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
        """The place of each in the whole grid."""
        place = np.zeros(len(numbers), np.int64)
        for n, count in zip(numbers.T, self.grid, strict=True):
            place = place * count + n
        return place.astype(np.uint64)

    def _of_whole(self, by: By) -> int:
        names, stamps = _stamped(_file_or_folder(self.location), by)
        places = np.array([xxh3_64_intdigest(name.encode()) for name in names], np.uint64)
        return int(np.add.reduce(_placed(stamps, places)))


def _placed(stamps: NDArray[np.uint64], places: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Stamps together with places, so that it is noticed when files change places."""
    return np.where(stamps == 0, np.uint64(0), mixed(stamps, places))


def _stamped(location: str, by: By) -> tuple[list[str], NDArray[np.uint64]]:
    """Names of a folder's files, none of a single file, and what tells whether they changed."""
    if not is_remote(location) and Path(location).is_file():
        names = [""]
        return names, (stamps_of_files if by == "stamps" else digests)(location, names)
    if archive_of(location) is not None:
        folder, _, name = location.rpartition("/")
        return [name], (stamps_of_files if by == "stamps" else digests)(folder, [name])
    if by == "stamps":
        return all_stamps(location)
    names = all_names(location)
    return names, digests(location, names)


def _file_or_folder(location: str) -> str:
    """The location itself, or the file above it that holds its array among others."""
    archive = archive_of(location)
    if archive is not None:
        return archive[0]
    if not is_remote(location) and not Path(location).exists():
        for above, _ in folders_above(location):
            if Path(above).is_file():
                return above
    return location
