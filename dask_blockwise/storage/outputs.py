"""How what is computed lies in a store: as an OME-Zarr image, or as a scale of precomputed data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..geometry.boxes import Index
from ..geometry.placement import Placement
from .arrays import create_image, read_attributes, write_attributes
from .chunking import chunks_and_shards
from .location import location_of
from .scale_output import ScaleOutput
from .scales import keys_of
from .stored_array import StoredArray

__all__ = ["ImageOutput", "OutputKind", "output_at"]


class OutputKind(Protocol):
    """A way to keep what is computed: one array, and a record of what it was computed by."""

    def path_in(self, path: str, placement: Placement) -> str:
        """Where an output lies that a person stores at a path."""

    def array_path(self, path: str) -> str:
        """Where the array of an output lies."""

    def is_made_so(self, array: StoredArray, axes: tuple[str, ...], block: Index) -> bool:
        """Whether an array that is there is cut and encoded as this makes one.

        Parameters
        ----------
        array : StoredArray
        axes : tuple of str
        block : tuple of int
            What is written at once, along all axes.
        """

    def create(
        self,
        path: str,
        placement: Placement,
        shape: Index,
        dtype: np.dtype[Any],
        block: Index,
        *,
        overwrite: bool,
        attributes: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> StoredArray:
        """Make the array of an output.

        Parameters
        ----------
        path : str
            Of the output.
        placement : Placement
        shape, block : tuple of int
            Voxels of all, and of what is written at once, along all axes.
        dtype : dtype
        overwrite : bool
            Whether an output that is there is replaced.
        attributes : mapping
            Of the array.
        record : mapping
            Of the output.

        Raises
        ------
        FileExistsError
            If something else is there.
        """

    def record(self, path: str) -> Mapping[str, Any]:
        """What was recorded with an output; empty where nothing was."""

    def write_record(self, path: str, record: Mapping[str, Any]) -> None:
        """Record with an output, in place of what was."""


@dataclass(frozen=True)
class ImageOutput:
    """An OME-Zarr image; its path is that of its group."""

    zarr_format: int = 3

    def path_in(self, path: str, placement: Placement) -> str:
        """See `OutputKind.path_in`."""
        return path

    def array_path(self, path: str) -> str:
        """See `OutputKind.array_path`."""
        return f"{path}/s0"

    def is_made_so(self, array: StoredArray, axes: tuple[str, ...], block: Index) -> bool:
        """See `OutputKind.is_made_so`; of either version of zarr."""
        version = array.zarr_format
        cut = None if version is None else chunks_and_shards(block, axes, version)
        return cut == (array.chunks, array.shards)

    def create(
        self,
        path: str,
        placement: Placement,
        shape: Index,
        dtype: np.dtype[Any],
        block: Index,
        *,
        overwrite: bool,
        attributes: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> StoredArray:
        """See `OutputKind.create`."""
        chunks, shards = chunks_and_shards(block, placement.axes, self.zarr_format)
        return create_image(
            path,
            placement,
            shape,
            dtype,
            chunks=chunks,
            shards=shards,
            zarr_format=self.zarr_format,
            overwrite=overwrite,
            attributes=attributes,
            group_attributes=record,
        )

    def record(self, path: str) -> Mapping[str, Any]:
        """See `OutputKind.record`."""
        return read_attributes(path)

    def write_record(self, path: str, record: Mapping[str, Any]) -> None:
        """See `OutputKind.write_record`."""
        write_attributes(path, record)


def output_at(path: str) -> tuple[OutputKind, str]:
    """The kind of output that may lie at a path, and where it lies.

    That of precomputed data may be given by the path of all scales: the first one is meant.
    """
    location = location_of(path)
    keys = keys_of(location)
    if keys:
        return ScaleOutput(), f"{location}/{keys[0]}"
    root, _, key = location.rpartition("/")
    return (ScaleOutput() if key in keys_of(root) else ImageOutput()), location
