"""An array in a store: small to send, read and written in whole shards or chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from io import UnsupportedOperation
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, is_whole
from .ahead import READS_AHEAD, Reading
from .casting import as_dtype
from .corrupt import read_around
from .documents import store_error
from .formats import CorruptChunk, Format, Mendable, OpenArray, Strict, Writable, Zarr
from .location import archive_of, check_may_be_written
from .opened import Opening, check_layout, digest_of, document_of, opened, unit_names_of
from .traffic import reading, writing
from .units import WriteUnits

__all__ = ["StoredArray"]


@dataclass(frozen=True)
class StoredArray:
    """An array in a store: small to send, opened once in each process.

    Axes are in C order: formats that store x first turn theirs.
    A read sees what is written by then, unless the array is ``steady``. The cache of decoded chunks
    holds ``DASK_BLOCKWISE_CACHE_MB`` megabytes a process (256).
    """

    # As it was given, for people.
    path: str
    # Absolute, or a URL.
    location: str
    shape: Index
    dtype: np.dtype[Any]
    chunks: Index
    shards: Index | None
    # It need not be registered where the array is read.
    format: Format
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    # Whether every read asks the store if what is cached of it still holds.
    rechecks: bool = True
    # Whether it shares no cache with other openings, which believe times of files.
    own_cache: bool = field(default=False, compare=False, repr=False)
    # Which of the format's axes come first, second, and so on; in its own order unless given.
    order: Index | None = None
    # Whether a chunk that can't be decoded is read as fill value.
    fills_corrupt: bool = field(default=False, compare=False, repr=False)
    # Which opening this is: a later one never sees what an earlier one has cached.
    opening: str = field(default_factory=lambda: uuid4().hex, compare=False, repr=False)

    @classmethod
    def of(
        cls, path: str, location: str, format: Format, attributes: Mapping[str, Any]
    ) -> StoredArray:
        """Open what a format has found.

        Raises
        ------
        ValueError
            If it has no voxels, or its chunks are larger than a machine can hold.
        """
        opening = uuid4().hex
        layout = opened(Opening(location, False, opening, format)).layout
        check_layout(layout)
        return cls(
            path=path,
            location=location,
            shape=layout.shape,
            dtype=layout.dtype,
            chunks=layout.chunks,
            shards=layout.shards,
            format=format,
            attributes=attributes,
            opening=opening,
        )

    @property
    def zarr_format(self) -> int | None:
        """2 or 3; None for other formats."""
        return self.format.version if isinstance(self.format, Zarr) else None

    @property
    def write_unit(self) -> Index:
        """What must be written whole: a shard, or else a chunk."""
        return self.shards or self.chunks

    def again(self) -> StoredArray:
        """The same array, opened anew.

        Raises
        ------
        FileNotFoundError
            If it isn't there any more.
        ValueError
            If another one lies there.
        """
        attributes = self.format.find(self.location)
        if attributes is None:
            raise FileNotFoundError(
                f"{self.path} isn't there any more: it was opened earlier, and has been removed or "
                "renamed since, or its disk is no longer mounted."
            )
        opened = replace(self, opening=uuid4().hex, attributes=attributes)
        layout = opened._open().layout
        now = layout.shape, layout.dtype, layout.chunks, layout.shards
        if now != (self.shape, self.dtype, self.chunks, self.shards):
            raise ValueError(
                f"{self.path} isn't the array any more that was opened: {now[0]} {now[1]} in "
                f"chunks of {now[2]}, and it was {self.shape} {self.dtype} in chunks of "
                f"{self.chunks}. Open it anew."
            )
        return opened

    def anew(self) -> StoredArray:
        """The same array, read as if nothing had been read of it before in any process."""
        return replace(self, own_cache=True, opening=uuid4().hex)

    @property
    def may_lack(self) -> bool:
        """Whether chunks of it may be absent without being an error."""
        return isinstance(self.format, Strict)

    @property
    def fills(self) -> bool:
        """Whether absent chunks are read as fill value."""
        return bool(getattr(self.format, "fills", True))

    @property
    def fill_value(self) -> Any:
        """What is read where nothing is stored."""
        return getattr(self._open(), "fill_value", 0)

    @property
    def tells_corrupt(self) -> bool:
        """Whether its reads tell a chunk that can't be decoded from all else."""
        return isinstance(self._open(), Mendable)

    def turned(self, order: Sequence[int]) -> StoredArray:
        """The same array with its axes in another order, such as channels that are stored last."""
        order = tuple(order)
        if order == tuple(range(len(order))):
            return self
        shape, chunks, unit = (
            tuple(sizes[n] for n in order) for sizes in (self.shape, self.chunks, self.write_unit)
        )
        shards = unit if self.shards else None
        return replace(self, shape=shape, chunks=chunks, shards=shards, order=order)

    def steady(self) -> StoredArray:
        """The same array, for reading while nobody writes to it."""
        return replace(self, rechecks=False)

    def read(self, region: Box) -> NDArray[Any]:
        """Read a region, given by slices with a start and a stop.

        Raises
        ------
        OSError
            If the store can't be read, or what it holds is damaged.
        """
        with reading() as traffic:
            values = READS_AHEAD.result(self.reading_of(region))
            traffic.bytes_read += values.nbytes
        return values

    def reading_of(self, region: Box) -> Reading:
        """By what `read` knows that a region was read ahead, and what reads it."""
        key = self._opening(), tuple((side.start, side.stop) for side in region)
        return key, partial(self._read, region)

    def _read(self, region: Box) -> NDArray[Any]:
        array = self._open()
        try:
            try:
                return array.read(region)
            except CorruptChunk:
                if not self.fills_corrupt:
                    raise
            return read_around(array, self.path, region)
        except OSError as error:
            raise store_error(self.path, "read", error) from error

    def write(self, region: Box, values: NDArray[Any]) -> None:
        """Write a region of whole shards, or chunks where there are none.

        Raises
        ------
        ValueError
            If the region begins or ends within one, or the values don't fit it or its dtype.
        OSError
            If the store is full or can't be written, or arrays of this format are only read.
        """
        self._check_whole(region)
        cast = self._cast(region, values)
        with writing() as traffic:
            try:
                self.writable().write(region, cast)
            except UnsupportedOperation:
                raise
            except (ValueError, OSError) as error:
                raise store_error(self.path, "written", error) from error
            traffic.bytes_written += cast.nbytes

    def writable(self) -> Writable:
        """The open array, if its format can be written.

        Raises
        ------
        io.UnsupportedOperation
            If it is only read.
        """
        check_may_be_written(self.location)
        array = self._open()
        if isinstance(array, Writable):
            return array
        if self.order is not None:
            raise UnsupportedOperation(
                f"{self.path} can't be written: its channels or times are stored last. Store what "
                "is computed in another array, with volume.to_zarr(path)."
            )
        raise UnsupportedOperation(
            f"{self.path} can't be written: {self.format.title} is only read here. Store what is "
            "computed in zarr, with volume.to_zarr(path)."
        )

    @property
    def units(self) -> WriteUnits:
        """The files of its shards, or of chunks where there are none."""
        names = None if archive_of(self.location) else unit_names_of(self._opening())
        size = self.shape if names is None else self.write_unit
        return WriteUnits(self.location, self.shape, size, names)

    def stamp(self, region: Box) -> tuple[int, int]:
        """What the store says now of the shards, or chunks, that a region touches.

        How many files there are, and a number that changes whenever one of them is written: the
        sum, modulo 2**64, of their ``stamps_of(array).values``.

        Raises
        ------
        OSError
            If the store can't be asked.
        """
        with writing():  # of which it is the end
            return self.units.stamp(region)

    def __recipe__(self) -> dict[str, Any]:
        """How the array is stored, without attributes and, but for people, where."""
        document = document_of(self._opening())
        return {
            "array": self.format.name,
            "shape": self.shape,
            "dtype": self.dtype.str,
            "chunks": self.chunks,
            "shards": self.shards,
            "fill_value": document.get("fill_value"),
            "metadata": digest_of(document),
            "~path": self.path,
        } | ({"order": self.order} if self.order else {})

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        kind = self.dtype.str, self.shape, self.chunks, self.shards, self.format.name
        return (self.location, *kind)

    def _check_whole(self, region: Box) -> None:
        if not is_whole(region, self.write_unit, self.shape):
            kind = "shards" if self.shards else "chunks"
            asked = tuple((s.start, s.stop) for s in region)
            raise ValueError(
                f"A write to {self.path} must cover whole {kind} of {self.write_unit} voxels, got "
                f"{asked} of shape {self.shape}: two writers of one of them would lose voxels. "
                f"Make blocks a multiple of the {kind}, or create the array with {kind} that "
                "divide the blocks."
            )

    def _cast(self, region: Box, values: NDArray[Any]) -> NDArray[Any]:
        """The values in the array's dtype, if they have the region's shape and fit."""
        shape = tuple(s.stop - s.start for s in region)
        if values.shape != shape:
            what = f"a region of shape {shape} needs values of that shape, got {values.shape}"
            raise ValueError(f"A write to {self.path} of {what}.")
        return as_dtype(values, self.dtype, self.path)

    def _open(self) -> OpenArray:
        return opened(self._opening())

    def _opening(self) -> Opening:
        what = self.location, self.rechecks, self.opening, self.format
        return Opening(*what, own_cache=self.own_cache, order=self.order)
