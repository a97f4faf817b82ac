"""Gather a table of objects: blocks leave what they counted, the driver joins it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import fsspec
import numpy as np
from dask.base import tokenize
from numpy.typing import NDArray

from ..engine.ledger import holds
from ..engine.task import Task
from ..geometry.blocks import Block, Coordinate, Roi
from ..geometry.boxes import Index
from ..labels.table import count_objects, finish, join
from ..storage.location import location_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Gathering", "table_path"]


class _Volume(Protocol):
    @property
    def axes(self) -> tuple[str, ...]: ...
    @property
    def shape(self) -> Index: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def block_shape(self) -> Index: ...
    @property
    def voxel_size(self) -> Coordinate: ...
    @property
    def roi(self) -> Roi: ...
    @property
    def unit(self) -> str: ...
    @property
    def token(self) -> str: ...
    def __getitem__(self, key: Any) -> NDArray[Any]: ...
    def _voxels(self, roi: Roi) -> tuple[Index, Index]: ...
    def _block(self, number: int, begin: Index, end: Index) -> NDArray[Any]: ...
    def _from_stores(self) -> _Volume: ...
    def _upstream(self, made: dict[str, Any]) -> list[Task]: ...


@dataclass(frozen=True)
class Gathering:
    """A table of the objects of a volume of labels, to be gathered block by block.

    Parameters
    ----------
    segments
        The labels.
    measured
        Volumes of which each object's mean is wanted, by name.
    path
        Where the table goes, without ``.parquet`` and ``.csv``.

    Raises
    ------
    ValueError
        If the segments aren't labels, or a volume doesn't lie where they do.
    """

    segments: _Volume
    measured: Mapping[str, _Volume]
    path: str

    def __post_init__(self) -> None:
        _check_labels(self.segments)
        for name, volume in self.measured.items():
            _check_alike(self.segments, name, volume)

    @cached_property
    def task(self) -> Task:
        """Count in all blocks; those that an earlier run has counted are kept."""
        roi, size = self.segments.roi, self.segments.voxel_size
        block = Roi(roi.begin, Coordinate(self.segments.block_shape) * size)
        measured = {name: volume._from_stores() for name, volume in self.measured.items()}
        made: dict[str, Any] = {}
        volumes = self.segments, *self.measured.values()
        upstream = [task for volume in volumes for task in volume._upstream(made)]
        if not holds(self._parts, self._fingerprint):
            self.clean()
        return Task(
            *(f"objects-{self._fingerprint[:8]}", roi, block, block),
            _Count(self.segments._from_stores(), measured, self._parts),
            read_write_conflict=False,
            fit="shrink",
            num_workers=None,
            upstream_tasks=upstream or None,
            ledger=self._parts,
            fingerprint=self._fingerprint,
        )

    def join(self) -> DataFrame:
        """Join what all blocks counted, and write it as Parquet and CSV."""
        volume = self.segments
        axes = [axis for axis in volume.axes if axis != "c"]
        counted = join(self._counted())
        table = finish(counted, axes, volume.voxel_size, volume.roi.begin, volume.unit)
        table.to_parquet(f"{self.path}.parquet", index=False)
        table.to_csv(f"{self.path}.csv", index=False)
        self.clean()
        return table

    def clean(self) -> None:
        """Remove what blocks have left."""
        files, root = fsspec.core.url_to_fs(self._parts)
        if files.exists(root):
            files.rm(root, recursive=True)

    def _counted(self) -> Iterator[DataFrame]:
        from pandas import read_parquet

        return (read_parquet(_part(self._parts, n)) for n in range(len(self.task.grid)))

    @property
    def _parts(self) -> str:
        return f"{self.path}.parts"

    @cached_property
    def _fingerprint(self) -> str:
        tokens = {name: volume.token for name, volume in self.measured.items()}
        return str(tokenize(self.segments.token, self.segments.block_shape, tokens))


@dataclass(frozen=True)
class _Count:
    """Count the objects of one block, and leave the result in a file of its own."""

    segments: _Volume
    measured: Mapping[str, _Volume]
    parts: str

    def __call__(self, block: Block) -> None:
        begin, end = self.segments._voxels(block.write_roi)
        labels = self.segments._block(block.number, begin, end)
        values: dict[str, NDArray[Any]] = {}
        for name, volume in self.measured.items():
            values |= _channels(name, volume.axes, volume[block.write_roi])
        counted = count_objects(labels, values, begin, self.segments.axes)
        counted.to_parquet(_part(self.parts, block.number))


def table_path(segments: Any, path: str | None) -> str:
    """Where a table goes: as given, or beside the array of the segments.

    Raises
    ------
    ValueError
        If none is given and the segments lie in no store.
    """
    given = path or getattr(segments, "path", None)
    if given is None:
        raise ValueError(
            "These segments lie in no store, so there is no place beside them for the table: give "
            'one, objects(path="cells"), which writes cells.parquet and cells.csv.'
        )
    return location_of(given) if path else f"{location_of(given).removesuffix('/s0')}.objects"


def _part(parts: str, number: int) -> str:
    return f"{parts}/{number}.parquet"


def _channels(name: str, axes: Sequence[str], values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Values by name, and by number where there are channels."""
    if "c" not in axes:
        return {name: values}
    return {f"{name}_{n}": part for n, part in enumerate(np.moveaxis(values, axes.index("c"), 0))}


def _check_labels(segments: _Volume) -> None:
    if segments.dtype.kind not in "iu" or "c" in segments.axes:
        raise ValueError(
            f"A table of objects needs labels: integers without channels, got {segments!r}."
        )


def _check_alike(segments: _Volume, name: str, volume: _Volume) -> None:
    if volume.roi != segments.roi or volume.voxel_size != segments.voxel_size:
        raise ValueError(
            f"The mean of {name!r} over each object needs a volume of the same region in the same "
            f"voxels as the segments {segments!r}, got {volume!r}: crop or resample one of them."
        )
