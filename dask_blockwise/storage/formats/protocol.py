"""What a storage format has to answer, so that its arrays open as volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ...geometry.boxes import Box, Index
from .unit_names import UnitNaming

__all__ = [
    "Container",
    "CorruptChunk",
    "Documented",
    "Format",
    "Layout",
    "Levelled",
    "Matched",
    "Mendable",
    "OpenArray",
    "Strict",
    "UnitFiles",
    "Writable",
]


@dataclass(frozen=True)
class Layout:
    """What an array holds, and in which pieces; axes in C order, x last.

    Examples
    --------
    >>> Layout((100, 512, 512), np.dtype("uint8"), chunks=(1, 512, 512)).shards is None
    True
    """

    shape: Index
    dtype: np.dtype[Any]
    # What is decoded at once.
    chunks: Index
    # What must be written whole, where that is more than a chunk.
    shards: Index | None = None


class OpenArray(Protocol):
    """An array that is open in this process; several threads may read from it at once."""

    @property
    def layout(self) -> Layout:
        """Shape, dtype, chunks and shards."""
        ...

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region, given by slices with a start and a stop within the shape.

        Raises
        ------
        OSError
            If the store can't be read, or what it holds is damaged.
        """
        ...


class CorruptChunk(OSError):
    """A chunk is there, but can't be decoded; not that the store couldn't be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"{reason}. That file is damaged or only in part there: store it anew, or open with "
            "on_corrupt='fill' to read it as fill value"
        )
        # Which chunk, and why.
        self.reason = reason

    def __reduce__(self) -> tuple[type[CorruptChunk], tuple[str]]:
        return type(self), (self.reason,)


@runtime_checkable
class Mendable(Protocol):
    """What an open array has besides where it can tell ``CorruptChunk`` from all else."""

    @property
    def fill_value(self) -> Any:
        """What is read where nothing is stored."""
        ...


@runtime_checkable
class Writable(Protocol):
    """What an open array has besides where its format is also written, and else leaves out."""

    def write(self, region: Box, values: NDArray[Any]) -> None:
        """Write a region of whole shards, or chunks where there are none.

        The values have the region's shape and the array's dtype. Two processes may write at once,
        never to the same shard.

        Raises
        ------
        OSError
            If the store is full or can't be written.
        """
        ...


@runtime_checkable
class Format(Protocol):
    """A way to store arrays: how to tell one, and how to open it.

    An instance travels to worker processes within each array, also to those that never imported
    the module which registered it. So let it be a frozen dataclass that holds little or nothing.

    Examples
    --------
    Single files as ``numpy.save`` writes them, by another name, which are only read:

    >>> from pathlib import Path
    >>> from dask_blockwise.storage.arrays import open_array
    >>> from dask_blockwise.storage.formats import register, unregister

    >>> @dataclass(frozen=True)
    ... class OpenDump:
    ...     values: np.ndarray
    ...
    ...     @property
    ...     def layout(self):
    ...         shape = self.values.shape
    ...         return Layout(shape, self.values.dtype, chunks=(1, *shape[1:]))
    ...
    ...     def read(self, region):
    ...         return np.array(self.values[region])

    >>> @dataclass(frozen=True)
    ... class Dump:
    ...     name = "dump"
    ...     title = "dump"
    ...     noticed_by = ("*.dump",)
    ...
    ...     def find(self, location):
    ...         return {} if location.endswith(".dump") and Path(location).is_file() else None
    ...
    ...     def open(self, location, rechecks):
    ...         return OpenDump(np.load(location, mmap_mode="r"))

    >>> register(Dump())
    >>> with open("raw.dump", "wb") as file:
    ...     np.save(file, np.arange(12).reshape(3, 4))
    >>> open_array("raw.dump").read((slice(1, 2), slice(0, 2)))
    array([[4, 5]])
    >>> unregister("dump")
    """

    @property
    def name(self) -> str:
        """Its own, and never changed: what was computed from an array is known again by it."""
        ...

    @property
    def title(self) -> str:
        """What people call it, for messages."""
        ...

    @property
    def noticed_by(self) -> tuple[str, ...]:
        """By which names of files a listing notices an array.

        Of a document in the array's folder, such as ``zarr.json``, or where an array is a single
        file, of that, such as ``*.tif``.
        """
        ...

    def find(self, location: str) -> Mapping[str, Any] | None:
        """Look for an array of this format.

        Parameters
        ----------
        location : str
            An absolute path or a URL, without a slash at the end. There may be nothing, a file, a
            folder, or an array of another format.

        Returns
        -------
        mapping or None
            Attributes, none where there is no array. They must fit into JSON. ``resolution`` or
            ``voxel_size``, ``offset`` in world units, ``axis_names`` and ``units``, in C order, say
            where its voxels lie.
        """
        ...

    def open(self, location: str, rechecks: bool) -> OpenArray:
        """Open what was found; done once in a process for each opening by a person.

        Parameters
        ----------
        location : str
        rechecks : bool
            Whether a read must see what others have written by then. Otherwise nobody writes, and
            what is cached holds.

        Returns
        -------
        OpenArray
            ``Writable`` too, where arrays of this format can be written.
        """
        ...


@runtime_checkable
class Container(Protocol):
    """What a format has besides where one file holds several arrays, and else leaves out."""

    def arrays_within(self, location: str) -> list[str] | None:
        """Locations of all arrays of the file that lies at, or above, a location.

        None where there is no such file.
        """
        ...


@runtime_checkable
class Levelled(Protocol):
    """What a format has besides where it tells of images of several resolutions."""

    def levels(self, location: str) -> list[str] | None:
        """Paths of the levels of the image at a location, below it; the finest first.

        None where there is none of several levels.
        """
        ...


@runtime_checkable
class UnitFiles(Protocol):
    """What a format has besides where each shard, or chunk, is one file, and else leaves out."""

    def unit_names(self, location: str) -> UnitNaming | None:
        """The names of these files, as the array's metadata have it; None where it is unknown."""
        ...


@runtime_checkable
class Matched(Protocol):
    """What a format has besides where files may be named otherwise than metadata say."""

    def matched(self, location: str) -> Format:
        """The format as it reads the files that are there; itself, where they are named so.

        Raises
        ------
        ValueError
            If files of chunks are there, but by names that it can't read.
        """
        ...


@runtime_checkable
class Strict(Protocol):
    """What a format has besides where it can tell that a chunk is missing, and else leaves out."""

    def strict(self) -> Format:
        """The format whose reads raise an ``OSError`` of a chunk that isn't there."""
        ...


@runtime_checkable
class Documented(Protocol):
    """What a format has besides where metadata say how voxels are stored, and else leaves out."""

    def document(self, location: str) -> Mapping[str, Any]:
        """These metadata, such as codecs and ``fill_value``, without attributes."""
        ...
