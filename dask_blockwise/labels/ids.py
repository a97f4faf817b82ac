"""From labels of single blocks to labels of the volume: numbers, components, ids.

Blocks number their labels 1..n by themselves; matches are edges between labels; connected
components of all edges are the objects, numbered consecutively in raster order of blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from numbers import Real
from typing import Any, TypeVar

import fastremap
import numpy as np
from bioimage_cpp.utils import UnionFind
from numpy.typing import NDArray

Labels = NDArray[np.integer]
AnyInteger = TypeVar("AnyInteger", bound=np.integer[Any])

# Instead of a component, for what is no object.
BACKGROUND = -1

_PIECE = 1 << 16


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
    if inside[1:].all():  # as they are numbered already
        return dense.astype(np.uint32, copy=False), voxels[1:]
    order = np.concatenate([np.flatnonzero(inside), np.flatnonzero(~inside[1:]) + 1])
    table = np.zeros(len(voxels), np.uint32)
    table[order] = np.arange(1, len(order) + 1)
    return apply_table(dense, table), voxels[inside]


def check_labels(labels: Labels, whose: str = "Labels") -> None:
    """Refuse what can't be labels: floats, complex numbers, negative integers.

    Parameters
    ----------
    labels : ndarray
    whose : str
        What they are called, for people.

    Raises
    ------
    TypeError
        If they aren't integers.
    ValueError
        If one is negative.
    """
    if labels.dtype.kind not in "bui":
        raise TypeError(
            f"{whose} must be integers, got {labels.dtype}: have the segment function return "
            "integer ids with 0 as background, for instance with .astype('uint32')."
        )
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise ValueError(
            f"{whose} must not be negative, got {labels.min()}: 0 is background (skimage and scipy "
            "mark watershed lines or unknown seeds with -1). In a function np.maximum(labels, 0) "
            "makes background of them, in a volume map_overlap(np.clip, labels, a_min=0, "
            "a_max=None)."
        )


def check_min_size(min_size: int) -> None:
    """Refuse a least size of objects, in voxels, that is no number or below 0.

    Raises
    ------
    ValueError
    """
    if not isinstance(min_size, Real) or not min_size >= 0:
        raise ValueError(f"min_size must be at least 0 voxels, got {min_size!r}.")


def numbered_on(parts: Sequence[NDArray[AnyInteger]]) -> NDArray[AnyInteger]:
    """Labels of several arrays, each of which began at 1, made different, as one array.

    Where the largest ids of all add up to more than their type holds, they are renumbered.

    Examples
    --------
    >>> numbered_on(np.array([[0, 2, 1], [0, 0, 0], [1, 0, 1]]))
    array([[0, 2, 1],
           [0, 0, 0],
           [3, 0, 3]])
    """
    counts = [int(part.max(initial=0)) for part in parts]
    if sum(counts) > np.iinfo(parts[0].dtype).max:
        dense = [compact(part, (slice(None),) * part.ndim)[0] for part in parts]
        return numbered_on(dense).astype(parts[0].dtype)
    firsts = accumulate(counts[:-1], initial=0)
    pairs = zip(parts, firsts, strict=True)
    return np.stack([np.where(part > 0, part + part.dtype.type(n), 0) for part, n in pairs])


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
    found = UnionFind(count)
    for batch in edges:
        found.merge(np.ascontiguousarray(batch, np.uint64))
    return by_first_appearance(found.element_labeling())


def by_first_appearance(component: NDArray[np.integer]) -> NDArray[np.int64]:
    """Number components, which are any numbers below ``component.size``, as they appear.

    Examples
    --------
    >>> by_first_appearance(np.array([3, 1, 3, 0]))
    array([0, 1, 0, 2])
    """
    every = np.arange(component.size)
    first = np.empty(component.size, np.int64)
    first[component[::-1]] = every[::-1]
    first = first[component]
    rank = np.cumsum(first == every) - 1
    number: NDArray[np.int64] = rank[first]
    return number


def final_ids(
    component: NDArray[np.int64], sizes: NDArray[np.integer], min_size: int = 0
) -> NDArray[np.uint64]:
    """Ids of the volume for each label: 1..n without gaps, and 0 for objects that are too small.

    Parameters
    ----------
    component : ndarray of int64, shape (count,)
        Which object a label belongs to, from `merge`; `BACKGROUND` for none.
    sizes : ndarray of int, shape (count,)
        Voxels of each label.
    min_size : int
        Objects with fewer voxels become background.

    Examples
    --------
    >>> final_ids(np.array([0, 1, 2, 1, -1]), np.array([5, 1, 1, 1, 7]), min_size=2)
    array([1, 2, 0, 2, 0], dtype=uint64)
    """
    objects = component - BACKGROUND
    # Numbers of what is background now leave no gap.
    kept = np.bincount(objects, weights=sizes, minlength=1) >= max(1, min_size)
    kept[0] = False
    ids = np.where(kept, np.cumsum(kept), 0).astype(np.uint64)
    return ids[objects]


def _dense(labels: Labels) -> Labels:
    """The labels, renumbered if they are too large to index a table with."""
    if labels.size and int(labels.max()) <= labels.size:
        return labels.astype(np.uint32, copy=False)
    dense, _ = fastremap.renumber(np.ascontiguousarray(labels), preserve_zero=True)
    return dense.astype(np.uint32, copy=False)
