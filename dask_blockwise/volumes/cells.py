"""What becomes of the voxels that one coarser voxel is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index

__all__ = ["METHODS", "coarsened", "margin_of"]

# Cells of 8 voxels of 64 bits, and what is seen around them: some 30 MB.
_COMPARED_AT_ONCE = 1 << 14

Kernel = Callable[[NDArray[Any], Index], NDArray[Any]]


def margin_of(method: str, factors: Index) -> Index:
    """How many voxels around cells a method looks at, along each axis: none, or a cell."""
    return tuple(f if method == "labels" and f > 1 else 0 for f in factors)


def coarsened(
    values: NDArray[Any], factors: Index, method: str, inner: Box | None = None
) -> NDArray[Any]:
    """Each cell of voxels as one; cells at the far end are made of what is there of them.

    Parameters
    ----------
    values : ndarray
    factors : tuple of int
        Voxels of a cell along each axis.
    method : str
        One of ``METHODS``, or ``"labels"``: the most frequent label that isn't background, 0. Of
        several that are so, the one that is rarest in the cells around, then the smallest. The mean
        of integers is exact, and rounded half to even; ``"mode"`` takes the smallest of several.
    inner : tuple of slice, optional
        Of which voxels cells are wanted, from a cell's first on; what lies around is looked at as
        far as ``margin_of`` says.

    Returns
    -------
    ndarray
        Of the same dtype, with ``ceil(n / factor)`` voxels along each axis.

    References
    ----------
    That background doesn't count is the sparse mode of igneous and tinybrain (W. Silversmith).

    Examples
    --------
    >>> coarsened(np.array([[1, 2, 0, 0, 7], [3, 4, 9, 0, 7]]), (2, 2), "mean").tolist()
    [[2, 2, 7]]
    >>> coarsened(np.array([[1, 2, 0, 0, 7], [3, 2, 9, 0, 7]]), (2, 2), "labels").tolist()
    [[2, 9, 7]]
    """
    whole = tuple(slice(0, n) for n in values.shape)
    if method == "labels":
        return _labels(values, factors, inner or whole)
    values = values[inner or whole]
    shape = [-(-n // f) for n, f in zip(values.shape, factors, strict=True)]
    made = np.empty(shape, values.dtype)
    for parts in product(*map(_even_parts, values.shape, factors)):
        there, here, cell = zip(*parts, strict=True)
        made[here] = METHODS[method](values[there], cell)
    return made


def _even_parts(size: int, factor: int) -> Iterator[tuple[slice, slice, int]]:
    """Along an axis: voxels, the cells that they make, and how long these are."""
    whole, rest = divmod(size, factor)
    if whole:
        yield slice(0, whole * factor), slice(0, whole), factor
    if rest:
        yield slice(whole * factor, size), slice(whole, whole + 1), rest


def _summed(values: NDArray[Any], cell: Index) -> NDArray[Any]:
    for axis, step in enumerate(cell):
        along = np.moveaxis(values, axis, 0)
        values = np.moveaxis(sum((along[i::step] for i in range(1, step)), along[::step]), 0, axis)
    return values


def _mean(values: NDArray[Any], cell: Index) -> NDArray[Any]:
    n, dtype = prod(cell), values.dtype
    if dtype.kind in "fc":
        wide = np.result_type(dtype, np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            return (_summed(values.astype(wide), cell) / n).astype(dtype)
    if dtype.kind == "b":
        return _mean(values.view(np.uint8), cell).view(bool)
    if dtype.itemsize < 8:
        mean, left = np.divmod(_summed(values.astype(np.int64), cell), n)
    else:  # of which a sum may overflow
        whole, left = np.divmod(values, dtype.type(n))
        over, left = np.divmod(_summed(left, cell), dtype.type(n))
        mean = _summed(whole, cell) + over
    up = (2 * left > n) | ((2 * left == n) & (mean % 2 == 1))
    return np.asarray((mean + up).astype(dtype))


def _cells(values: NDArray[Any], cell: Index) -> NDArray[Any]:
    """The voxels of each cell, along the last axis."""
    split = [n for size, step in zip(values.shape, cell) for n in (size // step, step)]
    order = [*range(0, 2 * len(cell), 2), *range(1, 2 * len(cell), 2)]
    apart = values.reshape(split).transpose(order)
    return apart.reshape(*apart.shape[: len(cell)], -1)


def _mode(values: NDArray[Any], cell: Index) -> NDArray[Any]:
    cells = _cells(values, cell)
    made, mixed = _uniform(cells)
    ordered, length = _runs(cells[mixed])
    best = length.argmax(-1)[..., None]
    made[mixed] = np.take_along_axis(ordered, best, -1)[..., 0]
    return made


def _labels(values: NDArray[Any], cell: Index, inner: Box) -> NDArray[Any]:
    """What lies beyond the values counts as background, which counts for nothing."""
    before = [s.start for s in inner]
    counts = [-(-(s.stop - s.start) // f) for s, f in zip(inner, cell, strict=True)]
    # One cell around all of them, along axes that become coarser.
    sides = [f if f > 1 else 0 for f in cell]
    around = np.zeros([n * f + 2 * m for n, f, m in zip(counts, cell, sides)], values.dtype)
    placed = [(m - b, n) for m, b, n in zip(sides, before, values.shape)]
    into = tuple(slice(at, at + n) for at, n in placed)
    fits = tuple(slice(0, max(0, n - s.start)) for n, s in zip(around.shape, into))
    around[into] = values[fits]
    core = tuple(slice(m, m + n * f) for m, n, f in zip(sides, counts, cell))
    cells = _cells(around[core], cell)
    made, mixed = _uniform(cells)
    window = tuple(f + 2 * m for f, m in zip(cell, sides))
    seen = sliding_window_view(around, window)[tuple(slice(None, None, f) for f in cell)]
    made[mixed] = _most_frequent(cells[mixed], seen, np.argwhere(mixed))
    return made


def _most_frequent(
    cells: NDArray[Any], seen: NDArray[Any], places: NDArray[np.intp]
) -> NDArray[Any]:
    """The most frequent label of each cell, of several the rarest in what is seen around it."""
    ordered, length = _runs(cells)
    length[ordered == 0] = 0
    rival = length == length.max(-1, keepdims=True)
    best = rival.argmax(-1)
    tied = np.flatnonzero(rival.sum(-1) > 1)
    for some in np.array_split(tied, len(tied) // _COMPARED_AT_ONCE + 1):
        around = seen[tuple(places[some].T)].reshape(len(some), prod(seen.shape[places.shape[1] :]))
        counts = np.full((len(some), cells.shape[-1]), around.shape[-1] + 1)
        for n in range(cells.shape[-1]):
            which = rival[some, n]
            counts[which, n] = (around[which] == ordered[some[which], n, None]).sum(-1)
        best[some] = counts.argmin(-1)
    return np.asarray(np.take_along_axis(ordered, best[:, None], -1)[..., 0])


def _uniform(cells: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The first voxel of each cell, and which cells have others: few do, at borders."""
    return cells[..., 0].copy(), (cells != cells[..., :1]).any(-1)


def _runs(cells: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Values of each cell in order, and at the last of equal ones how many these are, else 0."""
    ordered = np.sort(cells, -1)
    place = np.arange(1, ordered.shape[-1] + 1)
    begins, ends = (np.ones(ordered.shape, bool) for _ in range(2))
    begins[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    ends[..., :-1] = begins[..., 1:]
    since = place - np.maximum.accumulate(np.where(begins, place - 1, 0), -1)
    return ordered, np.where(ends, since, 0)


def _first(values: NDArray[Any], cell: Index) -> NDArray[Any]:
    return values[tuple(slice(None, None, step) for step in cell)]


METHODS: Mapping[str, Kernel] = {
    "mean": _mean,
    "max": lambda values, cell: _cells(values, cell).max(-1),
    "min": lambda values, cell: _cells(values, cell).min(-1),
    "first": _first,
    "mode": _mode,
}
