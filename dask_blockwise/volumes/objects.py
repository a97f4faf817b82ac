"""Gather a table of objects: blocks leave what they counted, the driver joins it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from math import lcm
from typing import TYPE_CHECKING, Any

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from ..engine.evidence import Vouching
from ..engine.ledger import holds
from ..engine.limits import seconds_to_wait
from ..engine.task import Task
from ..geometry.blocks import Block, Coordinate, Roi
from ..geometry.placement import Placement
from ..labels.table import check_names, count_objects, finish, join, names_of
from ..recipes import digest_of, recipe_of
from ..storage.documents import put, read_bytes
from ..storage.location import check_may_be_written, location_of
from ..storage.removal import remove_in_order
from .few_values import check_objects
from .frame import check_real
from .lineage import awaited, is_made_by, place_of, prepared, reach_of
from .options import StoreOptions
from .preparation import Preparation
from .reading import readings
from .region import read_region
from .running import run_all
from .same_place import in_units_of
from .source import LabelSource, Voxels
from .spans import spans_of
from .tasks import upstream_tasks

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Gathering", "objects"]

# Times the number of a voxel, it is counted in int64.
_LARGEST_IN_TABLES = 2**32


def objects(
    labels: Voxels,
    /,
    *volumes: Voxels,
    path: str | os.PathLike[str] | None = None,
    client: Client | None = None,
    resume: bool = True,
    progress: bool = True,
    num_workers: int | None = None,
    max_retries: int = 2,
    timeout: float | None = None,
    workers_timeout: float | str | None = None,
    **named: Voxels,
) -> DataFrame:
    """Measure each object of these labels, block by block, and write a table beside them.

    Parameters
    ----------
    *volumes, **named : Volume
        The mean of each over each object is wanted: ``objects(raw)`` gives a column
        ``mean_1``, ``objects(raw=raw)`` a column ``mean_raw``, and one a channel,
        ``mean_raw_0``, where there are channels. They lie where the labels lie, in any unit.
    path : path or URL, optional
        Of the table, without ``.parquet`` and ``.csv``; ``<labels>.objects`` unless given. A
        table that is there is replaced.
    resume : bool
        Whether to go on with what a run that was broken off has counted.
    progress : bool
        Whether to show a bar.
    client, num_workers, max_retries, timeout, workers_timeout
        As for ``to_zarr``.

    Returns
    -------
    DataFrame
        A row an object, by id: ``id``; ``voxels``; ``volume`` (area in 2-D);
        ``begin_z`` to ``end_x``, the bounding box, and ``centroid_z`` to ``centroid_x``, where a
        voxel spans from its position to the next one's; the means, NaN where a value is; and
        ``unit``, of all of these, in which the volume's metadata is written. With a time axis, a
        row for each object at each time point ``t``.

    Raises
    ------
    ValueError
        If these aren't labels with final ids, lie in no store and have no path given, or a
        volume doesn't lie where they do.
    BlocksFailed
        If blocks failed for good, after all others are done.

    Examples
    --------
    >>> from dask_blockwise import Volume
    >>> raw = Volume.from_array(np.array([[4, 6, 1], [9, 9, 3]], np.uint8), chunks=(1, 3))
    >>> labels = Volume.from_array(np.array([[1, 1, 0], [0, 0, 2]]), chunks=(1, 3))
    >>> table = labels.objects(raw=raw, path="cells", progress=False)
    >>> table[["id", "voxels", "centroid_y", "centroid_x", "mean_raw"]].values.tolist()
    [[1.0, 2.0, 0.5, 1.0, 5.0], [2.0, 1.0, 1.5, 2.5, 3.0]]
    """
    patience = seconds_to_wait(workers_timeout)
    given = {str(n): volume for n, volume in enumerate(volumes, 1)} | named
    measured = {name: in_units_of(volume, labels.frame) for name, volume in given.items()}
    options = StoreOptions(num_workers=num_workers, max_retries=max_retries, timeout=timeout)
    table = _table_path(labels, os.fspath(path) if path else None)
    gathering = Gathering(labels, measured, table, options)
    run_all(gathering.task, client, progress, resume, workers_timeout=patience)
    return gathering.join()


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
    options
        How it is run.
    """

    segments: Voxels
    measured: Mapping[str, Voxels]
    path: str
    options: StoreOptions

    def __post_init__(self) -> None:
        _check_labels(self.segments)
        check_names({name: volume.frame.channels for name, volume in self.measured.items()})
        for name, volume in self.measured.items():
            check_real(volume.frame, "A mean")
            _check_alike(self.segments, name, volume)

    @cached_property
    def task(self) -> Task:
        """Count in all blocks; those that an earlier run has counted are kept."""
        frame, options = self.segments.frame, self.options
        block = Roi(frame.roi.begin, Coordinate(frame.block_shape) * frame.voxel_size)
        preparation = Preparation(on_change="redo")
        volumes = self.segments, *self.measured.values()
        upstream = [task for volume in volumes for task in upstream_tasks(volume, preparation)]
        measured = {name: prepared(volume) for name, volume in self.measured.items()}
        contexts = [awaited(volume, reach_of(volume)) for volume in volumes]
        around = [Coordinate(map(max, zip(*sides))) for sides in zip(*contexts)]
        seen = frame.roi.grow(*around), block.grow(*around)
        if not holds(self._parts, self._fingerprint):
            self.clean()
        spans = spans_of(frame, frame.block_shape)
        read_by = [reading for volume in volumes for reading in readings(volume, spans)]
        shape, stored_by = tuple(len(span.begin) for span in spans), preparation.stored_by
        return Task(
            *(f"objects-{self._fingerprint[:8]}", *seen, block),
            _Count(prepared(self.segments), measured, self._parts),
            read_write_conflict=False,
            fit="shrink",
            num_workers=options.num_workers,
            max_retries=options.max_retries,
            timeout=options.timeout,
            upstream_tasks=upstream or None,
            ledger=self._parts,
            fingerprint=self._fingerprint,
            vouching=Vouching(made_from=preparation.known.evidence(read_by, shape, stored_by)),
            title="objects",
        )

    def counted(self) -> DataFrame:
        """What all blocks counted, joined: boxes and centroids in voxels."""
        return join(_part_at(self._parts, number) for number in range(len(self.task.grid)))

    def join(self) -> DataFrame:
        """Join what all blocks counted, and write it as Parquet and CSV."""
        frame = self.segments.frame
        table = finish(self.counted(), frame.placement.block_axes, *_measures(frame.placement))
        folder, _, name = self.path.rpartition("/")
        folder = folder or "/"
        put(folder, f"{name}.parquet", table.to_parquet(index=False))
        put(folder, f"{name}.csv", table.to_csv(index=False).encode())
        self.clean()
        return table

    def clean(self) -> None:
        """Remove what blocks have left."""
        remove_in_order(self._parts)

    @property
    def _parts(self) -> str:
        return f"{self.path}.parts"

    @cached_property
    def _fingerprint(self) -> str:
        block = self.segments.frame.block_shape
        return digest_of(recipe_of({"of": self.segments, "block": block, "means": self.measured}))


