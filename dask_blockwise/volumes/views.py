"""Parts of a volume, and the same in other blocks or another order of axes, lazily."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from ..geometry.blocks import Roi
from ..geometry.boxes import Index
from ..pipelines.stages import stage
from .frame import Frame, check_axes
from .kinds import AnyVoxels, Turned
from .lineage import is_made_by
from .source import LabelSource, Source, Voxels

__all__ = ["Cropped", "crop", "isel", "rechunk", "transpose"]


@dataclass(frozen=True, eq=False)
class Cropped(Source):
    """A box of a volume, as if there were nothing around it."""

    inputs: tuple[Voxels]
    # Of the box, in voxels along all axes but "c".
    begin: Index
    # Which channels, or one that then is no axis any more; all unless given.
    channels: slice | int | None = None

    def is_empty(self, begin: Index, end: Index) -> bool:
        """See `Source.is_empty`."""
        return self.inputs[0].source.is_empty(*map(self._there, (begin, end)))

    @property
    def empty_is_zero(self) -> bool:
        """See `Source.empty_is_zero`."""
        return self.inputs[0].source.empty_is_zero

    @property
    def masks(self) -> tuple[Any, ...]:
        """See `Source.masks`."""
        return self.inputs[0].source.masks

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        (volume,) = self.inputs
        low, high = map(self._there, (begin, end))
        values: NDArray[Any] = volume.source.read(low, high)
        if self.channels is None:
            return values
        at = volume.frame.axes.index("c")
        return values[(slice(None),) * at + (self.channels,)]

    def _there(self, corner: Index) -> Index:
        return tuple(i + first for i, first in zip(corner, self.begin, strict=True))


@stage("cropped")
def crop(volume: AnyVoxels, /, roi: Roi) -> AnyVoxels:
    """A region as a volume of its own, lazily; beyond it there is nothing.

    Parameters
    ----------
    roi : Roi
        In world units, along all axes but "c".

    Returns
    -------
    Volume
        Where it was in the world.

    Raises
    ------
    ValueError
        If the region leaves the volume or cuts voxels, or the values depend on the blocks.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.arange(12).reshape(3, 4), voxel_size=(10, 10))
    >>> part = volume.crop(Roi((10, 20), (20, 20)))
    >>> part.roi, part[:].tolist()
    ([10:30, 20:40] (20, 20), [[6, 7], [10, 11]])
    """
    return _part(volume, *volume.frame.voxels(roi))


@stage("chosen")
def isel(volume: AnyVoxels, /, **where: int | slice) -> AnyVoxels:
    """A part by voxels along named axes, lazily, as xarray's ``isel``.

    Parameters
    ----------
    **where : slice of step 1, or int
        By the name of an axis; an int for "c" alone, which then is no axis any more.

    Returns
    -------
    Volume
        Where it was in the world.

    Raises
    ------
    ValueError
        If there is no such axis, it can't be lazily indexed so, or the values depend on the blocks.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.arange(12).reshape(2, 2, 3), axes="cyx")
    >>> volume.isel(c=1, x=slice(1, 3))[:].tolist()
    [[7, 8], [10, 11]]
    """
    frame = volume.frame
    spans = dict(zip(frame.axes, ((0, n) for n in frame.shape)))
    for axis, key in where.items():
        spans[axis] = _span(axis, key, frame)
    block_axes = frame.placement.block_axes
    begin, end = (tuple(spans[axis][side] for axis in block_axes) for side in (0, 1))
    if "c" not in where:
        return _part(volume, begin, end)
    channels = slice(*spans["c"])
    return _part(volume, begin, end, channels if isinstance(where["c"], slice) else channels.start)


@stage("rechunked")
def rechunk(volume: AnyVoxels, /, block_shape: Sequence[int]) -> AnyVoxels:
    """The same in other blocks, lazily.

    Parameters
    ----------
    block_shape : sequence of int
        Voxels of a block along all axes but "c".

    Raises
    ------
    ValueError
        If it isn't one positive number an axis, or the values depend on the blocks.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume
    >>> Volume.from_array(np.zeros((8, 8))).rechunk((4, 8)).data.numblocks
    (2, 1)
    """
    if volume.source.needs_all or is_made_by(volume, LabelSource):
        _refuse(volume, "give block_shape= to the stage that makes it, or to to_zarr")
    frame = volume.frame.with_block(volume.frame.checked_block(block_shape))
    source = Cropped((volume,), (0,) * len(frame.extent))
    return replace(volume, frame=frame, source=source)


@stage("turned")
def transpose(volume: AnyVoxels, /, *axes: str) -> AnyVoxels:
    """The same with its axes of space in another order, lazily.

    Parameters
    ----------
    *axes : str
        Names of all axes in their new order; turned round unless given. Time and channels stay
        before space.

    Raises
    ------
    ValueError
        If these aren't its axes, or the values depend on the blocks.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.arange(6).reshape(2, 3), voxel_size=(10, 4))
    >>> turned = volume.transpose("x", "y")
    >>> turned[:].tolist(), turned.voxel_size
    ([[0, 3], [1, 4], [2, 5]], (4, 10))
    """
    frame = volume.frame
    space = [axis for axis in frame.axes if axis not in "tc"]
    wanted = axes or (*(axis for axis in frame.axes if axis in "tc"), *reversed(space))
    if sorted(wanted) != sorted(frame.axes):
        raise ValueError(f"transpose needs each of the axes {frame.axes} once, got {wanted}.")
    check_axes(tuple(wanted), frame.ndim)
    if is_made_by(volume, LabelSource):
        _refuse(volume, "transpose what is labelled, or what relabel(...) makes of it")
    order = tuple(frame.placement.block_axes.index(axis) for axis in wanted if axis != "c")
    return replace(volume, frame=frame.transposed(order), source=Turned((volume,), order))


def _refuse(volume: Voxels, mend: str) -> None:
    raise ValueError(f"{volume!r} depends on its blocks: {mend}.")


def _part(
    volume: AnyVoxels, begin: Index, end: Index, channels: slice | int | None = None
) -> AnyVoxels:
    """A box of a volume, and some of its channels."""
    if is_made_by(volume, LabelSource):
        # Blocks of a part aren't those by whose numbers labels are unique.
        _refuse(
            volume,
            "take the part of what is labelled, or of what relabel(...) makes of it; volume[...] "
            "looks at a region",
        )
    shape = tuple(e - b for b, e in zip(begin, end, strict=True))
    block = tuple(min(b, n) for b, n in zip(volume.frame.block_shape, shape, strict=True))
    frame = volume.frame.box(begin, shape).with_block(block)
    if channels is not None:
        count = channels.stop - channels.start if isinstance(channels, slice) else None
        chosen = frame.with_values(frame.dtype, count)
        frame = replace(chosen, stands_for=frame.stands_for, names=frame.names)
    return replace(volume, frame=frame, source=Cropped((volume,), begin, channels))


def _span(axis: str, key: int | slice, frame: Frame) -> tuple[int, int]:
    size = frame.shape[frame.axis(axis)]
    if isinstance(key, slice):
        span = range(size)[key]
        if span and span.step == 1:
            return span.start, span.stop
        raise ValueError(
            f"A lazy part along {axis} is a slice of step 1 that holds voxels, got {key} of "
            f"{size}: take every so many by downsample(..., method='first')."
        )
    if axis != "c" or not -size <= key < size:
        raise ValueError(
            f"{axis}={key} of {size}: along any axis but 'c' a lazy part is a slice, such as "
            f"slice({key}, {key + 1}), and a channel is one of {size}. For values, index the "
            "volume itself, volume[...]."
        )
    return key % size, key % size + 1
