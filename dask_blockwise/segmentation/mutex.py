"""Mutex watershed: affinities, the surest first, join voxels or keep them apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Literal

import bioimage_cpp
import fastremap
import mwatershed
import numpy as np
from numpy.typing import NDArray

Offsets = Sequence[Sequence[int]]
Attract = Literal["all", "nearest"]

__all__ = ["Attract", "Offsets", "are_nearest", "mutex_watershed"]


def mutex_watershed(
    weights: NDArray[np.float32],
    offsets: Offsets,
    attract: Attract,
    strides: Sequence[int] | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint64]:
    """Label voxels by their affinities, from which the bias has been subtracted.

    Parameters
    ----------
    weights : ndarray of float32, shape (c, z, y, x) or (c, y, x)
        Overwritten.
    offsets : sequence of c offsets, one step an axis in voxels
    attract : "all" or "nearest"
        Which offsets may join voxels.
    strides : sequence of int, optional
        Take edges that aren't nearest neighbours' at every so many voxels an axis alone.
    mask : ndarray of bool, shape (z, y, x) or (y, x), optional
        Where it is False nothing is labelled.

    Returns
    -------
    ndarray of uint64, shape (z, y, x) or (y, x)
        0 where there is no edge that attracts.

    References
    ----------
    Wolf et al., "The Mutex Watershed and its Objective", 2019; computed by mwatershed ("all", as
    dacapo does) and bioimage-cpp ("nearest").

    Examples
    --------
    >>> weights = np.full((2, 1, 6), 0.5, np.float32)
    >>> weights[0, 0, 3] = weights[1, 0, 3:5] = -0.5
    >>> mutex_watershed(weights, [(0, -1), (0, -2)], "nearest")
    array([[1, 1, 1, 2, 2, 2]], dtype=uint64)
    """
    shape = weights.shape[1:]
    # A longer offset has no edge here; mwatershed panics at one.
    short = [all(abs(s) < n for s, n in zip(o, shape, strict=True)) for o in offsets]
    if not any(short):
        return np.zeros(shape, np.uint64)
    if not all(short):
        weights, offsets = weights[short], list(compress(offsets, short))
    label = _all_attract if attract == "all" else _nearest_attract
    return label(weights, offsets, strides, mask)


def are_nearest(offsets: Offsets) -> list[bool]:
    """Which offsets reach no further than the next voxel.

    Examples
    --------
    >>> are_nearest([(0, -1), (1, 1), (0, 2)])
    [True, True, False]
    """
    return [max(map(abs, offset)) == 1 for offset in offsets]


def _all_attract(
    weights: NDArray[np.float32],
    offsets: Offsets,
    strides: Sequence[int] | None,
    mask: NDArray[np.bool_] | None,
) -> NDArray[np.uint64]:
    """Weights above 0 attract, others repel, whatever their offset."""
    if mask is not None:
        _cut_edges(weights, offsets, mask)
    every = [1] * (weights.ndim - 1)
    steps = [every if near else list(strides or every) for near in are_nearest(offsets)]
    labels = mwatershed.agglom(
        weights.astype(np.float64),
        [list(offset) for offset in offsets],
        strides=steps if strides is not None else None,
    )
    consecutive, _ = fastremap.renumber(labels, in_place=True)
    return consecutive.astype(np.uint64, copy=False)


def _cut_edges(weights: NDArray[np.float32], offsets: Offsets, mask: NDArray[np.bool_]) -> None:
    """An edge of weight 0 comes last, and then keeps apart what nothing would join any more."""
    for weight, offset in zip(weights, offsets, strict=True):
        here, there = _ends(offset)
        weight[~mask] = 0
        weight[here][~mask[there]] = 0


def _nearest_attract(
    weights: NDArray[np.float32],
    offsets: Offsets,
    strides: Sequence[int] | None,
    mask: NDArray[np.bool_] | None,
) -> NDArray[np.uint64]:
    """Nearest neighbours join by their weight alone, all others repel."""
    nearest = are_nearest(offsets)
    attractive = [c for c, near in enumerate(nearest) if near]
    repulsive = [c for c, near in enumerate(nearest) if not near]
    edges = np.concatenate([weights[attractive], -weights[repulsive]])
    held = _held(edges, [offsets[c] for c in attractive])
    labels: NDArray[np.uint64] = bioimage_cpp.segmentation.mutex_watershed(
        edges,
        [tuple(offsets[c]) for c in attractive + repulsive],
        len(attractive),
        strides=strides,
        mask=held if mask is None else held & mask,
    )
    return labels


def _held(edges: NDArray[np.float32], offsets: Offsets) -> NDArray[np.bool_]:
    """Voxels that a weight above 0 ties to a neighbour."""
    held = np.zeros(edges.shape[1:], bool)
    for edge, offset in zip(edges, offsets, strict=False):
        here, there = _ends(offset)
        ties = edge[here] > 0
        held[here] |= ties
        held[there] |= ties
    return held


def _ends(offset: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where the edges of an offset begin and end."""
    here = tuple(slice(max(0, -step), -step if step > 0 else None) for step in offset)
    there = tuple(slice(max(0, step), step if step < 0 else None) for step in offset)
    return here, there
