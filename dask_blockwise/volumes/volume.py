"""Volumes: previewed by region, made into one another, stored; and opened where they are stored."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask.base import compute
from dask.utils import format_bytes
from distributed import Client
from numpy.typing import NDArray

from ..engine.progress import RunSummary
from ..engine.task import Task
from ..geometry.blocks import Roi
from ..geometry.boxes import Index, bounded, full_box
from ..geometry.placement import default_axes, placement_of
from ..storage.arrays import StoredArray, open_array, read_placement
from ..storage.chunking import default_block
from ..storage.location import location_of
from ..tables import by_axis, html_table
from .frame import check_axes
from .objects import Gathering, table_path
from .plan import Plan, StagePlan
from .region import Context
from .storable import Storable
from .storing import BlocksFailed, Made, StoreOptions, run_all

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "ArrayVolume",
    "BlocksFailed",
    "Checkpoint",
    "Context",
    "Index",
    "StoreOptions",
    "StoredVolume",
    "Volume",
    "open_volume",
]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Volume(Storable):
    """Voxels in the world: ``volume[roi]`` gives an ndarray, read or computed on request.

    A region is a ``Roi`` in world units over all axes but the channels', or slices in voxels over
    all axes. Axes are an optional ``"t"``, an optional ``"c"``, then space.

    Examples
    --------
    >>> volume = Volume.from_array(np.arange(12).reshape(3, 4), voxel_size=(10, 5), offset=(0, 20))
    >>> volume.roi
    [0:30, 20:40] (30, 20)
    >>> volume[Roi((10, 25), (10, 10))], volume[2, 1:3]
    (array([[5, 6]]), array([ 9, 10]))
    """

    inputs: tuple[Volume, ...] = ()

    @staticmethod
    def from_array(
        array: Any,
        voxel_size: Sequence[Any] | None = None,
        offset: Sequence[Any] | None = None,
        axes: Sequence[str] | None = None,
        unit: str = "",
        chunks: Sequence[int] | None = None,
    ) -> Volume:
        """Make a volume of a numpy or dask array.

        Parameters
        ----------
        array : ndarray or dask.array.Array
        voxel_size, offset : sequence of number, optional
            In world units, for all axes but "c".
        axes : sequence of str, optional
            (t, c, z, y, x) from the right unless given.
        unit : str
        chunks : sequence of int, optional
            Voxels of a block, for all axes.

        Returns
        -------
        Volume
        """
        placement = placement_of(axes or default_axes(array.ndim), voxel_size, offset, unit)
        check_axes(placement.axes, array.ndim)
        if array.dtype.kind not in "buifc":
            raise TypeError(f"Voxels must be numbers, got {array.dtype}: convert the array first.")
        if chunks is None:
            chunks = getattr(array, "chunksize", None) or default_block(placement.axes, array.shape)
        return ArrayVolume(
            shape=tuple(array.shape),
            dtype=np.dtype(array.dtype),
            placement=placement,
            chunks=tuple(min(c, n) for c, n in zip(chunks, array.shape, strict=True)),
            array=array,
        )

    def _repr_html_(self) -> str:
        axes = self.placement.block_axes
        spans = [f"{begin} to {end}" for begin, end in zip(self.roi.begin, self.roi.end)]
        rows = {
            "shape": by_axis(self.axes, self.shape),
            "values": f"{self.dtype}, {format_bytes(prod(self.shape) * self.dtype.itemsize)}",
            "voxel size": by_axis(axes, self.voxel_size, self.unit),
            "region": by_axis(axes, spans, self.unit),
            "block": by_axis(axes, self.block_shape),
            "computed from": " + ".join(map(repr, self.inputs)) or "what is stored",
        }
        return html_table(rows)

    def checkpoint(self, path: str | os.PathLike[str], **options: Any) -> Volume:
        """The same volume, stored on the way when something made from it is stored.

        Parameters
        ----------
        path : path or URL
        **options
            Of ``StoreOptions``.

        Returns
        -------
        Volume
            Previews compute it.
        """
        chosen = StoreOptions.of(options)
        block = self._checked_block(chosen.block_shape)
        chunks = self._with_channels(block)
        return Checkpoint(
            shape=self.shape, dtype=self.dtype, placement=self.placement, chunks=chunks,
            inputs=(self,), path=location_of(path), options=chosen,
        )  # fmt: skip

    def to_zarr(
        self,
        path: str | os.PathLike[str],
        *,
        client: Client | None = None,
        resume: bool = True,
        progress: bool = True,
        **options: Any,
    ) -> RunSummary:
        """Compute the volume block by block and store it as OME-Zarr.

        Parameters
        ----------
        path : path or URL
            Such as ``"out.zarr/segments"``.
        client : distributed.Client, optional
            The present one, else a cluster on this machine, unless given.
        resume : bool
            Whether to go on with what an earlier run of the same computation stored there.
        progress : bool
            Whether to show a bar.
        **options
            ``block_shape``, ``zarr_format``, ``overwrite``, ``num_workers``, ``max_retries`` and
            ``timeout`` of ``StoreOptions``.

        Returns
        -------
        RunSummary

        Raises
        ------
        FileExistsError
            If something else is stored there, unless ``overwrite=True``.
        BlocksFailed
            If blocks failed for good, after all others are done.

        Examples
        --------
        >>> volume = Volume.from_array(np.eye(4))
        >>> bool(volume.to_zarr("eye.zarr/copy", progress=False))
        True
        >>> open_volume("eye.zarr/copy")[1, :2]
        array([0., 1.])
        """
        chosen = StoreOptions.of({"resume": resume, **options})
        return run_all(self._stored_at(location_of(path), chosen, {}), client, progress, resume)

    def objects(
        self,
        *volumes: Volume,
        path: str | os.PathLike[str] | None = None,
        client: Client | None = None,
        resume: bool = True,
        progress: bool = True,
        **named: Volume,
    ) -> DataFrame:
        """Measure each object of these labels, block by block, and write a table beside them.

        Parameters
        ----------
        *volumes, **named : Volume
            The mean of each over each object is wanted: ``objects(raw)`` gives a column
            ``mean_1``, ``objects(raw=raw)`` a column ``mean_raw``, and one a channel,
            ``mean_raw_0``, where there are channels. They lie where the labels lie.
        path : path or URL, optional
            Of the table, without ``.parquet`` and ``.csv``; ``<labels>.objects`` unless given. A
            table that is there is replaced.
        client : distributed.Client, optional
            As for ``to_zarr``.
        resume : bool
            Whether to go on with what a run that was broken off has counted.
        progress : bool
            Whether to show a bar.

        Returns
        -------
        DataFrame
            A row an object, by id: ``id``; ``voxels``; ``volume`` (area in 2-D) in world units;
            ``begin_z`` to ``end_x``, the bounding box, and ``centroid_z`` to ``centroid_x``, in
            world units as regions are: a voxel spans from its position to the next one's; the
            means; and ``unit``. With a time axis, a row for each object at each time point ``t``.

        Raises
        ------
        ValueError
            If these aren't labels with final ids, lie in no store and have no path given, or a
            volume doesn't lie where they do.
        BlocksFailed
            If blocks failed for good, after all others are done.

        Examples
        --------
        >>> raw = Volume.from_array(np.array([[4, 6, 1], [9, 9, 3]], np.uint8), chunks=(1, 3))
        >>> labels = Volume.from_array(np.array([[1, 1, 0], [0, 0, 2]]), chunks=(1, 3))
        >>> table = labels.objects(raw=raw, path="cells", progress=False)
        >>> table[["id", "voxels", "centroid_y", "centroid_x", "mean_raw"]].values.tolist()
        [[1.0, 2.0, 0.5, 1.0, 5.0], [2.0, 1.0, 1.5, 2.5, 3.0]]
        """
        measured = {str(n): volume for n, volume in enumerate(volumes, 1)} | named
        gathering = Gathering(self, measured, table_path(self, os.fspath(path) if path else None))
        run_all(gathering.task, client, progress, resume)
        return gathering.join()

    def plan(self, block_shape: Sequence[int] | None = None) -> Plan:
        """What storing the volume, and the checkpoints on the way to it, would take; runs nothing.

        Parameters
        ----------
        block_shape : sequence of int, optional
            Voxels of a block along each axis but "c"; the volume's own unless given.

        Returns
        -------
        Plan
            A row for each task of the run, as its summary will have.

        Examples
        --------
        >>> volume = Volume.from_array(np.zeros((64, 64), np.uint8), chunks=(32, 32))
        >>> print(volume.checkpoint("a.zarr/copy").plan())
        stage     block  blocks      read   written  a worker holds  recompute factor
        ------  -------  ------  --------  --------  --------------  ----------------
        copy    32 x 32       4  4.00 kiB  4.00 kiB        2.00 kiB              1.00
        result  32 x 32       4  4.00 kiB  4.00 kiB        2.00 kiB              1.00
        in all                8  8.00 kiB  8.00 kiB        2.00 kiB
        """
        block = self._checked_block(tuple(block_shape) if block_shape else None)
        stages = *self._upstream_plans().values(), *self._own_plans("result", block)
        return Plan(stages)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ArrayVolume(Volume):
    """A volume of a numpy or dask array in memory."""

    array: Any

    @property
    def data(self) -> da.Array:
        """The array itself, or its blocks."""
        return self.array if self._in_dask() else super().data

    def _in_dask(self) -> bool:
        return isinstance(self.array, da.Array)

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        values = self.array[full_box(self.axes, begin, end)]
        if isinstance(values, da.Array):
            # Within a task, where no other scheduler may be asked.
            (values,) = compute(values, scheduler="synchronous")
        return np.asarray(values)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StoredVolume(Volume):
    """A volume in a store; ``volume[roi] = values`` writes whole shards or chunks."""

    stored: StoredArray
    # Whether the run that reads it writes it too.
    written: bool = False

    @property
    def path(self) -> str:
        """Where the array lies."""
        return self.stored.path

    def __setitem__(self, roi: Roi, values: NDArray[Any]) -> None:
        self.stored.write(self._box(roi), np.asarray(values))

    def _from_stores(self) -> Volume:
        return self if self.written else replace(self, stored=self.stored.steady())

    def _box(self, roi: Roi) -> tuple[slice, ...]:
        box = full_box(self.axes, *self._voxels(roi))
        axes = zip(box, self.shape, strict=True)
        return tuple(slice(s.start or 0, n if s.stop is None else s.stop) for s, n in axes)

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        return self.stored.read(bounded(full_box(self.axes, begin, end), self.shape))

    def _check_not_in_place(self, path: str) -> None:
        if self.stored.location in (path, f"{path}/s0"):
            raise ValueError(
                f"{path} is what this volume is computed from: a block computed again would read "
                "its own output. Store it at another path."
            )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Checkpoint(Volume):
    """A volume that is stored on the way to what is made from it."""

    path: str
    options: StoreOptions

    @property
    def token(self) -> str:
        """That of what it stores."""
        return self.inputs[0].token

    @property
    def data(self) -> da.Array:
        """That of what it stores."""
        return self.inputs[0].data

    @property
    def context(self) -> Context:
        """None: what is made from it reads it from where it is stored."""
        return self._own_context

    def _in_dask(self) -> bool:
        return self.inputs[0]._in_dask()

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        return self.inputs[0]._region(begin, end)

    def _from_stores(self) -> Volume:
        return _volume(open_array(self.path))

    @property
    def _is_stored(self) -> bool:
        return True

    def _upstream_plans(self) -> dict[tuple[str, str], StagePlan]:
        (made,) = self.inputs
        block = made._checked_block(self.options.block_shape)
        own = made._own_plans(Path(self.path).name, block)
        return made._upstream_plans() | {(self.path, stage.name): stage for stage in own}

    def _check_regional(self, stored: bool = False) -> None:
        for volume in self.inputs[0].inputs if stored else self.inputs:
            volume._check_regional(stored)

    def _upstream(self, made: Made) -> list[Task]:
        if self.path not in made:
            made[self.path] = self.token, self.inputs[0]._stored_at(self.path, self.options, made)
        token, tasks = made[self.path]
        if token != self.token:
            raise ValueError(
                f"Two different checkpoints of one run would be stored at {self.path}: give each "
                "a path of its own."
            )
        return tasks

    def _check_not_in_place(self, path: str) -> None:
        if self.path == path:
            raise ValueError(f"{path} is a checkpoint on the way: store at another path.")
        super()._check_not_in_place(path)


def open_volume(path: str | os.PathLike[str]) -> StoredVolume:
    """Open a stored volume: zarr 2 or 3, OME-Zarr, N5, precomputed; local, s3:// or gs://.

    Parameters
    ----------
    path : path or URL
        Of an array, or of an OME-Zarr image, of which the first level is opened.

    Returns
    -------
    StoredVolume

    Raises
    ------
    FileNotFoundError
        If there is no array.

    Examples
    --------
    >>> volume = Volume.from_array(np.eye(4), voxel_size=(8, 8))
    >>> _ = volume.to_zarr("in.zarr/raw", progress=False)
    >>> open_volume("in.zarr/raw").roi
    [0:32, 0:32] (32, 32)
    """
    return _volume(open_array(path))


def _volume(stored: StoredArray) -> StoredVolume:
    placement = read_placement(stored)
    check_axes(placement.axes, len(stored.shape))
    return StoredVolume(
        shape=stored.shape,
        dtype=stored.dtype,
        placement=placement,
        chunks=stored.chunks,
        shards=stored.shards,
        stored=stored,
    )
