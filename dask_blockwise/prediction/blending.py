"""Tiles of a whole volume that overlap, and the share that each has in a voxel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blend", "TiledAxis", "check_blend", "overlaps_of"]

Blend = Literal["gaussian", "linear"]

# Of a tile's length, as in nnU-Net.
_SIGMA = 1 / 8


@dataclass(frozen=True)
class TiledAxis:
    """One axis of a volume in tiles that lie where the volume has them, whatever the blocks.

    The weight of a tile falls from its middle to its borders: as a Gaussian whose standard
    deviation is an eighth of it (Isensee et al., nnU-Net, Nature Methods 2021), or linearly.

    Examples
    --------
    >>> axis = TiledAxis(10, 4, 3, "linear")
    >>> axis.starts
    (0, 3, 6)
    >>> axis.share(0, 2, 4).round(2).tolist(), axis.share(3, 2, 4).round(2).tolist()
    ([1.0, 0.5], [0.0, 0.5])
    """

    # Voxels of the volume, of a tile, and from one to the next.
    size: int
    tile: int
    step: int
    blend: Blend

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where tiles begin: the last ends with the volume; one that is longer lies around it."""
        last = self.size - self.tile
        if last <= 0:
            return (last // 2,)
        return (*range(0, last, self.step), last)

    def meeting(self, begin: int, end: int) -> Iterator[int]:
        """Where those begin that meet some voxels."""
        return (start for start in self.starts if start < end and start + self.tile > begin)

    def share(self, start: int, begin: int, end: int) -> NDArray[np.float32]:
        """The part of a tile in some voxels; those of all tiles add up to 1."""
        weight = self._weights(start, begin, end)
        total = sum(self._weights(other, begin, end) for other in self.meeting(begin, end))
        return np.asarray(weight / total, np.float32)

    def _weights(self, start: int, begin: int, end: int) -> NDArray[np.float64]:
        at = np.arange(begin, end) - start
        inside = (at >= 0) & (at < self.tile)
        return np.where(inside, _PROFILES[self.blend](at, self.tile), 0.0)


def _gaussian(at: NDArray[np.intp], tile: int) -> NDArray[np.float64]:
    away = (at - (tile - 1) / 2) / (tile * _SIGMA)
    weights: NDArray[np.float64] = np.exp(-(away**2) / 2)
    return weights


def _linear(at: NDArray[np.intp], tile: int) -> NDArray[np.float64]:
    return np.minimum(at + 1, tile - at).astype(np.float64)


_PROFILES: dict[str, Callable[[NDArray[np.intp], int], NDArray[np.float64]]] = {
    "gaussian": _gaussian,
    "linear": _linear,
}


def check_blend(blend: Any, overlap: Any, boundary: Any) -> None:
    """Refuse what isn't a way to blend, or is for it alone.

    Raises
    ------
    ValueError
    """
    if blend not in (None, *get_args(Blend)):
        raise ValueError(f"blend must be 'gaussian', 'linear' or None, got {blend!r}.")
    if blend is None and overlap is not None:
        raise ValueError(
            f"overlap={overlap} is of tiles that are blended: give blend='gaussian' or 'linear', "
            "or halo= for context that is cut off."
        )
    if blend is not None and boundary == "valid":
        raise ValueError(
            "boundary='valid' is for networks that leave out what they don't see well, and blend= "
            "for those that don't: leave one of them out."
        )


def overlaps_of(given: Any, tiles: tuple[int, ...]) -> tuple[int, ...]:
    """By how many voxels tiles overlap, from a number, a part of a tile, or one an axis.

    Raises
    ------
    ValueError
        If a tile would not lie beyond the one before.

    Examples
    --------
    >>> overlaps_of(None, (8, 64)), overlaps_of(0.25, (8, 64)), overlaps_of((1, 32), (8, 64))
    ((4, 32), (2, 16), (1, 32))
    """
    one = given is None or isinstance(given, Real)
    parts = [0.5 if given is None else given] * len(tiles) if one else list(given)
    found = tuple(
        int(part if isinstance(part, Integral) else tile * float(part))
        for part, tile in zip(parts, tiles)
        if isinstance(part, Real)
    )
    if len(parts) != len(tiles) or len(found) != len(tiles):
        found = ()
    if not found or any(not 0 <= n < max(tile, 1) for n, tile in zip(found, tiles)):
        raise ValueError(
            f"overlap must be whole voxels, or a part of a tile under 1, one for all axes of space "
            f"or for each, and less than the tiles of {tiles}, got {given!r}."
        )
    return found
