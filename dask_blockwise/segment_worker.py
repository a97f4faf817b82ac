"""Segment: a function that labels objects, applied block by block."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import signature
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import components_function, watershed_function
from .geometry import Block
from .map_overlap import MappedVolume, map_overlap
from .stitching import compact
from .volume import Index, Volume, open_volume
from .watershed_function import check_offsets
from .worker_file import WorkerFile

__all__ = [
    "SegmentVolume",
    "connected_components",
    "fit",
    "read_write_conflict",
    "segment",
    "spawn_worker",
    "watershed",
]

fit = "shrink"
read_write_conflict = False


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SegmentVolume(MappedVolume):
    """Labels made by a function: local to a region request, unique over the volume once stored."""

    def _region(self, begin: Index, end: Index) -> NDArray[Any]:
        labels = super()._region(begin, end)
        return _numbered_on(labels) if "t" in self.axes else labels

    def _block(self, number: int, begin: Index, end: Index) -> NDArray[Any]:
        """Labels numbered on from the voxels of all blocks before, so that none is used twice."""
        labels = self._region(begin, end)
        local, _ = compact(labels, (slice(None),) * labels.ndim)
        first = np.uint64(number * prod(self.block_shape))
        return np.where(local > 0, local + first, np.uint64(0))


def _numbered_on(labels: NDArray[Any]) -> NDArray[Any]:
    """Labels of several time points, each of which began at 1, made different."""
    points, first = [], np.uint64(0)
    for point in labels:
        points.append(np.where(point > 0, point + first, np.uint64(0)))
        first = max(first, points[-1].max(initial=0))
    return np.stack(points)


@dataclass(frozen=True)
class _Segmenter:
    """A segment function, called as it wants to be."""

    function: Callable[..., NDArray[Any]]

    def __call__(self, array: NDArray[Any], *masks: NDArray[Any], **parameters: Any) -> Any:
        if masks:
            parameters["mask"] = masks[0]
        if "block" in signature(self.function).parameters:
            parameters["block"] = None
        labels = np.asarray(self.function(array, **parameters))
        if labels.dtype.kind not in "iub":
            raise TypeError(
                f"{self.__name__} returned {labels.dtype}; a segment function returns integers."
            )
        return labels

    @property
    def __name__(self) -> str:
        return str(getattr(self.function, "__name__", self.function))


def segment(
    volume: Volume,
    function: Callable[..., NDArray[Any]] | str | os.PathLike[str],
    *,
    halo: Any,
    mask: Volume | None = None,
    block_shape: Sequence[int] | None = None,
    **parameters: Any,
) -> Volume:
    """Label objects by a function, lazily, each block with a halo around it.

    Parameters
    ----------
    volume : Volume
    function : callable, or path of a Python file that has ``segment_function``
        Called with an array of one time point, ``block=None`` where it takes a block, ``mask``
        where there is one, and the parameters; returns labels of the array's shape in space, 0 for
        background.
    halo : int, or one for each axis of space
        Voxels that a block reads beyond what it writes.
    mask : Volume, optional
    block_shape : sequence of int, optional
    **parameters
        Of the function; a file's ``default_parameters`` hold where none is given.

    Returns
    -------
    Volume of uint64
        Ids are local to a region request; stored, or by blocks of ``.data``, they are unique over
        the volume. ``relabel`` makes one id an object of them.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the halo or mask doesn't fit the volume.

    References
    ----------
    dacapo, ``dacapo/blockwise/segment_worker.py``.

    Examples
    --------
    >>> from scipy.ndimage import label
    >>> volume = Volume.from_array(np.array([[1, 1, 0, 1]], np.uint8), chunks=(1, 2))
    >>> labels = segment(volume, lambda array: label(array)[0], halo=1)
    >>> labels[:], labels.data.compute()
    (array([[1, 1, 0, 2]], dtype=uint64), array([[1, 1, 0, 3]], dtype=uint64))
    """
    if not callable(function):
        file = WorkerFile.read(function)
        parameters = {**(file.optional("default_parameters") or {}), **parameters}
    mapped = map_overlap(
        _Segmenter(function if callable(function) else file.required("segment_function")),
        volume,
        *([] if mask is None else [mask]),
        halo=halo,
        dtype=np.uint64,
        channels=None,
        block_shape=block_shape,
        **parameters,
    )
    values = {name: getattr(mapped, name) for name in mapped.__dataclass_fields__}
    return SegmentVolume(**values)


def watershed(
    affinities: Volume,
    *,
    offsets: Sequence[Sequence[int]] | None = None,
    bias: float | Sequence[float] = 0.5,
    halo: Any = 16,
    mask: Volume | None = None,
    block_shape: Sequence[int] | None = None,
    **parameters: Any,
) -> Volume:
    """Segment affinities by mutex watershed, or a map by distance-seeded watershed, lazily.

    Parameters
    ----------
    affinities : Volume
        One channel an offset; uint8 stands for [0, 1]. With ``seeds="distance"`` a probability.
    offsets : sequence of offsets
        One step an axis, in voxels, for each channel.
    bias : float, or one a channel
    halo : int, or one for each axis of space
    mask : Volume, optional
        0 where nothing is to be segmented.
    block_shape : sequence of int, optional
    **parameters
        Others of `dask_blockwise.watershed_function.segment_function`.

    Returns
    -------
    Volume of uint64

    Raises
    ------
    ValueError
        If offsets, bias or strides don't match the channels or axes.
    """
    channels = [n for axis, n in zip(affinities.axes, affinities.shape) if axis == "c"]
    space = sum(axis not in "tc" for axis in affinities.axes)
    if parameters.get("seeds") is None or offsets is not None:
        check_offsets(offsets, prod(channels), space, bias, parameters.get("strides"))
    chosen = {"offsets": offsets, "bias": bias, **parameters}
    function = watershed_function.segment_function
    return segment(affinities, function, halo=halo, mask=mask, block_shape=block_shape, **chosen)


def connected_components(
    mask: Volume,
    *,
    connectivity: int = 1,
    halo: Any = 0,
    block_shape: Sequence[int] | None = None,
) -> Volume:
    """Label the connected components of a mask, lazily.

    With ``relabel(..., match="touch", connectivity=connectivity)`` they are exactly those of the
    whole volume.

    Parameters
    ----------
    mask : Volume of bool or int
    connectivity : int
        Voxels are neighbours when they differ by 1 along at most so many axes.
    halo : int, or one for each axis of space
    block_shape : sequence of int, optional

    Returns
    -------
    Volume of uint64
    """
    function = components_function.segment_function
    return segment(mask, function, halo=halo, block_shape=block_shape, connectivity=connectivity)


def spawn_worker(
    input_path: str,
    output_path: str,
    segment_function_file: str,
    halo: Any = 0,
    parameters: dict[str, Any] | None = None,
) -> Callable[[Block], None]:
    """A function that writes the labels of one block, with ids unique over the volume.

    Parameters
    ----------
    input_path, output_path : path or URL
        Of stored volumes; the output of uint64, without channels.
    segment_function_file : path
    halo : int, or one for each axis of space
    parameters : dict, optional
    """
    labels = segment(
        open_volume(input_path), segment_function_file, halo=halo, **(parameters or {})
    )
    output = open_volume(output_path)

    def process(block: Block) -> None:
        local, _ = compact(values := labels[block.write_roi], (slice(None),) * values.ndim)
        first = np.uint64(block.number << 32)
        output[block.write_roi] = np.where(local > 0, local + first, np.uint64(0))

    return process
