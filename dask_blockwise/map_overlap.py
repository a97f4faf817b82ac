"""Map a numpy function over a volume, each block with its halo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, product
from numbers import Real
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from .geometry import Coordinate
from .ome import Placement
from .volume import ArrayVolume, Context, Index, Volume

__all__ = ["MappedVolume", "map_overlap", "read_padded"]

Boundary = str | float
Halo = tuple[tuple[int, int], ...]

_MODES = ("none", "reflect", "nearest", "periodic")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MappedVolume(Volume):
    """A volume computed from others, a region from the same region grown by a halo."""

    # Called with one array for each input, of one time point: (c, z, y, x), or without "c".
    function: Callable[..., NDArray[Any]]
    # Voxels before and after, along each axis of space.
    halo: Halo
    # What lies beyond the volume, along each axis of space.
    boundary: tuple[Boundary, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def data(self) -> da.Array:
        """One task a block; over a dask array that lives in no store, its own map_overlap."""
        if not self._over_dask():
            return super().data
        source = self.inputs[0].data
        channels = int("c" in self.axes)
        halo = {i + channels: pair for i, pair in enumerate(self.halo)}
        symmetric = all(before == after for before, after in self.halo)
        return da.map_overlap(
            partial(self.function, **self.parameters),
            source,
            depth={i: pair[0] for i, pair in halo.items()} if symmetric else halo,
            boundary={i + channels: mode for i, mode in enumerate(self.boundary)},
            dtype=self.dtype,
            meta=np.empty((0,) * source.ndim, self.dtype),
        )

    @property
    def _own_context(self) -> Context:
        time = (0,) * ("t" in self.axes)
        before, after = ([*time, *side] for side in zip(*self.halo))
        return Coordinate(before) * self.voxel_size, Coordinate(after) * self.voxel_size

    def _over_dask(self) -> bool:
        first = self.inputs[0]
        lives_in_dask = isinstance(first, ArrayVolume) and isinstance(first.array, da.Array)
        return (
            type(self) is MappedVolume
            and len(self.inputs) == 1
            and (lives_in_dask or (isinstance(first, MappedVolume) and first._over_dask()))
            and first.shape == self.shape
            and "t" not in self.axes
        )

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        if "t" not in self.axes:
            return self._point(self.inputs, begin, end)
        return np.stack(
            [
                self._point(tuple(_TimePoint.of(v, t) for v in self.inputs), begin[1:], end[1:])
                for t in range(begin[0], end[0])
            ]
        )

    def _point(self, sources: tuple[Volume, ...], begin: Index, end: Index) -> NDArray[Any]:
        """Values of a box of one time point; the sources have no time axis."""
        low = tuple(b - before for b, (before, _) in zip(begin, self.halo, strict=True))
        high = tuple(e + after for e, (_, after) in zip(end, self.halo, strict=True))
        arrays = [read_padded(source, low, high, self.boundary) for source in sources]
        values = np.asarray(self._values(arrays, begin, end))
        self._check_shape(values, arrays[0], sources[0])
        size = _space(sources[0])
        trim = [
            slice(b - (max(0, lo) if mode == "none" else lo), None)
            for b, lo, mode in zip(begin, low, self.boundary, strict=True)
        ]
        trim = [slice(s.start, s.start + e - b) for s, b, e in zip(trim, begin, end, strict=True)]
        core = values[(..., *trim)] if size else values
        return core.astype(self.dtype, copy=False)

    def _values(self, arrays: Sequence[NDArray[Any]], begin: Index, end: Index) -> NDArray[Any]:
        """Values of a box of one time point and its halo."""
        return self.function(*arrays, **self.parameters)

    def _check_shape(self, values: NDArray[Any], array: NDArray[Any], source: Volume) -> None:
        space = array.shape[array.ndim - len(_space(source)) :]
        channels = [n for axis, n in zip(self.axes, self.shape) if axis == "c"]
        if values.shape != (*channels, *space):
            raise ValueError(
                f"{_name(self.function)} was given an array of shape {array.shape} and returned "
                f"{values.shape}, but {(*channels, *space)} is needed: it must keep the shape in "
                "space, halo included, and the number of channels that it was declared with."
            )


def map_overlap(
    function: Callable[..., NDArray[Any]],
    volume: Volume,
    *others: Volume,
    halo: Any = 0,
    dtype: Any = None,
    boundary: Any = "none",
    channels: str | int | None = "same",
    block_shape: Sequence[int] | None = None,
    **parameters: Any,
) -> Volume:
    """Map a numpy function over a volume, lazily, each block with a halo around it.

    Parameters
    ----------
    function : callable
        Takes an array of one time point, shape ``(c, z, y, x)`` or without the axes that the
        volume lacks, and one more for each of ``others``; returns one of the same shape in space.
    volume, *others : Volume
        All of the same shape in space and voxel size.
    halo : int, or one for each axis of space, or (before, after) for each
        Voxels that a block reads beyond what it writes.
    dtype : dtype, optional
        Of the result; found by a trial on a tiny array unless given.
    boundary : str or number, or one for each axis of space
        What lies beyond the volume: ``"none"`` (nothing, the array is smaller there),
        ``"reflect"``, ``"nearest"``, ``"periodic"`` or a constant, as in dask.array.map_overlap.
    channels : "same", int or None
        Channels of the result; None for no channel axis.
    block_shape : sequence of int, optional
        Voxels of a block along all axes but "c"; the volume's own unless given.
    **parameters
        Passed to the function.

    Returns
    -------
    Volume

    Raises
    ------
    ValueError
        If the halo or boundary doesn't fit the volume, or the volumes don't fit one another.

    Examples
    --------
    >>> from scipy.ndimage import uniform_filter
    >>> volume = Volume.from_array(np.eye(6))
    >>> smooth = map_overlap(uniform_filter, volume, halo=1, boundary="reflect", size=3)
    >>> bool(np.allclose(smooth[:], uniform_filter(np.eye(6), 3)))
    True
    """
    space = _space(volume)
    _check_alike(volume, others)
    shape, placement = _with_channels(volume, channels)
    pairs = _pairs(halo, len(space))
    if dtype is None:
        dtype = _trial(function, (volume, *others), pairs, parameters).dtype
    mapped = MappedVolume(
        shape=shape,
        dtype=np.dtype(dtype),
        placement=placement,
        chunks=shape,
        inputs=(volume, *others),
        function=function,
        halo=pairs,
        boundary=_modes(boundary, len(space)),
        parameters=parameters,
    )
    block = mapped._checked_block(tuple(block_shape)) if block_shape else volume.block_shape
    return replace(mapped, chunks=mapped._with_channels(block))


def read_padded(
    volume: Volume, begin: Index, end: Index, boundary: Sequence[Boundary]
) -> NDArray[Any]:
    """Read a box that may leave the volume.

    Parameters
    ----------
    volume : Volume
        Without a time axis.
    begin, end : tuple of int
        Voxels along the axes of space; 0 is the volume's first.
    boundary : sequence of str or number
        For each axis: ``"none"`` cuts the box at the volume's border, the others fill it.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> volume = Volume.from_array(np.arange(4), axes=("x",))
    >>> read_padded(volume, (-2,), (6,), ("reflect",))
    array([1, 0, 0, 1, 2, 3, 3, 2])
    """
    shape = _space(volume)
    where = [
        _sources(lo, hi, n, mode)
        for lo, hi, n, mode in zip(begin, end, shape, boundary, strict=True)
    ]
    parts = [list(_parts(axis)) for axis in where]
    channels = [n for axis, n in zip(volume.axes, volume.shape) if axis == "c"]
    values = np.zeros((*channels, *(axis.size for axis in where)), volume.dtype)
    for part in product(*parts):
        low, high = tuple(p.begin for p in part), tuple(p.end for p in part)
        read = volume._region(low, high)
        for axis, p in enumerate(part, len(channels)):
            if p.take is not None:
                read = np.take(read, p.take, axis)
        values[(..., *(p.target for p in part))] = read
    _fill(values, where, boundary, len(channels))
    return values


@dataclass(frozen=True)
class _Part:
    """Neighbouring voxels along an axis, read at once."""

    # Where they go.
    target: slice
    # What is read.
    begin: int
    end: int
    # The order in which they are used; None for that of the volume.
    take: NDArray[np.intp] | None


def _sources(low: int, high: int, size: int, mode: Boundary) -> NDArray[np.intp]:
    """For each voxel along an axis, the one of the volume that stands there; -1 for none."""
    at = np.arange(low, high)
    if mode == "none":
        return at[(at >= 0) & (at < size)]
    if mode == "nearest":
        return at.clip(0, size - 1)
    if mode == "periodic":
        return at % size
    if mode == "reflect":
        at = at % (2 * size)
        return np.where(at < size, at, 2 * size - 1 - at)
    return np.where((at >= 0) & (at < size), at, -1)


def _parts(sources: NDArray[np.intp]) -> Iterator[_Part]:
    """Split at jumps, as from the volume's last voxel to its first, and where there is none."""
    inside = sources >= 0
    group = np.cumsum(np.abs(np.diff(sources, prepend=sources[:1])) > 1) * 2 + inside
    for _, positions in groupby(range(sources.size), key=group.__getitem__):
        run = list(positions)
        used = sources[run[0] : run[-1] + 1]
        if used[0] < 0:
            continue
        begin, end = int(used.min()), int(used.max()) + 1
        straight = used.size == end - begin and (np.diff(used) == 1).all()
        yield _Part(slice(run[0], run[-1] + 1), begin, end, None if straight else used - begin)


