"""Mutex watershed: affinities, the surest first, join voxels or keep them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, within
from .affinities import as_unit, check_unit
from .edge_boxes import begins_near, ends_inside, shell
from .edges import Edges

if TYPE_CHECKING:
    # As numba takes long to import.
    from .edge_order import EdgesInOrder

Offsets = Sequence[Sequence[int]]
Attract = Literal["all", "nearest"]

__all__ = ["Attract", "MutexEdges", "Offsets", "are_nearest"]

_STEPS = 1 << 24


def are_nearest(offsets: Offsets) -> list[bool]:
    """Which offsets reach no further than the next voxel.

    Examples
    --------
    >>> are_nearest([(0, -1), (1, 1), (0, 2)])
    [True, True, False]
    """
    return [max(map(abs, offset)) == 1 for offset in offsets]


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
        weights = np.empty(affinities.shape, np.float32)
        for channel, values in enumerate(affinities):
            self._weigh(channel, values, weights[channel])
        return weights

    @staticmethod
    def over_bias(weights: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sum of each voxel's weights in whole steps of 2 ** -24, exact in any order."""
        steps: NDArray[np.float64] = np.rint(weights.sum(0, np.float64) * _STEPS)
        return steps

    def edges(
        self,
        weights: NDArray[np.float32],
        core: Box,
        shape: Index,
        at: Index,
        near: Box | None = None,
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
        near : tuple of slice, optional
            All that end or begin in this part of the array, and few others; all unless given.
        """
        for rank, channel in self._ranked():
            begins = begins_near(core, near, self.offsets[channel])
            for here in ends_inside(begins, self.offsets[channel], shape):
                yield self._edges(rank, channel, weights[channel][within(here, core)], here, at)

    def leaving(
        self, affinities: NDArray[Any], core: Box, shape: Index, at: Index
    ) -> Iterator[Edges]:
        """The edges that begin in a box and end in the array around it, but not in the box.

        Parameters
        ----------
        affinities : ndarray, shape (c, ...)
            Of the box.
        core, shape, at
            See `edges`.
        """
        for rank, channel in self._ranked():
            offset = self.offsets[channel]
            for part in shell(core, offset):
                for here in ends_inside(part, offset, shape):
                    values = affinities[channel][within(here, core)]
                    weight = np.empty(values.shape, np.float32)
                    self._weigh(channel, values, weight)
                    yield self._edges(rank, channel, weight, here, at)

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
        array([[1, 1, 2, 2]])

        The voxel in the middle alone, which hangs together with others than is known:

        >>> rule.labels(weights, (slice(0, 1), slice(1, 2)), (0, 0))
        array([[1]])
        """
        # Here, as numba takes long to import.
        from .merging import merged

        return merged(*self._graph(weights, core, at, mask))[core].astype(np.int64) + 1

    def parts(
        self,
        weights: NDArray[np.float32],
        core: Box,
        at: Index,
        mask: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], EdgesInOrder]:
        """The same labels, and the first edge of each pair of them in the box, in their order."""
        from .merging import merged_and_left

        clusters, left = merged_and_left(*self._graph(weights, core, at, mask))
        return clusters[core].astype(np.int64) + 1, left

    def _graph(
        self, weights: NDArray[np.float32], core: Box, at: Index, mask: NDArray[np.bool_] | None
    ) -> tuple[list[Edges], NDArray[np.int32], int]:
        """Edges of a box and from it, nodes, and how many of these are inside the box."""
        shape = weights.shape[1:]
        every = list(self.edges(weights, tuple(slice(0, n) for n in shape), shape, at, near=core))
        held = self._held(every, shape, mask)
        size = tuple(s.stop - s.start for s in core)
        own = np.arange(prod(size), dtype=np.int32).reshape(size)
        # Beyond the box it isn't known what is held, so that any edge may count there.
        around = np.ones(shape, bool) if mask is None else mask.copy()
        around[core] = False
        nodes = np.full(shape, -1, np.int32)
        nodes[around] = np.arange(np.count_nonzero(around)) + own.size
        nodes[core] = np.where(held[core], own, -1)
        return every, nodes, own.size

    def _weigh(self, channel: int, values: NDArray[Any], out: NDArray[np.float32]) -> None:
        if not self.clip:
            check_unit(values)
        np.subtract(as_unit(values, self.clip), np.float32(self.bias[channel]), out=out)

    def _ranked(self) -> Iterator[tuple[int, int]]:
        """Channels in their order: those that attract come first, where only they do."""
        nearest = are_nearest(self.offsets)
        all_attract = self.attract == "all"
        channels = range(len(nearest))
        yield from enumerate(sorted(channels, key=lambda c: not (all_attract or nearest[c])))

    def _edges(
        self, rank: int, channel: int, weight: NDArray[np.float32], here: Box, at: Index
    ) -> Edges:
        """Those of one offset that begin in a part of the array."""
        offset = self.offsets[channel]
        near = max(map(abs, offset)) == 1
        there = tuple(slice(h.start + o, h.stop + o) for h, o in zip(here, offset, strict=True))
        begins = tuple(first + s.start for first, s in zip(at, here, strict=True))
        taken = self._taken(offset, weight.shape, begins, near)
        if self.attract == "all":
            return Edges(rank, here, there, abs(weight), weight > 0, taken)
        strength, ties = (weight, True) if near else (-weight, False)
        return Edges(rank, here, there, strength, np.full(weight.shape, ties), taken)

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
