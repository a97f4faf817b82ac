"""Mutex watershed: affinities, the surest first, join voxels or keep them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, within
from .affinities import as_unit, check_unit
from .contraction import contracted

Offsets = Sequence[Sequence[int]]
Attract = Literal["all", "nearest"]

__all__ = ["Attract", "Edges", "MutexEdges", "Offsets", "are_nearest", "descending"]

_SIGN, _HIGH = np.uint32(1 << 31), np.uint64(32)
_MOST_EDGES = 1 << 31
_STEPS = 1 << 24


def are_nearest(offsets: Offsets) -> list[bool]:
    """Which offsets reach no further than the next voxel.

    Examples
    --------
    >>> are_nearest([(0, -1), (1, 1), (0, 2)])
    [True, True, False]
    """
    return [max(map(abs, offset)) == 1 for offset in offsets]


def descending(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Numbers that sort as floats do, from the largest to the smallest.

    Examples
    --------
    >>> np.argsort(descending(np.array([-0.5, 0.25, 1.0, -1.0], np.float32)))
    array([2, 1, 0, 3])
    """
    # From 0, so that there is no -0.
    bits = (np.float32(0) - values).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


class Edges(NamedTuple):
    """The edges of one offset, at the voxels where they begin."""

    # Of the offset in their order.
    rank: int
    # Where they begin and end in the array.
    here: Box
    there: Box
    # Of those that begin here, float32 and bool: the strongest come first, and ties or keeps apart.
    strength: NDArray[np.float32]
    attracts: NDArray[np.bool_]
    # Which are taken; all unless strides leave some out.
    taken: NDArray[np.bool_]


