"""From labels of single blocks to labels of the volume: overlaps, edges, components, ids.

Pure numpy and scipy. Blocks number their labels 1..n by themselves; two neighbours' labels are
matched on what both saw; matches are edges between labels; connected components of all edges are
the objects, numbered consecutively in raster order of blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import fastremap
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csgraph

Labels = NDArray[np.integer]
Direction = tuple[int, ...]

_PIECE = 1 << 16


@dataclass(frozen=True)
class Overlap:
    """Which labels of two arrays meet, and in how many voxels; 0 is background and left out.

    Parameters
    ----------
    pairs
        Shape ``(k, 2)``, uint32, sorted, each pair once.
    voxels
        Shape ``(k,)``, int64.
    """

    pairs: NDArray[np.uint32]
    voxels: NDArray[np.int64]


def compact(
    labels: Labels, core: tuple[slice, ...]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Number labels 1..n, those that reach into the core first.

    Parameters
    ----------
    labels : ndarray of int
        Any ids; 0 is background and stays.
    core : tuple of slice
        The part of the array that is the block's own.

    Returns
    -------
    labels : ndarray of uint32
        Of the same shape.
    sizes : ndarray of int64, shape (n,)
        Voxels in the core of the labels 1..n that have some there; higher ids lie in the halo only.

    Raises
    ------
    TypeError
        If the labels aren't integers.
    ValueError
        If a label is negative.

    Examples
    --------
    >>> labels, sizes = compact(np.array([7, 7, 0, 90, 90, 5]), (slice(2, 6),))
    >>> labels, sizes
    (array([3, 3, 0, 1, 1, 2], dtype=uint32), array([2, 1]))
    """
    check_labels(labels)
    dense = _dense(labels)
    voxels = np.bincount(dense[core].ravel(), minlength=int(dense.max(initial=0)) + 1)
    inside = voxels > 0
    inside[0] = False
    order = np.concatenate([np.flatnonzero(inside), np.flatnonzero(~inside[1:]) + 1])
    table = np.zeros(len(voxels), np.uint32)
    table[order] = np.arange(1, len(order) + 1)
    return apply_table(dense, table), voxels[inside]


def check_labels(labels: Labels) -> None:
    """Refuse what can't be labels: floats, complex numbers, negative integers."""
    if labels.dtype.kind not in "bui":
        raise TypeError(
            f"Labels must be integers, got {labels.dtype}: have the segment function return "
            "integer ids with 0 as background, for instance with .astype('uint32')."
        )
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise ValueError(
            f"Labels must not be negative, got {labels.min()}: use 0 for background (skimage and "
            "scipy mark watershed lines or unknown seeds with -1; set those to 0)."
        )