def _fill(
    values: NDArray[Any], where: list[NDArray[np.intp]], boundary: Sequence[Boundary], first: int
) -> None:
    """Set constants beyond the volume, axis by axis, so that at corners the last one holds."""
    for axis, (sources, mode) in enumerate(zip(where, boundary, strict=True), first):
        if not isinstance(mode, str):
            values[(slice(None),) * axis + (sources < 0,)] = mode


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class _TimePoint(Volume):
    """One time point of a volume."""

    time: int

    @classmethod
    def of(cls, volume: Volume, time: int) -> Volume:
        """The volume itself if it has no time axis."""
        if "t" not in volume.axes:
            return volume
        place = volume.placement
        return cls(
            shape=volume.shape[1:],
            dtype=volume.dtype,
            placement=Placement(place.axes[1:], place.voxel_size[1:], place.offset[1:], place.unit),
            chunks=volume.chunks[1:],
            inputs=(volume,),
            time=time,
        )

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        values: NDArray[Any] = self.inputs[0]._region((self.time, *begin), (self.time + 1, *end))[0]
        return values


def _space(volume: Volume) -> Index:
    return tuple(n for axis, n in zip(volume.axes, volume.shape) if axis not in "tc")


def _with_channels(volume: Volume, channels: str | int | None) -> tuple[Index, Placement]:
    if channels == "same":
        return volume.shape, volume.placement
    sizes = dict(zip(volume.axes, volume.shape)) | {"c": channels}
    held = ("t", "c", *volume.axes) if channels is not None else ("t", *volume.axes)
    axes = tuple(
        dict.fromkeys(a for a in held if a in sizes and (a != "c" or channels is not None))
    )
    return tuple(int(sizes[a] or 0) for a in axes), replace(volume.placement, axes=axes)


