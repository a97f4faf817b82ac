"""An array in a store: small to send, read and written in whole shards or chunks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from .documents import store_error
from .formats import FORMATS, open_tensorstore, open_zarr

__all__ = ["Region", "StoredArray"]

Region = tuple[slice, ...]


@dataclass(frozen=True)
class StoredArray:
    """An array in a store: small to send, opened once in each process.

    Axes are in C order: those of N5 and neuroglancer precomputed, which store x first, are turned.
    A read sees what has been written by then, unless the array is ``steady``. The cache of decoded
    chunks holds ``DASK_BLOCKWISE_CACHE_MB`` megabytes a process (256).
    """

    # As it was given, for people.
    path: str
    # Absolute, or a URL.
    location: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    # TensorStore's name of the format: "zarr", "zarr3", "n5" or "neuroglancer_precomputed".
    driver: str
    # Whether zarr-python must decode it.
    by_zarr: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    # Whether every read asks the store if what is cached of it still holds.
    rechecks: bool = True
    # Which opening this is: a later one never sees what an earlier one has cached.
    opening: str = field(default_factory=lambda: uuid4().hex, compare=False, repr=False)

    @property
    def zarr_format(self) -> int | None:
        """2 or 3; None for N5 and precomputed."""
        return FORMATS.get(self.driver)

    @property
    def write_unit(self) -> tuple[int, ...]:
        """What must be written whole: a shard, or else a chunk."""
        return self.shards or self.chunks

    def steady(self) -> StoredArray:
        """The same array, for reading while nobody writes to it."""
        return replace(self, rechecks=False)

    def read(self, region: Region) -> NDArray[Any]:
        """Read a region, given by slices with a start and a stop.

        Raises
        ------
        OSError
            If the store can't be read, or what it holds is damaged.
        """
        part = self._array()[region]
        if self.by_zarr:
            return np.asarray(part)
        try:
            return np.ascontiguousarray(part.read().result())
        except (ValueError, OSError) as error:
            raise store_error(self.path, "read", error) from error

    def write(self, region: Region, values: NDArray[Any]) -> None:
        """Write a region of whole shards, or chunks where there are none.

        Raises
        ------
        ValueError
            If the region begins or ends within one, or the values don't fit it or its dtype.
        OSError
            If the store is full or can't be written.
        """
        self._check_whole(region)
        cast = self._cast(region, values)
        try:
            if self.by_zarr:
                self._array()[region] = cast
            else:
                self._array()[region].write(cast).result()
        except (ValueError, OSError) as error:
            raise store_error(self.path, "written", error) from error

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        kind = self.dtype.str, self.shape, self.chunks, self.shards, self.driver
        return (self.location, *kind, json.dumps(dict(self.attributes), sort_keys=True))

    def _check_whole(self, region: Region) -> None:
        axes = zip(region, self.write_unit, self.shape, strict=True)
        if any(s.start % unit or (s.stop % unit and s.stop != n) for s, unit, n in axes):
            kind = "shards" if self.shards else "chunks"
            asked = tuple((s.start, s.stop) for s in region)
            raise ValueError(
                f"A write to {self.path} must cover whole {kind} of {self.write_unit} voxels, got "
                f"{asked} of shape {self.shape}: two writers of one of them would lose voxels. "
                f"Make blocks a multiple of the {kind}, or create the array with {kind} that "
                "divide the blocks."
            )

    def _cast(self, region: Region, values: NDArray[Any]) -> NDArray[Any]:
        """The values in the array's dtype, if they have the region's shape and fit."""
        shape = tuple(s.stop - s.start for s in region)
        if values.shape != shape:
            raise ValueError(
                f"A write to {self.path} of a region of shape {shape} needs values of that shape, "
                f"got {values.shape}."
            )
        with np.errstate(invalid="ignore", over="ignore"):
            cast = values.astype(self.dtype, copy=False)
        may_lose = self.dtype.kind in "biu" and not np.can_cast(values.dtype, self.dtype)
        if may_lose and not np.array_equal(cast, values):
            raise ValueError(
                f"{self.path} holds {self.dtype}, which can't hold all of these {values.dtype} "
                "values: create it with a wider dtype, or round and clip them first."
            )
        return cast

    def _array(self) -> Any:
        if self.by_zarr:
            return open_zarr(self.location, self.opening)
        return open_tensorstore(self.location, self.driver, self.rechecks, self.opening)