def apply_table(labels: Labels, table: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Replace each label ``i`` by ``table[i]``, in pieces that stay in the processor's cache.

    Examples
    --------
    >>> apply_table(np.array([[0, 2], [1, 2]]), np.array([0, 7, 9], np.uint64))
    array([[0, 9],
           [7, 9]], dtype=uint64)
    """
    result = np.empty(labels.shape, table.dtype)
    source, target = np.ascontiguousarray(labels).reshape(-1), result.reshape(-1)
    for start in range(0, source.size, _PIECE):
        piece = slice(start, start + _PIECE)
        np.take(table, source[piece], out=target[piece], mode="clip")
    return result


def overlap(first: Labels, second: Labels) -> Overlap:
    """Count the voxels on which each pair of labels meets.

    Parameters
    ----------
    first, second : ndarray of int, of the same shape
        Labels of the same voxels, or of neighbouring ones, below 2 ** 32; 0 is background.

    Examples
    --------
    >>> overlap(np.array([1, 1, 2, 0]), np.array([5, 5, 5, 5]))
    Overlap(pairs=array([[1, 5],
           [2, 5]], dtype=uint32), voxels=array([2, 1]))
    """
    keys = _keys(first.reshape(-1), second.reshape(-1))
    # Neighbouring voxels mostly hold the same pair, so runs are sorted, not voxels.
    starts = _starts(keys)
    lengths = np.diff(starts, append=keys.size)
    runs = keys[starts]
    runs, lengths = _foreground(runs, lengths)
    order = np.argsort(runs, kind="stable")
    runs, lengths = runs[order], lengths[order]
    starts = _starts(runs)
    voxels = np.add.reduceat(lengths, starts) if starts.size else lengths
    return Overlap(_unpack(runs[starts]), voxels)


def iou_pairs(first: Labels, second: Labels, min_iou: float) -> NDArray[np.uint32]:
    """Pairs of labels that are each other's best match with an IoU of at least ``min_iou``.

    Parameters
    ----------
    first, second : ndarray of int, of the same shape
        Two blocks' labels of the voxels that both saw.
    min_iou : float
        Intersection over union on these voxels, in [0, 1]. Equally good partners count for the
        smaller label.

    Returns
    -------
    ndarray of uint32, shape (k, 2)
        Every label at most once.

    Examples
    --------
    >>> first, second = np.array([1, 1, 1, 1, 2, 2]), np.array([1, 1, 1, 2, 2, 2])
    >>> iou_pairs(first, second, 0.5)
    array([[1, 1],
           [2, 2]], dtype=uint32)
    """
    met = overlap(first, second)
    if not len(met.pairs):
        return met.pairs
    one, other = met.pairs.T
    union = _sizes(first)[one] + _sizes(second)[other] - met.voxels
    iou = met.voxels / union
    mutual = _best(one, other, iou) & _best(other, one, iou) & (iou >= min_iou)
    pairs: NDArray[np.uint32] = met.pairs[mutual]
    return pairs


def touching_pairs(
    first: Labels, second: Labels, direction: Direction, connectivity: int
) -> NDArray[np.uint32]:
    """Pairs of labels that touch across the face, edge or corner between two blocks.

    Parameters
    ----------
    first, second : ndarray of int
        Labels of the cores of two neighbours, of the same shape along the axes on which
        ``direction`` is 0.
    direction : tuple of -1, 0 or 1
        From the first block to the second.
    connectivity : int
        Voxels touch when they differ by at most 1 along at most so many axes.

    Returns
    -------
    ndarray of uint32, shape (k, 2)

    Examples
    --------
    >>> first, second = np.array([[1, 2], [0, 3]]), np.array([[4, 0], [5, 5]])
    >>> touching_pairs(first, second, (0, 1), connectivity=1)
    array([[2, 4],
           [3, 5]], dtype=uint32)
    >>> touching_pairs(first, second, (0, 1), connectivity=2)
    array([[2, 4],
           [2, 5],
           [3, 4],
           [3, 5]], dtype=uint32)
    """
    faces = [
        overlap(first[here], second[there]).pairs
        for here, there in _contacts(direction, connectivity)
    ]
    return _unpack(np.unique(_keys(*np.concatenate(faces).T)))


def later_neighbours(axes: tuple[bool, ...], connectivity: int) -> list[Direction]:
    """Directions to those neighbours of a block that come later in raster order.

    Parameters
    ----------
    axes : tuple of bool
        Which axes of the grid are stitched (a time axis isn't).
    connectivity : int
        1: neighbours across faces; 2: across edges too; 3: across corners too.

    Examples
    --------
    >>> later_neighbours((True, True), 2)
    [(0, 1), (1, -1), (1, 0), (1, 1)]
    >>> len(later_neighbours((True, True, True), 3)), len(later_neighbours((False, True, True), 2))
    (13, 4)
    """
    steps = product(*[(-1, 0, 1) if stitched else (0,) for stitched in axes])
    zero = (0,) * len(axes)
    return [d for d in steps if d > zero and np.count_nonzero(d) <= connectivity]


def merge(count: int, edges: Iterable[NDArray[np.integer]]) -> NDArray[np.int64]:
    """Connected components of labels 0..count-1, numbered in order of first appearance.

    Parameters
    ----------
    count : int
        Number of labels in the volume.
    edges : iterable of ndarray of int, shape (k, 2)
        Pairs of labels that are one object, in batches, so that they never need to be in memory
        together.

    Returns
    -------
    ndarray of int64, shape (count,)

    Examples
    --------
    >>> merge(5, [np.array([[3, 1]]), np.array([[4, 3]])])
    array([0, 1, 2, 1, 1])
    """
    component = np.arange(count)
    for batch in edges:
        if len(batch):
            component = _merge_batch(component, component[batch])
    return _by_first_appearance(component)


def final_ids(
    component: NDArray[np.int64], sizes: NDArray[np.integer], min_size: int = 0
) -> NDArray[np.uint64]:
    """Ids of the volume for each label: 1..n without gaps, and 0 for objects that are too small.

    Parameters
    ----------
    component : ndarray of int64, shape (count,)
        Which object a label belongs to, from `merge`.
    sizes : ndarray of int, shape (count,)
        Voxels of each label.
    min_size : int
        Objects with fewer voxels become background.

    Examples
    --------
    >>> final_ids(np.array([0, 1, 2, 1]), np.array([5, 1, 1, 1]), min_size=2)
    array([1, 2, 0, 2], dtype=uint64)
    """
    objects = int(component.max(initial=-1)) + 1
    kept = np.bincount(component, weights=sizes, minlength=objects) >= min_size
    ids = np.where(kept, np.cumsum(kept), 0).astype(np.uint64)
    return ids[component]


def _dense(labels: Labels) -> Labels:
    """The labels, renumbered if they are too large to index a table with."""
    if labels.size and int(labels.max()) <= labels.size:
        return labels.astype(np.uint32, copy=False)
    dense, _ = fastremap.renumber(np.ascontiguousarray(labels), preserve_zero=True)
    return dense.astype(np.uint32, copy=False)


def _keys(first: Labels, second: Labels) -> NDArray[np.uint64]:
    return first.astype(np.uint64) << np.uint64(32) | second.astype(np.uint64)


def _unpack(keys: NDArray[np.uint64]) -> NDArray[np.uint32]:
    return np.stack([keys >> np.uint64(32), keys & np.uint64(0xFFFFFFFF)], -1).astype(np.uint32)


def _starts(keys: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Where runs of equal keys start."""
    return np.flatnonzero(np.concatenate([[keys.size > 0], keys[1:] != keys[:-1]]))


def _foreground(
    keys: NDArray[np.uint64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Drop the pairs in which either label is background."""
    kept = (keys >> np.uint64(32) > 0) & (keys & np.uint64(0xFFFFFFFF) > 0)
    return keys[kept], lengths[kept]


def _sizes(labels: Labels) -> NDArray[np.int64]:
    return np.bincount(labels.reshape(-1))


def _best(
    one: NDArray[np.uint32], other: NDArray[np.uint32], iou: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which pairs are the best of all with the same label in ``one``."""
    order = np.lexsort((other, -iou, one))
    best = np.zeros(len(one), bool)
    best[order] = np.diff(one[order], prepend=np.uint32(0)) != 0
    return best


def _contacts(
    direction: Direction, connectivity: int
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Pairs of slices that lay the voxels of two blocks on those that they touch."""
    shifts = product(*[(step,) if step else (-1, 0, 1) for step in direction])
    for shift in shifts:
        if np.count_nonzero(shift) <= connectivity:
            yield (
                tuple(map(_facing, direction, shift)),
                tuple(_facing(-d, -s) for d, s in zip(direction, shift, strict=True)),
            )


def _facing(direction: int, shift: int) -> slice:
    """Along one axis, the voxels of a block that touch a voxel of the other by this shift."""
    if direction:
        return slice(-1, None) if direction > 0 else slice(0, 1)
    return (slice(None), slice(None, -1), slice(1, None))[shift]


def _merge_batch(component: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    count = int(component.max()) + 1
    ones = np.ones(len(edges), np.bool_)
    graph = coo_array((ones, tuple(edges.T)), (count, count)).tocsr()
    merged: NDArray[np.integer] = csgraph.connected_components(graph, directed=False)[1]
    return merged.astype(np.int64)[component]


def _by_first_appearance(component: NDArray[np.int64]) -> NDArray[np.int64]:
    count = int(component.max(initial=-1)) + 1
    first = np.empty(count, np.int64)
    first[component[::-1]] = np.arange(len(component))[::-1]
    rank = np.empty(count, np.int64)
    rank[np.argsort(first)] = np.arange(count)
    return rank[component]
