"""Map a numpy function over a volume, each block with its halo."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from ..geometry.placement import Placement
from .padding import Boundary, Halo, boundaries_of, halo_of, read_padded, space_of
from .volume import Context, Volume

__all__ = ["MappedVolume", "map_overlap", "read_padded"]


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
        """One task a block; over what only dask has as a whole, its own map_overlap."""
        if not self._over_dask():
            return super().data
        source = self.inputs[0].data
        channels = int("c" in self.axes)
        halo = {i + channels: pair for i, pair in enumerate(self.halo)}
        array: da.Array = da.map_overlap(
            partial(self.function, **self.parameters),
            source,
            depth={i: pair[0] for i, pair in halo.items()} if self._symmetric() else halo,
            boundary={i + channels: mode for i, mode in enumerate(self.boundary)},
            dtype=self.dtype,
            meta=np.empty((0,) * source.ndim, self.dtype),
        )
        return array

    @property
    def _own_context(self) -> Context:
        time = (0,) * ("t" in self.axes)
        before, after = ([*time, *side] for side in zip(*self.halo))
        return Coordinate(before) * self.voxel_size, Coordinate(after) * self.voxel_size

    @property
    def _own_wraps(self) -> tuple[bool, ...]:
        return (False,) * ("t" in self.axes) + tuple(mode == "periodic" for mode in self.boundary)

    def _in_dask(self) -> bool:
        return self._over_dask()

    def _over_dask(self) -> bool:
        """Whether the values come from a dask array, in a way that its map_overlap knows."""
        return (
            type(self) is MappedVolume
            and len(self.inputs) == 1
            and self.inputs[0]._in_dask()
            and self.inputs[0].shape == self.shape
            and "t" not in self.axes
            and (self._symmetric() or set(self.boundary) == {"none"})
        )

    def _symmetric(self) -> bool:
        return all(before == after for before, after in self.halo)

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
        starts = [
            b - (max(0, lo) if mode == "none" else lo)
            for b, lo, mode in zip(begin, low, self.boundary, strict=True)
        ]
        trim = tuple(slice(s, s + e - b) for s, b, e in zip(starts, begin, end, strict=True))
        core: NDArray[Any] = values[(slice(None),) * (values.ndim - len(trim)) + trim]
        return core.astype(self.dtype, copy=False)

    def _values(self, arrays: Sequence[NDArray[Any]], begin: Index, end: Index) -> NDArray[Any]:
        """Values of a box of one time point and its halo."""
        return self.function(*arrays, **self.parameters)

    def _check_shape(self, values: NDArray[Any], array: NDArray[Any], source: Volume) -> None:
        space = array.shape[array.ndim - len(space_of(source)) :]
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
    space = space_of(volume)
    _check_alike(volume, others)
    shape, placement = _with_channels(volume, channels)
    pairs = halo_of(halo, len(space))
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
        boundary=boundaries_of(boundary, len(space)),
        parameters=parameters,
    )
    block = mapped._checked_block(tuple(block_shape)) if block_shape else volume.block_shape
    return replace(mapped, chunks=mapped._with_channels(block))


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


def _with_channels(volume: Volume, channels: str | int | None) -> tuple[Index, Placement]:
    if channels == "same":
        return volume.shape, volume.placement
    sizes = dict(zip(volume.axes, volume.shape)) | {"c": channels}
    held = ("t", "c", *volume.axes) if channels is not None else ("t", *volume.axes)
    axes = tuple(
        dict.fromkeys(a for a in held if a in sizes and (a != "c" or channels is not None))
    )
    return tuple(int(sizes[a] or 0) for a in axes), replace(volume.placement, axes=axes)


def _check_alike(volume: Volume, others: tuple[Volume, ...]) -> None:
    for other in others:
        if space_of(other) != space_of(volume) or other.roi != volume.roi:
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
    named = getattr(function, "func", function)
    return str(getattr(named, "__name__", repr(function)))
