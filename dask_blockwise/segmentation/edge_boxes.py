"""Where the edges of one offset begin: near a box, with their end in an array, out of a box."""

from __future__ import annotations

from collections.abc import Iterator

from ..geometry.boxes import Box, Index, common

__all__ = ["begins_near", "ends_inside", "shell"]


def begins_near(core: Box, near: Box | None, offset: Index) -> Box:
    """Where in a box edges may begin, of which one end is near another box."""
    if near is None:
        return core
    axes = zip(near, offset, strict=True)
    return common(core, tuple(slice(n.start - max(0, o), n.stop - min(0, o)) for n, o in axes))


def ends_inside(begins: Box, offset: Index, shape: Index) -> Iterator[Box]:
    """Of where edges may begin, those of which the other end is in the array, if there are any."""
    axes = zip(begins, offset, shape, strict=True)
    here = tuple(slice(max(b.start, -o), min(b.stop, n - o)) for b, o, n in axes)
    if all(h.start < h.stop for h in here):
        yield here


def shell(core: Box, offset: Index) -> Iterator[Box]:
    """Boxes of all voxels of a box from which an offset leaves it.

    Examples
    --------
    >>> list(shell((slice(0, 9), slice(4, 9)), (-1, 2)))
    [(slice(0, 1, None), slice(4, 9, None)), (slice(1, 9, None), slice(7, 9, None))]
    """
    for axis, (side, step) in enumerate(zip(core, offset, strict=True)):
        low, high = (min(max(n, side.start), side.stop) for n in _stays(side, step))
        before, stays, after = slice(side.start, low), slice(low, high), slice(high, side.stop)
        for left in (before, after):
            if left.start < left.stop:
                yield (*core[:axis], left, *core[axis + 1 :])
        core = (*core[:axis], stays, *core[axis + 1 :])


def _stays(side: slice, step: int) -> tuple[int, int]:
    """From where to where a step of one axis stays in a side; at its end where it never does."""
    if abs(step) >= side.stop - side.start:
        return side.stop, side.stop
    return side.start - min(0, step), side.stop - max(0, step)
