"""Tiles of a volume, each around faces of blocks, and which of them are computed again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, bounded_growth

__all__ = ["Tile", "affordable", "drawn_order", "spent", "tiles"]


@dataclass(frozen=True)
class Tile:
    """A box whose borders run through the middle of blocks, and the window that is seen of it.

    Parameters
    ----------
    box
        Tiles cover the volume, and no voxel twice.
    window
        What is computed again; all of the box where the budget allows that.
    seen
        The window with what is around it.
    faces
        Along which axis, and which is the first layer after it.
    """

    box: Box
    window: Box
    seen: Box
    faces: tuple[tuple[int, int], ...]

    @property
    def cost(self) -> int:
        """Voxels that are computed again."""
        return prod(s.stop - s.start for s in self.seen)

    def nearest_face(self, at: NDArray[np.float64]) -> tuple[int, int]:
        """Axis and first layer of the face that is nearest to a point, from the box's begin."""
        return min(self.faces, key=lambda face: abs(self._from(at, *face)))

    def _from(self, at: NDArray[np.float64], axis: int, first: int) -> float:
        begin: int = self.box[axis].start
        return begin + float(at[axis]) - first

    def layers(self) -> list[tuple[int, Box]]:
        """The two layers of voxels that meet at each face, and its axis."""
        return [
            (
                axis,
                tuple(
                    slice(first - 1, first + 1) if n == axis else span
                    for n, span in enumerate(self.box)
                ),
            )
            for axis, first in self.faces
        ]


def tiles(
    shape: Index,
    block: Index,
    stitched: tuple[bool, ...],
    context: Index,
    most: float,
    count: int = 1,
) -> list[Tile]:
    """Cut a volume in the middle of its blocks, so that the faces lie in the middle of tiles.

    Parameters
    ----------
    shape, block, context : tuple of int
        Of the volume, a block, and what is seen around a window, in voxels.
    stitched : tuple of bool
        Along which axes labels of neighbours belong together; along others each layer is alone.
    most : float
        Voxels that may be computed again.
    count : int
        Windows that this has to pay, if there are so many; each is made smaller, around its faces,
        until it does.

    Examples
    --------
    >>> for tile in tiles((40,), (10,), (True,), (2,), 100):
    ...     print(tile.box, tile.seen, tile.faces)
    (slice(0, 15, None),) (slice(0, 17, None),) ((0, 10),)
    (slice(15, 25, None),) (slice(13, 27, None),) ((0, 20),)
    (slice(25, 40, None),) (slice(23, 40, None),) ((0, 30),)
    """
    spans = [_spans(*axis) for axis in zip(shape, block, stitched, strict=True)]
    boxes = list(product(*spans))
    each = most / min(count, len(boxes))
    return [_tile(box, shape, block, stitched, context, each) for box in boxes]


def drawn_order(weight: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Tiles in the order in which they are drawn, each by its weight among those that are left.

    References
    ----------
    Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.

    Examples
    --------
    >>> drawn_order(np.array([1.0, 1e9, 0.0]), np.random.default_rng(0)).tolist()
    [1, 0, 2]
    """
    waits = rng.exponential(size=len(weight))
    late = np.divide(waits, weight, out=np.full(len(weight), np.inf), where=weight > 0)
    return np.argsort(late, kind="stable")


def affordable(cost: NDArray[np.float64], budget: float) -> int:
    """How many, from the first, a budget pays.

    Examples
    --------
    >>> affordable(np.array([2.0, 2.0, 2.0]), 5)
    2
    """
    return int(np.searchsorted(np.cumsum(cost), budget, side="right"))


def spent(shape: Index, block: Index, halo: tuple[tuple[int, int], ...]) -> int:
    """Voxels that all blocks see, with their halos: what a run computes.

    Examples
    --------
    >>> spent((10,), (4,), ((1, 1),))
    14
    """
    seen = (
        sum(min(n, b + size + after) - max(0, b - before) for b in range(0, n, size))
        for n, size, (before, after) in zip(shape, block, halo, strict=True)
    )
    return prod(seen)


def _spans(size: int, block: int, stitched: bool) -> list[slice]:
    if not stitched:
        return [slice(n, n + 1) for n in range(size)]
    count = -(-size // block)
    middles = [n * block + block // 2 for n in range(1, count - 1)]
    return [slice(*pair) for pair in pairwise([0, *middles, size])]


def _tile(
    box: Box,
    shape: Index,
    block: Index,
    stitched: tuple[bool, ...],
    context: Index,
    most: float,
) -> Tile:
    axes = enumerate(zip(box, block, stitched, strict=True))
    first = {n: -(-(s.start + 1) // b) * b for n, (s, b, along) in axes if along}
    faces = tuple((n, at) for n, at in first.items() if at < box[n].stop)
    middle = [(s.start + s.stop) // 2 for s in box]
    for axis, at in faces:
        middle[axis] = at
    window = box
    while True:
        seen = bounded_growth(window, context, shape)
        sizes = [s.stop - s.start for s in window]
        if prod(s.stop - s.start for s in seen) <= most or max(sizes) <= 2:
            return Tile(box, window, seen, faces)
        longest = int(np.argmax(sizes))
        half = max(1, sizes[longest] // 3)
        window = tuple(
            slice(max(s.start, middle[n] - half), min(s.stop, middle[n] + half))
            if n == longest
            else s
            for n, s in enumerate(window)
        )
