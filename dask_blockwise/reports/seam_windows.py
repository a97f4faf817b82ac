"""Windows in a blockwise result: some astride the faces of blocks, some inside blocks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ..geometry.boxes import Index

__all__ = ["Window", "window_shape", "windows_astride"]


@dataclass(frozen=True)
class Window:
    """A box of voxels; astride a face, that is in its middle along an axis."""

    begin: Index
    shape: Index
    # None inside a block.
    axis: int | None = None

    @property
    def end(self) -> Index:
        """One past its last voxel."""
        return tuple(b + n for b, n in zip(self.begin, self.shape, strict=True))

    def slices(self, within: Window | None = None) -> tuple[slice, ...]:
        """Slices of the window, counted from the volume's first voxel or from another window's."""
        origin = within.begin if within else (0,) * len(self.begin)
        axes = zip(self.begin, self.shape, origin, strict=True)
        return tuple(slice(b - o, b - o + n) for b, n, o in axes)


def window_shape(shape: Index, block: Index, stitched: tuple[bool, ...]) -> Index:
    """An even half of a block along the axes that are stitched, up to 64 voxels (256 in 2-D).

    Examples
    --------
    >>> window_shape((200, 200, 10), (64, 300, 10), (True, True, True))
    (32, 64, 4)
    """
    most = 64 if sum(stitched) >= 3 else 256
    axes = zip(shape, block, stitched, strict=True)
    halves = ((min(n, b, 2 * most) // 4 * 2, along) for n, b, along in axes)
    return tuple(max(2, half) if along else 1 for half, along in halves)


def windows_astride(
    shape: Index,
    block: Index,
    window: Index,
    stitched: tuple[bool, ...],
    count: int,
    rng: np.random.Generator,
) -> list[Window]:
    """Windows in the middle of which two blocks meet; those along one axis don't overlap.

    Parameters
    ----------
    shape, block, window : tuple of int
        Of the volume, a block and a window, in voxels.
    stitched : tuple of bool
        Along which axes labels of neighbours belong together; not along time.
    count : int
        At most so many, drawn evenly from all.
    rng : Generator

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> windows_astride((8, 4), (4, 4), (2, 4), (True, True), 5, rng)
    [Window(begin=(3, 0), shape=(2, 4), axis=0)]
    """
    found = []
    for axis in np.flatnonzero(stitched):
        starts = [range(0, n - w + 1, w) for n, w in zip(shape, window, strict=True)]
        first, last = block[axis] - window[axis] // 2, shape[axis] - window[axis]
        starts[axis] = range(first, last + 1, block[axis])
        found += [Window(tuple(begin), window, int(axis)) for begin in product(*starts)]
    return drawn(found, count, rng)


def drawn(windows: list[Window], count: int, rng: np.random.Generator) -> list[Window]:
    """At most so many of the windows, in their order."""
    chosen = rng.permutation(len(windows))[:count]
    return [windows[i] for i in sorted(chosen)]