@dataclass(frozen=True)
class _Count:
    """Count the objects of one block, and leave the result in a file of its own."""

    segments: Voxels
    measured: Mapping[str, Voxels]
    parts: str

    def __call__(self, block: Block) -> None:
        frame = self.segments.frame
        begin, end = frame.voxels(block.write_roi)
        labels = self.segments.source.block(block.number, begin, end)
        values: dict[str, NDArray[Any]] = {}
        for name, volume in self.measured.items():
            values |= zip(names_of(name, volume.frame.channels), _parts_of(volume, block.write_roi))
        counted = count_objects(labels, values, begin, frame.axes)
        put(self.parts, _name(block.number), counted.to_parquet())


def _table_path(labels: Voxels, given: str | None) -> str:
    """Where a table goes: as given, or beside the array of the segments, if they are stored."""
    stored = place_of(labels)
    if given is None and stored is None:
        raise ValueError(
            "These segments lie in no store, so there is no place beside them for the table: give "
            'one, objects(path="cells"), which writes cells.parquet and cells.csv.'
        )
    beside = f"{location_of(stored).removesuffix('/s0')}.objects" if stored else ""
    where = location_of(beside if given is None else given)
    check_may_be_written(where)
    return where


def _measures(place: Placement) -> tuple[Sequence[float], Sequence[float], str, int]:
    """Voxel size and offset, unit and its parts, as containers write it.

    The world's where units of axes differ; floats where whole numbers would not fit a table.
    """
    ways = dict(zip(place.block_axes, place.as_written, strict=True))
    units = {way.unit for axis, way in ways.items() if axis != "t"}
    if len(units) > 1:
        return place.voxel_size, place.offset, place.unit, 1
    sizes = [way.size(n) for way, n in zip(ways.values(), place.voxel_size, strict=True)]
    begins = [way.position(n) for way, n in zip(ways.values(), place.offset, strict=True)]
    parts = lcm(*(number.denominator for number in (*sizes, *begins)))
    if parts * max(map(abs, (*sizes, *begins))) > _LARGEST_IN_TABLES:
        return place.written_size, place.written_offset, units.pop(), 1
    whole_sizes, whole_begins = (
        [int(number * parts) for number in listed] for listed in (sizes, begins)
    )
    return whole_sizes, whole_begins, units.pop(), parts


def _name(number: int) -> str:
    """Of what a block leaves."""
    return f"{number}.parquet"


def _part_at(parts: str, number: int) -> DataFrame:
    from pandas import read_parquet

    return read_parquet(BytesIO(read_bytes(parts, _name(number))))


def _parts_of(volume: Voxels, roi: Roi) -> Iterable[NDArray[Any]]:
    """What it has there, each channel by itself."""
    values, axes = read_region(volume, roi), volume.frame.axes
    return np.moveaxis(values, axes.index("c"), 0) if "c" in axes else [values]


def _check_labels(segments: Voxels) -> None:
    if segments.frame.dtype.kind not in "iu" or "c" in segments.frame.axes:
        raise ValueError(
            f"A table of objects needs labels: integers without channels, got {segments!r}."
        )
    if not isinstance(segments.source, LabelSource) and is_made_by(segments, LabelSource):
        raise ValueError(
            f"The ids of {segments!r} are those of single blocks: store what relabel makes of them."
        )
    check_objects(segments, "A table of objects", stacklevel=6)


def _check_alike(segments: Voxels, name: str, volume: Voxels) -> None:
    if not volume.frame.lies_as(segments.frame):
        raise ValueError(
            f"The mean of {name!r} needs a volume of the same region in the same voxels as the "
            f"segments {segments!r}, got {volume!r}: {volume.frame.how_to_lie_as(segments.frame)}."
        )
