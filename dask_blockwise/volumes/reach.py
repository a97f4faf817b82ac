"""How much is read around a region to answer for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from .frame import Frame

__all__ = ["Halo", "Reach"]

# Voxels before and after, along each axis of space.
Halo = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Reach:
    """What is read around a region to answer for it, along all axes but "c".

    Parameters
    ----------
    before, after
        World units.
    wraps
        Along which axes a block at the border reads at the opposite one too.

    Examples
    --------
    >>> one = Reach(Coordinate(4, 0), Coordinate(4, 2), (False, False))
    >>> one.beyond([Reach(Coordinate(1, 1), Coordinate(0, 0), (True, False))])
    Reach(before=(5, 1), after=(4, 2), wraps=(True, False))
    """

    before: Coordinate
    after: Coordinate
    wraps: tuple[bool, ...]

    @classmethod
    def none(cls, axes: int) -> Reach:
        """The region alone."""
        zero = Coordinate((0,) * axes)
        return cls(zero, zero, (False,) * axes)

    @classmethod
    def of_voxels(cls, frame: Frame, halo: Halo, wraps: Sequence[bool] | None = None) -> Reach:
        """So many voxels before and after along each axis of space."""
        still = "t" in frame.axes
        before, after = (
            Coordinate((*(0,) * still, *side)) * frame.voxel_size for side in zip(*halo)
        )
        around = wraps if wraps is not None else (False,) * len(halo)
        return cls(before, after, (*(False,) * still, *around))

    def voxels(self, frame: Frame) -> Halo:
        """So many voxels before and after along each axis of space, as of which it was made."""
        sides = (side / frame.voxel_size for side in (self.before, self.after))
        return tuple((int(b), int(a)) for b, a in zip(*sides))[-len(frame.space) :]

    def transposed(self, order: Index) -> Reach:
        """Along the same axes in another order."""
        return Reach(
            Coordinate(self.before[n] for n in order),
            Coordinate(self.after[n] for n in order),
            tuple(self.wraps[n] for n in order),
        )

    def beyond(self, inner: Iterable[Reach]) -> Reach:
        """What is read when that, in turn, needs the largest of others around it."""
        inner = [Reach.none(len(self.wraps)), *inner]
        return Reach(
            self.before + _largest(reach.before for reach in inner),
            self.after + _largest(reach.after for reach in inner),
            tuple(map(any, zip(self.wraps, *(reach.wraps for reach in inner)))),
        )


def _largest(sides: Iterable[Coordinate]) -> Coordinate:
    return Coordinate(max(values) for values in zip(*sides))
