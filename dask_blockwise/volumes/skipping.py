"""Blocks that need not be computed: where a mask has nothing, or what they are made of is dull."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from ..geometry.meeting import meetings
from .frame import Frame
from .kinds import AnyVoxels, Turned
from .masked import masked_by
from .masks import as_mask
from .source import Source, Voxels
from .stored_as import checked_fill

__all__ = ["Constant", "only_where"]


def only_where(
    volume: AnyVoxels, mask: Any, skip_if: Any, block: Index, fill: Any = 0
) -> AnyVoxels:
    """The volume that is stored where blocks are skipped; itself if none are.

    Parameters
    ----------
    volume : Volume
    mask, skip_if
        As for ``to_zarr``; None for neither.
    block : tuple of int
        Voxels of a block along all axes but "c".
    fill : number
        What skipped blocks hold.

    Raises
    ------
    TypeError, ValueError
        If it isn't clear what is to be skipped.
    """
    if mask is None and skip_if is None:
        return volume
    fill = checked_fill(fill, volume.frame.dtype)
    if skip_if is not None:
        volume = masked_by(volume, _rule(volume, skip_if, block), fill)
    return volume if mask is None else masked_by(volume, as_mask(mask), fill)


@dataclass(frozen=True)
class Constant:
    """Whether all of an array is one value."""

    value: Any

    def __call__(self, array: NDArray[Any]) -> bool:
        if self.value != self.value:
            return bool(np.isnan(array).all())
        return bool((array == self.value).all())


@dataclass(frozen=True)
class _Unskipped:
    """A mask of the blocks that aren't skipped; see `Mask`."""

    looked_at: Voxels
    skips: Callable[[NDArray[Any]], Any]
    # The blocks: where they begin in the world, and voxels of one.
    of: Frame
    block: Index

    def over(self, volume: AnyVoxels) -> AnyVoxels:
        """See `Mask.over`."""
        frame = replace(volume.frame.with_values(bool, channels=None), names=True)
        source = _NotSkipped(frame, (self.looked_at,), self.skips, self._first(frame), self.block)
        return replace(volume, frame=frame, source=source)

    def _first(self, frame: Frame) -> Index:
        """Where blocks begin, in voxels of the frame."""
        return tuple(map(int, (self.of.offset - frame.offset) / frame.voxel_size))


@dataclass(frozen=True, eq=False)
class _NotSkipped(Source):
    """Which voxels lie in blocks that aren't skipped."""

    frame: Frame
    inputs: tuple[Voxels]
    # Of the values of a block; true where it is skipped.
    skips: Callable[[NDArray[Any]], Any]
    first: Index
    block_shape: Index

    kind = "MaskVolume"

    def read(self, begin: Index, end: Index) -> NDArray[np.bool_]:
        """See `Source.read`."""
        counts = np.zeros([e - b for b, e in zip(begin, end, strict=True)], bool)
        for low, high in self._blocks(begin, end):
            inside = tuple(
                slice(max(0, lo - b), hi - b) for lo, hi, b in zip(low, high, begin, strict=True)
            )
            counts[inside] = not self._is_skipped(low, high)
        return counts

    def _blocks(self, begin: Index, end: Index) -> Iterator[tuple[Index, Index]]:
        """The blocks that meet a box, each from where it begins to where it ends."""
        extent, axes = self.frame.extent, []
        for b, e, f, s, n in zip(begin, end, self.first, self.block_shape, extent, strict=True):
            starts = range(f + (b - f) // s * s, e, s)
            axes.append([(max(0, start), min(n, start + s)) for start in starts])
        for sides in product(*axes):
            yield tuple(low for low, _ in sides), tuple(high for _, high in sides)

    def _is_skipped(self, begin: Index, end: Index) -> bool:
        (volume,) = self.inputs
        low, high = zip(*map(self._met, range(len(begin)), begin, end), strict=True)
        if any(b >= e for b, e in zip(low, high, strict=True)):
            return False
        skipped = self.skips(volume.source.read(low, high))
        if np.ndim(skipped) or not isinstance(skipped, bool | np.bool_):
            raise TypeError(
                f"skip_if must say True or False of the values of a block, and returned "
                f"{skipped!r}: let it return one of these, such as by bool((array == 0).all())."
            )
        return bool(skipped)

    def _met(self, axis: int, begin: int, end: int) -> tuple[int, int]:
        """The voxels of what is looked at that a part of the volume meets, along an axis."""
        there = self.inputs[0].frame
        meeting = meetings(self.frame.placement, there.placement)[axis]
        (low,), (high,) = meeting.of(np.array([begin, end]))
        return max(0, int(low)), min(there.extent[axis], int(high))


def _rule(volume: Voxels, skip_if: Any, block: Index) -> _Unskipped:
    """The rule that is meant: a value, a function, or a volume and a function of its values."""
    looked_at, skips = _made_of(volume), skip_if
    if isinstance(skip_if, tuple) and len(skip_if) == 2:
        looked_at, skips = skip_if
    elif isinstance(skip_if, Number | np.generic):
        skips = Constant(skip_if)
    if not callable(skips) or not isinstance(getattr(looked_at, "source", None), Source):
        raise TypeError(
            f"skip_if must be a value, of which blocks are skipped where the volume that all is "
            f"made of has nothing else; a function of its values in a block; or a volume, such as "
            f"a coarse level, and a function of that: (level, function). Got {skip_if!r}."
        )
    _check_placed(volume, looked_at)
    return _Unskipped(looked_at, skips, volume.frame, block)


def _check_placed(volume: Voxels, looked_at: Voxels) -> None:
    of, there = volume.frame.placement, looked_at.frame.placement
    try:
        same = of.block_axes == there.block_axes and meetings(of, there)
    except ValueError:
        same = False
    if not same:
        raise ValueError(
            f"skip_if looks at {looked_at!r}, which has other axes or another unit than "
            f"{volume!r}, that can't be compared: give one of the same axes and a known unit, "
            "skip_if=(volume, function)."
        )


def _made_of(volume: Voxels) -> Voxels:
    """The volume at the beginning of what one is made of."""
    if not volume.source.inputs:
        return volume
    if isinstance(volume.source, Turned):
        raise ValueError(
            f"skip_if looks at what {volume!r} is made of, of which axes are turned on the way: "
            "say what it is to look at, skip_if=(volume, function)."
        )
    return _made_of(volume.source.inputs[0])
