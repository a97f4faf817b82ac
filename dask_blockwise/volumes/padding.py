"""Read boxes that leave a volume: halos, and what lies beyond the border."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from numbers import Real
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .frame import Frame
from .reach import Boundary, Halo, Reach
from .source import Voxels

__all__ = ["Boundary", "Margin", "boundaries_of", "halo_of", "read_padded"]


@dataclass(frozen=True)
class Margin:
    """What is read around a box: voxels on either side, and what lies beyond the volume.

    Parameters
    ----------
    halo
        Voxels before and after, along each axis of space.
    boundary
        For each axis of space: ``"none"`` (nothing, the box ends at the border), ``"reflect"``,
        ``"nearest"``, ``"periodic"`` or a constant.
    """

    halo: Halo
    boundary: tuple[Boundary, ...]

    @property
    def is_symmetric(self) -> bool:
        """Whether it is as much before as after."""
        return all(before == after for before, after in self.halo)

    def reach(self, frame: Frame) -> Reach:
        """In world units, along all axes but "c"."""
        return Reach.of_voxels(frame, self.halo, self.boundary)

    def read(self, volume: Voxels, begin: Index, end: Index) -> NDArray[Any]:
        """A box, in voxels along the axes of space, and what is around it."""
        low, high = self._around(begin, end)
        return read_padded(volume, low, high, self.boundary)

    def trim(self, values: NDArray[Any], begin: Index, end: Index) -> NDArray[Any]:
        """The values of the box alone, of those of the box and what is around it."""
        low, _ = self._around(begin, end)
        starts = [
            b - (max(0, lo) if mode == "none" else lo)
            for b, lo, mode in zip(begin, low, self.boundary, strict=True)
        ]
        core = tuple(slice(s, s + e - b) for s, b, e in zip(starts, begin, end, strict=True))
        return values[(slice(None),) * (values.ndim - len(core)) + core]

    def _around(self, begin: Index, end: Index) -> tuple[Index, Index]:
        return (
            tuple(b - before for b, (before, _) in zip(begin, self.halo, strict=True)),
            tuple(e + after for e, (_, after) in zip(end, self.halo, strict=True)),
        )


def read_padded(
    volume: Voxels, begin: Index, end: Index, boundary: Sequence[Boundary]
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
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.arange(4), axes=("x",))
    >>> read_padded(volume, (-2,), (6,), ("reflect",))
    array([1, 0, 0, 1, 2, 3, 3, 2])
    """
    frame = volume.frame
    low, high = _within(begin, end, frame.space, boundary)
    if all(0 <= lo <= hi <= n for lo, hi, n in zip(low, high, frame.space, strict=True)):
        return _own(volume.source.read(low, high))
    where = [
        _sources(lo, hi, n, mode)
        for lo, hi, n, mode in zip(begin, end, frame.space, boundary, strict=True)
    ]
    parts = [list(_parts(axis)) for axis in where]
    channels = () if frame.channels is None else (frame.channels,)
    values = np.zeros((*channels, *(axis.size for axis in where)), frame.dtype)
    for part in product(*parts):
        low, high = tuple(p.begin for p in part), tuple(p.end for p in part)
        read = volume.source.read(low, high)
        for axis, p in enumerate(part, len(channels)):
            if p.take is not None:
                read = np.take(read, p.take, axis)
        values[(slice(None),) * len(channels) + tuple(p.target for p in part)] = read
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


def _own(values: NDArray[Any]) -> NDArray[Any]:
    """An array that whoever is given it may change: no view of one that a volume keeps."""
    is_view = isinstance(values.base, np.ndarray)
    return values.copy() if is_view or not values.flags.carray else values


def _within(
    begin: Index, end: Index, space: Index, boundary: Sequence[Boundary]
) -> tuple[Index, Index]:
    """A box, cut where there is nothing to fill it with."""
    cut = [mode == "none" if isinstance(mode, str) else False for mode in boundary]
    low = (max(b, 0) if at else b for b, at in zip(begin, cut, strict=True))
    high = (min(e, n) if at else e for e, n, at in zip(end, space, cut, strict=True))
    return tuple(low), tuple(high)


def _sources(low: int, high: int, size: int, mode: Boundary) -> NDArray[np.intp]:
    """For each voxel along an axis, the one of the volume that stands there; -1 for none."""
    at = np.arange(low, high)
    if isinstance(mode, str):
        return _MODES[mode](at, size)
    return np.where((at >= 0) & (at < size), at, -1)


def _cut(at: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    return at[(at >= 0) & (at < size)]


def _reflected(at: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    at = at % (2 * size)
    return np.where(at < size, at, 2 * size - 1 - at)


def _nearest(at: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    return at.clip(0, size - 1)


def _wrapped(at: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    return at % size


# Boundaries by name: from positions along an axis of so many voxels, which may lie beyond it, to
# the voxels that stand there.
_MODES: dict[str, Callable[[NDArray[np.intp], int], NDArray[np.intp]]] = {
    "none": _cut,
    "reflect": _reflected,
    "nearest": _nearest,
    "periodic": _wrapped,
}


def _parts(sources: NDArray[np.intp]) -> Iterator[_Part]:
    """Split at jumps, as from the volume's last voxel to its first, and where there is none."""
    inside = sources >= 0
    groups = (np.cumsum(np.abs(np.diff(sources, prepend=sources[:1])) > 1) * 2 + inside).tolist()
    for _, positions in groupby(range(sources.size), key=groups.__getitem__):
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


def halo_of(halo: Any, dimensions: int) -> Halo:
    """Voxels before and after along each axis, from one number, one an axis, or pairs.

    Raises
    ------
    ValueError
        If there are too few or many, or one is negative.
    """
    try:
        values = [halo] * dimensions if isinstance(halo, int | np.integer) else list(halo)
        pairs = tuple(
            (index(v), index(v)) if isinstance(v, int | np.integer) else (index(v[0]), index(v[1]))
            for v in values
        )
    except (TypeError, IndexError):
        pairs = ()
    if len(pairs) != dimensions or any(n < 0 for pair in pairs for n in pair):
        raise ValueError(
            f"halo must be a number of voxels, or {dimensions} of them (one for each axis of "
            "space), or as many pairs (before, after), whole and none of them negative, got "
            f"{halo!r}."
        )
    return pairs


def boundaries_of(boundary: Any, dimensions: int) -> tuple[Boundary, ...]:
    """What lies beyond the volume along each axis, from one or one an axis.

    Raises
    ------
    ValueError
        If there are too few or many, or one is unknown.
    """
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
