"""Boxes of voxels: of regions that leave out the channels, and of numpy's indices."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

__all__ = [
    "Box",
    "Direction",
    "Index",
    "bounded",
    "bounded_growth",
    "checked_sizes",
    "common",
    "full_box",
    "grown",
    "index_bounds",
    "is_whole",
    "layer",
    "within",
]


# One number an axis.
Index = tuple[int, ...]
# From a begin to an end along each axis, in voxels.
Box = tuple[slice, ...]
# -1, 0 or 1 along each axis: from a box to a neighbour.
Direction = Index


def full_box(axes: tuple[str, ...], begin: Index, end: Index) -> tuple[slice, ...]:
    """Slices along all axes of a box without channels."""
    bounds = iter(zip(begin, end, strict=True))
    return tuple(slice(None) if axis == "c" else slice(*next(bounds)) for axis in axes)


def checked_sizes(name: str, given: Any, axes: Sequence[str]) -> Index:
    """Voxels along axes, if they are that.

    Parameters
    ----------
    name : str
        Of what a person gave, such as ``"chunks"``.
    given : sequence of int
    axes : sequence of str

    Raises
    ------
    ValueError
        If it isn't one positive whole number for each axis.

    Examples
    --------
    >>> checked_sizes("chunks", [np.int64(4), 8], ("y", "x"))
    (4, 8)
    """
    try:
        sizes = tuple(map(index, given))
    except TypeError:
        sizes = ()
    if len(sizes) != len(axes) or min(sizes) < 1:
        raise ValueError(
            f"{name} must be {len(axes)} positive whole numbers of voxels, one for each of the "
            f"axes {tuple(axes)}, got {given!r}."
        )
    return sizes


def bounded(box: tuple[slice, ...], shape: Index) -> tuple[slice, ...]:
    return tuple(slice(*s.indices(n)[:2]) for s, n in zip(box, shape, strict=True))


def index_bounds(key: Any, shape: Index) -> tuple[list[tuple[int, int]], tuple[Any, ...]]:
    """The bounds of a numpy index, and what remains to be applied within them."""
    keys = list(key) if isinstance(key, tuple) else [key]
    for at in [at for at, k in enumerate(keys) if k is Ellipsis][:1]:
        keys[at : at + 1] = [slice(None)] * (len(shape) - len(keys) + 1)
    keys += [slice(None)] * (len(shape) - len(keys))
    if len(keys) > len(shape) or any(not isinstance(k, int | np.integer | slice) for k in keys):
        raise TypeError(
            f"A volume is indexed with a Roi in world units, or with integers and slices along "
            f"its {len(shape)} axes, got {reprlib.repr(key)}: take a box of it first, and index "
            "the array that this gives."
        )
    pairs = [_axis_slice(k, n) for k, n in zip(keys, shape, strict=True)]
    return [bounds for bounds, _ in pairs], tuple(rest for _, rest in pairs)


def _axis_slice(key: Any, size: int) -> tuple[tuple[int, int], Any]:
    if isinstance(key, slice):
        wanted = range(size)[key]
        if not wanted:
            return (0, 0), slice(None)
        low, high = min(wanted), max(wanted)
        return (low, high + 1), slice(None, None, key.step)
    if not -size <= key < size:
        raise IndexError(f"Index {key} is beyond an axis of {size} voxels.")
    at = int(key) % size
    return (at, at + 1), 0


def is_whole(box: Box, unit: Index, shape: Index) -> bool:
    """Whether a box of an array begins and ends where units do, or ends with the array.

    Examples
    --------
    >>> is_whole((slice(4, 10),), (4,), (10,)), is_whole((slice(4, 10),), (4,), (12,))
    (True, False)
    """
    axes = zip(box, unit, shape, strict=True)
    return not any(s.start % step or (s.stop % step and s.stop != n) for s, step, n in axes)


def within(box: Box, frame: Box) -> Box:
    """A box, counted from the beginning of a frame around it.

    Examples
    --------
    >>> within((slice(5, 7),), (slice(4, 9),))
    (slice(1, 3, None),)
    """
    axes = zip(box, frame, strict=True)
    return tuple(slice(b.start - f.start, b.stop - f.start) for b, f in axes)


def common(one: Box, other: Box) -> Box:
    """What two boxes share.

    Examples
    --------
    >>> common((slice(0, 6),), (slice(4, 9),))
    (slice(4, 6, None),)
    """
    axes = zip(one, other, strict=True)
    return tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in axes)


def grown(box: Box, reach: Index) -> Box:
    """A box with so many voxels more on either side of each axis.

    Examples
    --------
    >>> grown((slice(4, 6), slice(0, 3)), (1, 0))
    (slice(3, 7, None), slice(0, 3, None))
    """
    return tuple(slice(b.start - n, b.stop + n) for b, n in zip(box, reach, strict=True))


def layer(box: Box, direction: Direction) -> Box:
    """The voxels of a box at its face, edge or corner in a direction.

    Examples
    --------
    >>> layer((slice(2, 6), slice(0, 4)), (1, 0)), layer((slice(2, 6), slice(0, 4)), (0, -1))
    ((slice(5, 6, None), slice(0, 4, None)), (slice(2, 6, None), slice(0, 1, None)))
    """
    return tuple(_end(axis, step) for axis, step in zip(box, direction, strict=True))


def _end(axis: slice, step: int) -> slice:
    if not step:
        return axis
    return slice(axis.stop - 1, axis.stop) if step > 0 else slice(axis.start, axis.start + 1)


def bounded_growth(box: Box, reach: Index, shape: Index) -> Box:
    """A box with so many voxels more on either side, as far as a volume has them.

    Examples
    --------
    >>> bounded_growth((slice(4, 6), slice(0, 3)), (1, 1), (6, 9))
    (slice(3, 6, None), slice(0, 4, None))
    """
    return common(grown(box, reach), tuple(slice(0, n) for n in shape))
