"""Boxes of voxels: of regions that leave out the channels, and of numpy's indices."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np

__all__ = ["Index", "bounded", "full_box", "index_bounds"]

Index = tuple[int, ...]


def full_box(axes: tuple[str, ...], begin: Index, end: Index) -> tuple[slice, ...]:
    """Slices along all axes of a box without channels."""
    bounds = iter(zip(begin, end, strict=True))
    return tuple(slice(None) if axis == "c" else slice(*next(bounds)) for axis in axes)


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
