"""How much is read around a region to answer for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..geometry.blocks import Coordinate
from ..geometry.boxes import Index
from .frame import Frame

__all__ = ["Boundary", "Halo", "Reach"]

# What lies beyond a volume along an axis: the name of a way to fill it, or a constant.
Boundary = str | float
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
    fills
        Along which axes what lies beyond the border is filled, so that functions are given as much
        at the border as elsewhere.

    Examples
    --------
    >>> one = Reach(Coordinate(4, 0), Coordinate(4, 2), (False, False), (False, True))
    >>> one.beyond([Reach(Coordinate(1, 1), Coordinate(0, 0), (True, False), (True, False))])
    Reach(before=(5, 1), after=(4, 2), wraps=(True, False), fills=(True, True))
    """

    before: Coordinate
    after: Coordinate
    wraps: tuple[bool, ...]
    fills: tuple[bool, ...]

    @classmethod
    def none(cls, axes: int) -> Reach:
        """The region alone."""
        zero = Coordinate((0,) * axes)
        return cls(zero, zero, (False,) * axes, (False,) * axes)

    @classmethod
    def of_voxels(cls, frame: Frame, halo: Halo, boundary: Sequence[Boundary] = ()) -> Reach:
        """So many voxels along each axis of space, with nothing beyond the border unless given."""
        still = (0,) * ("t" in frame.axes)
        before, after = (Coordinate((*still, *side)) * frame.voxel_size for side in zip(*halo))
        return cls.with_boundary(frame, before, after, boundary or ("none",) * len(halo))

    @classmethod
    def with_boundary(
        cls, frame: Frame, before: Coordinate, after: Coordinate, boundary: Sequence[Boundary]
    ) -> Reach:
        """Given, for each axis of space, what lies beyond: see `padding.Margin`."""
        still = (False,) * ("t" in frame.axes)
        wraps = (*still, *(mode == "periodic" for mode in boundary))
        return cls(before, after, wraps, (*still, *(mode != "none" for mode in boundary)))

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
            tuple(self.fills[n] for n in order),
        )

    def beyond(self, inner: Iterable[Reach]) -> Reach:
        """What is read when that, in turn, needs the largest of others around it."""
        inner = [Reach.none(len(self.wraps)), *inner]
        return Reach(
            self.before + _largest(reach.before for reach in inner),
            self.after + _largest(reach.after for reach in inner),
            tuple(map(any, zip(self.wraps, *(reach.wraps for reach in inner)))),
            tuple(map(any, zip(self.fills, *(reach.fills for reach in inner)))),
        )


def _largest(sides: Iterable[Coordinate]) -> Coordinate:
    return Coordinate(max(values) for values in zip(*sides))
