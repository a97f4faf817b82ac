"""The same volume in coarser voxels, lazily."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .frame import Frame
from .lineage import AnyVoxels
from .source import Source, Voxels

__all__ = ["downsample"]


def downsample(
    volume: AnyVoxels, /, factors: int | Sequence[int], method: str | None = None
) -> AnyVoxels:
    """The same in voxels so many times as large, lazily.

    Parameters
    ----------
    factors : int, or one for each axis of space
        How many voxels become one; those that are left over at the end are left out.
    method : "mean", "max", "min", "first" or "mode"
        ``"mean"`` for intensities, unless given; ``"mode"``, the most frequent value, of equally
        frequent ones the smallest, for labels, which must be named for integers of 32 bits and
        more.

    Returns
    -------
    Volume

    Raises
    ------
    ValueError
        If a factor isn't a positive whole number or larger than the volume, or the method isn't
        known, or isn't given for what may be labels.

    Examples
    --------
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.array([[1, 3, 5, 5, 9]], np.uint8), voxel_size=(4, 4))
    >>> small = volume.downsample((1, 2))
    >>> small[:].tolist(), small.voxel_size
    ([[2, 5]], (4, 8))
    """
    frame = volume.frame
    steps = _checked_factors(factors, frame)
    chosen = _checked_method(method, frame)
    shape = tuple(n // f for n, f in zip(frame.extent, steps, strict=True))
    placement = replace(
        frame.placement, voxel_size=tuple(v * f for v, f in zip(frame.placement.voxel_size, steps))
    )
    coarse = replace(
        frame, shape=frame.with_channels(shape), placement=placement, shards=None
    ).with_block(tuple(min(b, n) for b, n in zip(frame.block_shape, shape)))
    return replace(volume, frame=coarse, source=_Downsampled((volume,), steps, chosen, coarse))


@dataclass(frozen=True, eq=False)
class _Downsampled(Source):
    """Each voxel made of several."""

    inputs: tuple[Voxels]
    factors: Index
    method: str
    frame: Frame

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        (volume,) = self.inputs
        low, high = (
            tuple(n * f for n, f in zip(side, self.factors, strict=True)) for side in (begin, end)
        )
        values: NDArray[Any] = volume.source.read(low, high)
        return _METHODS[self.method](self._in_blocks(values)).astype(self.frame.dtype)

    def _in_blocks(self, values: NDArray[Any]) -> NDArray[Any]:
        """The voxels that become one, along the last axis."""
        rest = iter(self.factors)
        factors = [1 if axis == "c" else next(rest) for axis in self.frame.axes]
        split = [n for size, f in zip(values.shape, factors) for n in (size // f, f)]
        apart = values.reshape(split)
        order = [*range(0, apart.ndim, 2), *range(1, apart.ndim, 2)]
        joined = apart.transpose(order)
        return joined.reshape(*joined.shape[: values.ndim], -1)


def _checked_factors(factors: int | Sequence[int], frame: Frame) -> Index:
    space = len(frame.space)
    steps = (factors,) * space if isinstance(factors, int) else tuple(factors)
    whole = all(isinstance(f, int | np.integer) and f >= 1 for f in steps)
    if len(steps) != space or not whole or any(f > n for f, n in zip(steps, frame.space)):
        raise ValueError(
            f"factors must be a positive whole number, or {space} of them (one for each axis of "
            f"space), and no larger than the volume's {frame.space}, got {factors!r}."
        )
    return (*(1,) * (len(frame.extent) - space), *map(int, steps))


def _checked_method(method: str | None, frame: Frame) -> str:
    if method is None and frame.dtype.kind in "iu" and frame.dtype.itemsize >= 4:
        raise ValueError(
            f"{frame.dtype} may be labels, of which a mean makes no sense: give method='mode' for "
            "labels, or method='mean'."
        )
    chosen = method or ("mode" if frame.dtype.kind == "b" else "mean")
    if chosen not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}.")
    return chosen


def _mean(groups: NDArray[Any]) -> NDArray[Any]:
    mean: NDArray[Any] = groups.mean(-1)
    return np.rint(mean) if groups.dtype.kind in "iu" else mean


def _mode(groups: NDArray[Any]) -> NDArray[Any]:
    """The value of the longest run, once they are sorted."""
    ordered = np.sort(groups, -1)
    place = np.arange(ordered.shape[-1])
    begins = np.ones(ordered.shape, bool)
    begins[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    since = place - np.maximum.accumulate(np.where(begins, place, 0), -1)
    best = since.argmax(-1)[..., None]
    mode: NDArray[Any] = np.take_along_axis(ordered, best, -1)[..., 0]
    return mode


def _first(groups: NDArray[Any]) -> NDArray[Any]:
    return groups[..., 0]


_METHODS: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "mean": _mean,
    "max": lambda groups: groups.max(-1),
    "min": lambda groups: groups.min(-1),
    "first": _first,
    "mode": _mode,
}