@dataclass(frozen=True)
class MutexEdges:
    """How affinities are the edges of a mutex watershed, in an order that no block changes.

    Stronger edges come first; of equally strong ones those of earlier offsets, and of these those
    of earlier voxels in raster order.

    Parameters
    ----------
    offsets, bias, attract, strides, clip
        See `dask_blockwise.segmentation.watershed.segment_function`; one bias an offset.

    References
    ----------
    Wolf et al., "The Mutex Watershed and its Objective", 2019. ``"all"`` is as mwatershed has it,
    ``"nearest"`` as bioimage-cpp.
    """

    offsets: tuple[Index, ...]
    bias: tuple[float, ...]
    attract: Attract = "all"
    strides: Index | None = None
    clip: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """As the parameters of the segment function have it."""
        offsets = tuple(tuple(map(int, offset)) for offset in parameters["offsets"])
        bias = np.broadcast_to(np.asarray(parameters.get("bias", 0.5), np.float64), len(offsets))
        strides = parameters.get("strides")
        return cls(
            offsets,
            tuple(map(float, bias)),
            parameters.get("attract", "all"),
            None if strides is None else tuple(map(int, strides)),
            parameters.get("clip", False),
        )

    @property
    def reach(self) -> Index:
        """How far an edge goes along each axis, either way."""
        return tuple(max(map(abs, axis)) for axis in zip(*self.offsets, strict=True))

    def at_each_time(self) -> MutexEdges:
        """The same for arrays whose first axis is time."""
        strides = None if self.strides is None else (1, *self.strides)
        offsets = tuple((0, *offset) for offset in self.offsets)
        return MutexEdges(offsets, self.bias, self.attract, strides, self.clip)

    def weights(self, affinities: NDArray[Any]) -> NDArray[np.float32]:
        """Affinities over the bias, for each offset.

        Raises
        ------
        ValueError
            If affinities aren't in [0, 1], unless they are clipped.
        """
        affinities = affinities[: len(self.offsets)]
        if not self.clip:
            check_unit(affinities)
        weights = np.empty(affinities.shape, np.float32)
        for weight, channel, bias in zip(weights, affinities, self.bias, strict=True):
            np.subtract(as_unit(channel, self.clip), np.float32(bias), out=weight)
        return weights

    @staticmethod
    def over_bias(weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of each voxel's weights in whole steps of 2 ** -24, exact in any order."""
        steps: NDArray[np.float64] = np.rint(weights.sum(0, np.float64) * _STEPS)
        return steps

    def edges(
        self, weights: NDArray[np.float32], core: Box, shape: Index, at: Index
    ) -> Iterator[Edges]:
        """The edges that begin in a box and end in an array around it, offset by offset.

        Parameters
        ----------
        weights : ndarray of float32, shape (c, ...)
            Of the box.
        core : tuple of slice
            The box within the array.
        shape : tuple of int
            Of the array.
        at : tuple of int
            Where the array begins in the volume, in voxels, by which strides count.
        """
        near, both = are_nearest(self.offsets), self.attract == "all"
        # Those that attract come first, where only they do.
        order = sorted(range(len(near)), key=lambda channel: not (both or near[channel]))
        for rank, channel in enumerate(order):
            offset = self.offsets[channel]
            axes = zip(core, offset, shape, strict=True)
            here = tuple(slice(max(c.start, -o), min(c.stop, n - o)) for c, o, n in axes)
            if any(h.stop <= h.start for h in here):
                continue
            there = tuple(slice(h.start + o, h.stop + o) for h, o in zip(here, offset, strict=True))
            weight = weights[channel][within(here, core)]
            begins = tuple(first + s.start for first, s in zip(at, here, strict=True))
            taken = self._taken(offset, weight.shape, begins, near[channel])
            if both:
                yield Edges(rank, here, there, abs(weight), weight > 0, taken)
            else:
                strength, ties = (weight, True) if near[channel] else (-weight, False)
                yield Edges(rank, here, there, strength, np.full(weight.shape, ties), taken)

    def labels(
        self,
        weights: NDArray[np.float32],
        core: Box,
        at: Index,
        mask: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int64]:
        """Label a box by what a mutex watershed merges there, whatever lies around the array.

        Where there is nothing around the box, those are its objects; else parts of objects, which
        the edges between them make whole, the strongest first.

        Parameters
        ----------
        weights : ndarray of float32, shape (c, ...)
            Of the box and what is around it, as far as `reach`, or to the volume's border.
        core : tuple of slice
            The box within the array.
        at : tuple of int
            Where the array begins in the volume, in voxels.
        mask : ndarray of bool, optional
            Of the array; where it is False nothing is labelled.

        Returns
        -------
        ndarray of int64
            Of the box; 0 is background.

        Raises
        ------
        ValueError
            If the array has more edges than are counted.

        Examples
        --------
        >>> rule = MutexEdges(((0, -1), (0, -2)), (0.5, 0.5), "nearest")
        >>> weights = np.array([[[0, 0.4, -0.3, 0.4]], [[0, 0, -0.4, -0.2]]], np.float32)
        >>> rule.labels(weights, (slice(0, 1), slice(0, 4)), (0, 0))
        array([[2, 2, 4, 4]])

        The voxel in the middle alone, which hangs together with others than is known:

        >>> rule.labels(weights, (slice(0, 1), slice(1, 2)), (0, 0))
        array([[1]])
        """
        shape = weights.shape[1:]
        if weights.size > _MOST_EDGES:
            raise ValueError(
                f"A mutex watershed of one array takes {_MOST_EDGES} edges at most, got "
                f"{weights.size}, {len(weights)} a voxel: label it by smaller blocks, of which "
                "relabel(watershed(volume, ...)) makes the very objects of one array."
            )
        every = list(self.edges(weights, tuple(slice(0, n) for n in shape), shape, at))
        held = self._held(every, shape, mask)
        # Beyond the box it isn't known what is held, so that any edge may count there.
        ends = np.ones(shape, bool) if mask is None else mask.copy()
        ends[core] = held[core]
        size = tuple(s.stop - s.start for s in core)
        nodes = np.full(shape, -1, np.int32)
        nodes[core] = np.arange(prod(size), dtype=np.int32).reshape(size)
        cluster = contracted(prod(size), *_sorted(every, nodes, ends)).reshape(size)
        return np.where(held[core], cluster.astype(np.int64) + 1, 0)

    def _held(
        self, every: Sequence[Edges], shape: Index, mask: NDArray[np.bool_] | None
    ) -> NDArray[np.bool_]:
        """Voxels that an affinity over the bias ties to another; what isn't held is background."""
        held = np.zeros(shape, bool)
        for edges in every:
            ties = edges.attracts & (edges.strength > 0) & edges.taken
            if mask is not None and self.attract == "all":
                ties &= mask[edges.here] & mask[edges.there]
            held[edges.here] |= ties
            held[edges.there] |= ties
        return held if mask is None else held & mask

    def _taken(self, offset: Index, shape: Index, begins: Index, near: bool) -> NDArray[np.bool_]:
        """Which edges the strides leave, of those that begin from a voxel of the volume on."""
        taken = np.ones(shape, bool)
        if self.strides is None or near:
            return taken
        for axis, (stride, step) in enumerate(zip(self.strides, offset, strict=True)):
            # mwatershed counts from the first edge, bioimage-cpp from the first voxel.
            first = max(0, -step) if self.attract == "all" else 0
            places = begins[axis] - first + np.arange(shape[axis])
            along = [-1 if other == axis else 1 for other in range(len(shape))]
            taken &= (places % stride == 0).reshape(along)
        return taken


def _sorted(
    every: Sequence[Edges], nodes: NDArray[np.int32], held: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Both ends of all edges of nodes, the strongest first, and whether they attract."""
    none = np.empty(0, np.int32)
    parts = [(none, none, none.astype(np.float32), none.astype(bool))]
    for edges in every:
        one, other = nodes[edges.here], nodes[edges.there]
        used = edges.taken & held[edges.here] & held[edges.there] & ((one >= 0) | (other >= 0))
        one, other = one[used], other[used]
        inside, beyond = np.maximum(one, other), np.minimum(one, other)
        parts.append((inside, beyond, edges.strength[used], edges.attracts[used]))
    ones, others, strengths, attracts = map(np.concatenate, zip(*parts))
    # With their place behind them, numbers are sorted several times as fast as places by floats.
    keys = descending(strengths).astype(np.uint64) << _HIGH
    keys |= np.arange(keys.size, dtype=np.uint64)
    keys.sort()
    order = keys.astype(np.uint32)
    return ones[order], others[order], attracts[order]
