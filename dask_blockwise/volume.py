"""Volumes: what answers a region of the world with an ndarray, stored or computed on request."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from functools import cached_property, partial
from html import escape
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
from dask.base import tokenize
from distributed import Client
from numpy.typing import NDArray

from .blockwise_task import Task
from .geometry import Block, Coordinate, Roi
from .ledger import holds
from .objects import Gathering, table_path
from .ome import Placement, default_axes, placement_of
from .plan import Plan
from .progress import RunSummary
from .scheduler import run
from .store import StoredArray, create_image, exists, open_array, read_placement

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "ArrayVolume",
    "BlocksFailed",
    "Checkpoint",
    "StoreOptions",
    "StoredVolume",
    "Volume",
    "create_volume",
    "open_volume",
]

Index = tuple[int, ...]
Context = tuple[Coordinate, Coordinate]

_task_numbers = itertools.count(1)


class BlocksFailed(RuntimeError):
    """Some blocks of a run failed for good; all others are done and kept.

    Parameters
    ----------
    summary : RunSummary
        Which blocks, with the first traceback of each.
    """

    def __init__(self, summary: RunSummary) -> None:
        super().__init__(
            f"Some blocks failed; all others are done and kept, and the same call does only what "
            f"is missing.\n{summary}"
        )
        self.summary = summary


@dataclass(frozen=True)
class StoreOptions:
    """How a volume is stored and run."""

    _: KW_ONLY
    # Voxels of a block along each axis but "c"; None for the volume's own.
    block_shape: Index | None = None
    zarr_format: int = 3
    overwrite: bool = False
    resume: bool = True
    # At most so many blocks of a task at once; None for as many as the cluster runs.
    num_workers: int | None = None
    max_retries: int = 2
    # Seconds a block may take.
    timeout: float | None = None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Volume:
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

    shape: Index
    dtype: np.dtype[Any]
    placement: Placement
    # What is stored together, and for a lazy volume one block; in voxels along all axes.
    chunks: Index
    shards: Index | None = None
    # What the volume is computed from.
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
        _check_axes(placement.axes, array.ndim)
        if chunks is None:
            chunks = getattr(array, "chunksize", None) or _default_block(
                placement.axes, array.shape
            )
        return ArrayVolume(
            shape=tuple(array.shape),
            dtype=np.dtype(array.dtype),
            placement=placement,
            chunks=tuple(min(c, n) for c, n in zip(chunks, array.shape, strict=True)),
            array=array,
        )

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of all axes, such as ``("c", "z", "y", "x")``."""
        return self.placement.axes

    @property
    def voxel_size(self) -> Coordinate:
        """World units a voxel, along all axes but "c"."""
        return Coordinate(self.placement.voxel_size)

    @property
    def offset(self) -> Coordinate:
        """World position of the first voxel, along all axes but "c"."""
        return Coordinate(self.placement.offset)

    @property
    def unit(self) -> str:
        """Unit of the world along space, such as ``"nanometer"``; empty where none is known."""
        return self.placement.unit

    @property
    def roi(self) -> Roi:
        """Where the volume lies, in world units, along all axes but "c"."""
        return Roi(self.offset, Coordinate(self._without_channels(self.shape)) * self.voxel_size)

    @property
    def block_shape(self) -> Index:
        """Voxels of a block, along all axes but "c"."""
        return self._without_channels(self.shards or self.chunks)

    @property
    def data(self) -> da.Array:
        """The volume as a dask array of one task a block, all channels together."""
        shape, block = self._without_channels(self.shape), self.block_shape
        chunks = [_split(n, b) for n, b in zip(shape, block, strict=True)]
        if "c" in self.axes:
            chunks.insert(self.axes.index("c"), (self.shape[self.axes.index("c")],))
        return da.map_blocks(
            partial(_dask_block, self),
            chunks=tuple(chunks),
            dtype=self.dtype,
            meta=np.empty((0,) * len(chunks), self.dtype),
            name=f"volume-{self.token}",
        )

    def __getitem__(self, key: Any) -> NDArray[Any]:
        if isinstance(key, Roi):
            return self._region(*self._voxels(key))
        bounds, rest = _slices(key, self.shape)
        region = self._without_channels(tuple(bounds))
        values = self._region(tuple(b for b, _ in region), tuple(e for _, e in region))
        if "c" in self.axes:
            channel = self.axes.index("c")
            values = values[(slice(None),) * channel + (slice(*bounds[channel]),)]
        return values[rest]

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind} {self.shape} {self.dtype} {''.join(self.axes)}, {self.roi} {self.unit}>"

    def _repr_html_(self) -> str:
        rows = {
            "shape": dict(zip(self.axes, self.shape)),
            "dtype": self.dtype,
            "voxel size": f"{tuple(self.voxel_size)} {self.unit}",
            "region": self.roi,
            "block": self.block_shape,
            "computed from": " + ".join(map(repr, self.inputs)) or "what is stored",
        }
        cells = "".join(
            f"<tr><th>{name}</th><td>{escape(str(value))}</td></tr>" for name, value in rows.items()
        )
        return f"<table>{cells}</table>"

    @cached_property
    def token(self) -> str:
        """A hash of all that the values depend on."""
        values = [getattr(self, f.name) for f in fields(self) if f.name != "inputs"]
        return str(tokenize(type(self).__qualname__, *values, *(i.token for i in self.inputs)))

    def __dask_tokenize__(self) -> str:
        return self.token

    @property
    def context(self) -> Context:
        """What is read before and after a region, in world units, down to what is stored."""
        before, after = self._own_context
        inner = [volume.context for volume in self.inputs]
        zero = Coordinate((0,) * len(self.voxel_size))
        return (
            before + _largest([zero, *(b for b, _ in inner)]),
            after + _largest([zero, *(a for _, a in inner)]),
        )

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
            Previews compute it, until it is stored.
        """
        chosen = _options(options)
        block = self._checked_block(chosen.block_shape)
        chunks = self._with_channels(block)
        return Checkpoint(
            shape=self.shape, dtype=self.dtype, placement=self.placement, chunks=chunks,
            inputs=(self,), path=os.fspath(path), options=chosen,
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
        tasks = self._stored_at(os.fspath(path), _options({"resume": resume, **options}))
        summary = run(tasks, client, progress, resume)
        if not summary:
            raise BlocksFailed(summary)
        return summary

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
        gathering = Gathering(self, measured, table_path(self, path and os.fspath(path)))
        summary = run(gathering.task, client, progress, resume)
        if not summary:
            raise BlocksFailed(summary)
        return gathering.join()

    def plan(self, block_shape: Sequence[int] | None = None) -> Plan:
        """What storing the volume would take; runs nothing.

        Parameters
        ----------
        block_shape : sequence of int, optional
            Voxels of a block along each axis but "c"; the volume's own unless given.

        Returns
        -------
        Plan
        """
        block = self._checked_block(tuple(block_shape) if block_shape else None)
        return Plan.of(self, block)

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        """Values of a box, in voxels along all axes but "c", within the volume."""
        raise NotImplementedError

    def _block(self, number: int, begin: Index, end: Index) -> NDArray[Any]:
        """Values of the block with a number in raster order."""
        return self._region(begin, end)

    def _seen(self, core: tuple[slice, ...], seen: tuple[slice, ...]) -> NDArray[Any]:
        """Values of what a block sees around its core."""
        return self._region(tuple(s.start for s in seen), tuple(s.stop for s in seen))

    @property
    def _own_context(self) -> Context:
        zero = Coordinate((0,) * len(self.voxel_size))
        return zero, zero

    def _from_stores(self) -> Volume:
        """The volume as workers compute it: checkpoints are read from where they are stored."""
        if not self.inputs:
            return self
        return replace(self, inputs=tuple(volume._from_stores() for volume in self.inputs))

    def _upstream(self) -> list[Task]:
        """The tasks that store the checkpoints below."""
        return [task for volume in self.inputs for task in volume._upstream()]

    def _stored_at(self, path: str, options: StoreOptions) -> list[Task]:
        """The tasks that store the volume at a path; its array is made."""
        block = self._checked_block(options.block_shape)
        self._check_not_in_place(path)
        upstream = self._upstream()
        target = self._target(path, block, options)
        return self._tasks(path, target, block, options, upstream)

    def _tasks(
        self,
        path: str,
        target: StoredArray,
        block: Index,
        options: StoreOptions,
        upstream: list[Task],
    ) -> list[Task]:
        store = _Store(self._from_stores(), target)
        name = f"{Path(path).name}-{next(_task_numbers)}"
        return [self._task(name, store, self.context, block, options, upstream, target.path)]

    def _task(
        self,
        name: str,
        process: Any,
        context: Context,
        block: Index,
        options: StoreOptions,
        upstream: Sequence[Task],
        ledger: str,
    ) -> Task:
        """A task over the volume's blocks, of which each reads so much context."""
        write = Roi(self.offset, Coordinate(block) * self.voxel_size)
        return Task(
            name,
            self.roi.grow(*context),
            write.grow(*context),
            write,
            process,
            read_write_conflict=False,
            fit="shrink",
            num_workers=options.num_workers,
            max_retries=options.max_retries,
            timeout=options.timeout,
            upstream_tasks=list(upstream) or None,
            ledger=_ledger(ledger),
            fingerprint=self._fingerprint(block),
            voxels_per_block=prod(block),
        )

    def _fingerprint(self, block: Index) -> str:
        return str(tokenize(self.token, block))

    def _target(self, path: str, block: Index, options: StoreOptions) -> StoredArray:
        """The array to store at: that of an earlier run of the same, or a new one."""
        goes_on = options.resume and not options.overwrite and exists(path)
        if goes_on and holds(_ledger(f"{path.rstrip('/')}/s0"), self._fingerprint(block)):
            return open_array(path, writable=True)
        chunks, shards = _layout(self._with_channels(block), self.axes, options.zarr_format)
        return create_image(
            path,
            self.placement,
            self.shape,
            self.dtype,
            chunks=chunks,
            shards=shards,
            zarr_format=options.zarr_format,
            overwrite=options.overwrite,
        )

    def _check_not_in_place(self, path: str) -> None:
        for volume in self.inputs:
            volume._check_not_in_place(path)

    def _checked_block(self, block: Index | None) -> Index:
        if block is None:
            return self.block_shape
        if len(block) != len(self.voxel_size) or min(block) < 1:
            raise ValueError(
                f"block_shape must be {len(self.voxel_size)} positive numbers of voxels, for the "
                f"axes {self.placement.block_axes}, got {block}."
            )
        return tuple(min(b, n) for b, n in zip(block, self._without_channels(self.shape)))

    def _voxels(self, roi: Roi) -> tuple[Index, Index]:
        if roi.dims != len(self.voxel_size) or not self.roi.contains(roi):
            raise ValueError(
                f"The region {roi} isn't within the volume's {self.roi}: intersect it with "
                "volume.roi, in world units along all axes but 'c'."
            )
        _check_on_grid(roi, self)
        begin = (roi.begin - self.offset) / self.voxel_size
        return tuple(begin), tuple(begin + roi.shape / self.voxel_size)

    def _without_channels(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(v for axis, v in zip(self.axes, values, strict=True) if axis != "c")

    def _with_channels(self, block: Index) -> Index:
        rest = iter(block)
        axes = zip(self.axes, self.shape, strict=True)
        return tuple(n if axis == "c" else next(rest) for axis, n in axes)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ArrayVolume(Volume):
    """A volume of a numpy or dask array in memory."""

    array: Any

    @property
    def data(self) -> da.Array:
        """The array itself, or its blocks."""
        return self.array if isinstance(self.array, da.Array) else super().data

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        values = self.array[_full(self.axes, begin, end)]
        if isinstance(values, da.Array):
            # Within a task, where no other scheduler may be asked.
            (values,) = dask.compute(values, scheduler="synchronous")
        return np.asarray(values)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StoredVolume(Volume):
    """A volume in a store; ``volume[roi] = values`` writes whole shards or chunks."""

    stored: StoredArray

    @property
    def path(self) -> str:
        """Where the array lies."""
        return self.stored.path

    def __setitem__(self, roi: Roi, values: NDArray[Any]) -> None:
        self.stored.write(self._box(roi), np.asarray(values))

    def _box(self, roi: Roi) -> tuple[slice, ...]:
        box = _full(self.axes, *self._voxels(roi))
        axes = zip(box, self.shape, strict=True)
        return tuple(slice(s.start or 0, n if s.stop is None else s.stop) for s, n in axes)

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        return self.stored.read(_bounded(_full(self.axes, begin, end), self.shape))

    def _check_not_in_place(self, path: str) -> None:
        if self.path in (path.rstrip("/"), f"{path.rstrip('/')}/s0"):
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
    def token(self) -> str:  # type: ignore[override]
        """That of what it stores."""
        return self.inputs[0].token

    @property
    def context(self) -> Context:
        """None: what is made from it reads it from where it is stored."""
        return self._own_context

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        return self.inputs[0]._region(begin, end)

    def _from_stores(self) -> Volume:
        return _volume(open_array(self.path).uncached())

    def _upstream(self) -> list[Task]:
        return self.inputs[0]._stored_at(self.path, self.options)

    def _check_not_in_place(self, path: str) -> None:
        if self.path.rstrip("/") == path.rstrip("/"):
            raise ValueError(f"{path} is a checkpoint on the way: store at another path.")
        super()._check_not_in_place(path)


@dataclass(frozen=True)
class _Store:
    """Store one block of a volume."""

    volume: Volume
    target: StoredArray

    def __call__(self, block: Block) -> None:
        begin, end = self.volume._voxels(block.write_roi)
        box = _bounded(_full(self.volume.axes, begin, end), self.volume.shape)
        self.target.write(box, self.volume._block(block.number, begin, end))


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
    >>> made = create_volume("in.zarr/raw", shape=(4, 4), dtype="uint8", voxel_size=(8, 8))
    >>> open_volume("in.zarr/raw").roi
    [0:32, 0:32] (32, 32)
    """
    return _volume(open_array(path))


def create_volume(
    path: str | os.PathLike[str],
    like: Volume | None = None,
    *,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
    axes: Sequence[str] | None = None,
    voxel_size: Sequence[Any] | None = None,
    offset: Sequence[Any] | None = None,
    unit: str = "",
    block_shape: Sequence[int] | None = None,
    zarr_format: int = 3,
    overwrite: bool = False,
) -> StoredVolume:
    """Create an OME-Zarr image of zeros, to be written block by block.

    Parameters
    ----------
    path : path or URL
    like : Volume, optional
        Gives whatever is not given.
    shape : sequence of int
    dtype : dtype
    axes : sequence of str
    voxel_size, offset : sequence of number
        In world units, for all axes but "c".
    unit : str
    block_shape : sequence of int
        Voxels of what is written at once: one shard, or one chunk.
    zarr_format : int
    overwrite : bool

    Returns
    -------
    StoredVolume

    Raises
    ------
    ValueError
        If neither ``like`` nor ``shape`` and ``dtype`` are given.
    FileExistsError
        If something is there.
    """
    if like is None and (shape is None or dtype is None):
        raise ValueError("create_volume needs shape and dtype, or a volume to be like.")
    full = tuple(shape) if shape is not None else like.shape  # type: ignore[union-attr]
    placement = like.placement if like is not None else None
    if placement is None or axes or voxel_size or offset or unit:
        placement = placement_of(axes or default_axes(len(full)), voxel_size, offset, unit)
    _check_axes(placement.axes, len(full))
    block = tuple(block_shape or (like.block_shape if like is not None else ()))
    sizes = iter(block)
    whole = (
        tuple(n if axis == "c" else min(n, next(sizes)) for axis, n in zip(placement.axes, full))
        if block
        else _default_block(placement.axes, full)
    )
    chunks, shards = _layout(whole, placement.axes, zarr_format)
    kind = np.dtype(dtype) if dtype is not None else like.dtype  # type: ignore[union-attr]
    create_image(
        path, placement, full, kind,
        chunks=chunks, shards=shards, zarr_format=zarr_format, overwrite=overwrite,
    )  # fmt: skip
    return open_volume(path)


def _volume(stored: StoredArray) -> StoredVolume:
    placement = read_placement(stored)
    _check_axes(placement.axes, len(stored.shape))
    return StoredVolume(
        shape=stored.shape,
        dtype=stored.dtype,
        placement=placement,
        chunks=stored.chunks,
        shards=stored.shards,
        stored=stored,
    )


def _dask_block(
    volume: Volume, block_id: Index | None = None, block_info: Any = None
) -> NDArray[Any]:
    index = volume._without_channels(block_id or ())
    shape, block = volume._without_channels(volume.shape), volume.block_shape
    begin = tuple(i * b for i, b in zip(index, block, strict=True))
    end = tuple(min(n, o + b) for n, o, b in zip(shape, begin, block, strict=True))
    counts = tuple(-(-n // b) for n, b in zip(shape, block, strict=True))
    return volume._block(int(np.ravel_multi_index(index, counts)), begin, end)


def _full(axes: tuple[str, ...], begin: Index, end: Index) -> tuple[slice, ...]:
    """Slices along all axes of a box without channels."""
    bounds = iter(zip(begin, end, strict=True))
    return tuple(slice(None) if axis == "c" else slice(*next(bounds)) for axis in axes)


def _bounded(box: tuple[slice, ...], shape: Index) -> tuple[slice, ...]:
    return tuple(slice(*s.indices(n)[:2]) for s, n in zip(box, shape, strict=True))


def _slices(key: Any, shape: Index) -> tuple[list[tuple[int, int]], tuple[Any, ...]]:
    """The bounds of a numpy index, and what remains to be applied within them."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if Ellipsis in keys:
        at = keys.index(Ellipsis)
        keys[at : at + 1] = [slice(None)] * (len(shape) - len(keys) + 1)
    keys += [slice(None)] * (len(shape) - len(keys))
    if len(keys) > len(shape) or any(not isinstance(k, int | np.integer | slice) for k in keys):
        raise TypeError(
            f"A volume is indexed with a Roi in world units, or with integers and slices along "
            f"its {len(shape)} axes, got {key!r}."
        )
    pairs = [_axis_slice(k, n) for k, n in zip(keys, shape, strict=True)]
    return [bounds for bounds, _ in pairs], tuple(rest for _, rest in pairs)


def _axis_slice(key: Any, size: int) -> tuple[tuple[int, int], Any]:
    if isinstance(key, slice):
        wanted = range(size)[key]
        if not wanted:
            return (0, 0), slice(None)
        low, high = min(wanted), max(wanted)
        return (low, high + 1), slice(None, None, key.step)
    at = range(size)[key]
    return (at, at + 1), 0


def _check_axes(axes: tuple[str, ...], dimensions: int) -> None:
    space = [axis for axis in axes if axis not in "tc"]
    ordered = [axis for axis in ("t", "c") if axis in axes] + space
    if len(axes) != dimensions or list(axes) != ordered or len(set(axes)) != len(axes):
        raise ValueError(
            f"axes must be an optional 't', an optional 'c' and then space, one for each of the "
            f"array's {dimensions} dimensions, got {axes}. Transpose the array, or name its axes."
        )


def _check_on_grid(roi: Roi, volume: Volume) -> None:
    off, size = (roi.begin - volume.offset), volume.voxel_size
    if any(o % v for o, v in zip(off, size)) or any(n % v for n, v in zip(roi.shape, size)):
        raise ValueError(
            f"The region {roi} cuts voxels of {tuple(size)} world units: snap it, "
            "roi.snap_to_grid(volume.voxel_size)."
        )


def _options(options: dict[str, Any]) -> StoreOptions:
    known = {f.name for f in fields(StoreOptions)}
    if unknown := set(options) - known:
        raise TypeError(f"Unknown {sorted(unknown)}: options are {sorted(known)}.")
    if options.get("block_shape") is not None:
        options = options | {"block_shape": tuple(options["block_shape"])}
    return StoreOptions(**options)


def _ledger(array_path: str) -> str:
    return f"{array_path}/.dask_blockwise"


def _split(size: int, step: int) -> Index:
    return tuple(min(step, size - begin) for begin in range(0, size, step)) or (0,)


def _largest(coordinates: list[Coordinate]) -> Coordinate:
    return Coordinate(max(values) for values in zip(*coordinates))


def _default_block(axes: tuple[str, ...], shape: Sequence[int]) -> Index:
    space = sum(axis not in "tc" for axis in axes)
    size = 128 if space >= 3 else 1024
    return tuple(
        n if axis == "c" else 1 if axis == "t" else min(n, size) for axis, n in zip(axes, shape)
    )


def _layout(block: Index, axes: tuple[str, ...], zarr_format: int) -> tuple[Index, Index | None]:
    """A shard a block with inner chunks near 64 (512 in 2-D); zarr 2 has chunks alone."""
    if zarr_format == 2:
        return block, None
    near = 64 if sum(axis not in "tc" for axis in axes) >= 3 else 512
    chunks = tuple(b if axis in "tc" else _divisor(b, near) for axis, b in zip(axes, block))
    return chunks, (block if chunks != block else None)


def _divisor(size: int, near: int) -> int:
    """The largest divisor up to near, unless that is so small that the whole is better."""
    best = max(d for d in range(1, min(size, near) + 1) if size % d == 0)
    return best if best >= near // 4 else size