def _pairs(halo: Any, dimensions: int) -> Halo:
    values = [halo] * dimensions if isinstance(halo, int | np.integer) else list(halo)
    pairs = tuple(
        (int(v), int(v)) if isinstance(v, int | np.integer) else (int(v[0]), int(v[1]))
        for v in values
    )
    if len(pairs) != dimensions or any(n < 0 for pair in pairs for n in pair):
        raise ValueError(
            f"halo must be a number of voxels, or {dimensions} of them (one for each axis of "
            f"space), or as many pairs (before, after), none of them negative, got {halo!r}."
        )
    return pairs


def _modes(boundary: Any, dimensions: int) -> tuple[Boundary, ...]:
    one = boundary is None or isinstance(boundary, str | Real)
    modes = tuple(
        "none" if b is None else b for b in ([boundary] * dimensions if one else boundary)
    )
    wrong = [m for m in modes if not (m in _MODES if isinstance(m, str) else isinstance(m, Real))]
    if len(modes) != dimensions or wrong:
        raise ValueError(
            f"boundary must be one of {', '.join(_MODES)} or a number, or {dimensions} of them "
            f"(one for each axis of space), got {boundary!r}."
        )
    return modes


def _check_alike(volume: Volume, others: tuple[Volume, ...]) -> None:
    for other in others:
        if _space(other) != _space(volume) or other.roi != volume.roi:
            raise ValueError(
                f"Volumes that are mapped together must cover the same region in the same voxels, "
                f"got {volume!r} and {other!r}: crop or resample one of them."
            )


def _trial(
    function: Callable[..., NDArray[Any]],
    volumes: tuple[Volume, ...],
    halo: Halo,
    parameters: Mapping[str, Any],
) -> NDArray[Any]:
    arrays = [
        np.ones(
            (
                *(n for axis, n in zip(v.axes, v.shape) if axis == "c"),
                *(before + after + 1 for before, after in halo),
            ),
            v.dtype,
        )
        for v in volumes
    ]
    try:
        return np.asarray(function(*arrays, **parameters))
    except Exception as error:
        raise ValueError(
            f"{_name(function)} failed on a trial array of shape {arrays[0].shape} "
            f"({type(error).__name__}: {error}). If it can't take so small an array, give the "
            "result's dtype: map_overlap(..., dtype=...)."
        ) from error


def _name(function: Any) -> str:
    return getattr(function, "__name__", None) or getattr(
        getattr(function, "func", None), "__name__", repr(function)
    )
