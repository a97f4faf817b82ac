"""The same volume in coarser voxels, lazily."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index, bounded, full_box
from ..pipelines.stages import stage
from .cells import METHODS, coarsened, margin_of
from .frame import Frame
from .kinds import AnyVoxels
from .reach import Reach
from .source import Source, Voxels

__all__ = ["Coarser", "downsample"]

# Of what is read at once.
_PIECE_BYTES = 64 << 20


@stage("coarser")
def downsample(
    volume: AnyVoxels, /, factors: int | Sequence[int], method: str | None = None
) -> AnyVoxels:
    """The same in voxels so many times as large, lazily.

    Parameters
    ----------
    factors : int, or one for each axis of space
        How many voxels become one; those that are left over at the end are left out.
    method : "mean", "max", "min", "first", "mode" or "labels"
        ``"mean"``, of integers rounded half to even, unless given; ``"mode"``, the most frequent
        value, of equally frequent ones the smallest, unless given for classes and masks;
        ``"labels"``, the same of all but 0, and of equally frequent ones the one that is rarest
        around, so that thin and small objects survive. The method must be named for integers of 32
        bits and more.

    Returns
    -------
    Volume

    Raises
    ------
    ValueError
        If a factor isn't a positive whole number or larger than the volume, or the method isn't
        known, or isn't given for what may be labels.

    Examples
    --------
    >>> from dask_blockwise import Volume
    >>> volume = Volume.from_array(np.array([[1, 3, 5, 5, 9]], np.uint8), voxel_size=(4, 4))
    >>> small = volume.downsample((1, 2))
    >>> small[:].tolist(), small.voxel_size
    ([[2, 5]], (4, 8))
    """
    frame = volume.frame
    steps = _checked_factors(factors, frame)
    chosen = _checked_method(method, frame)
    shape = tuple(n // f for n, f in zip(frame.extent, steps, strict=True))
    placement = replace(
        frame.placement, voxel_size=tuple(v * f for v, f in zip(frame.placement.voxel_size, steps))
    )
    coarse = replace(
        frame, shape=frame.with_channels(shape), placement=placement, shards=None
    ).with_block(tuple(min(b, n) for b, n in zip(frame.block_shape, shape)))
    return replace(volume, frame=coarse, source=Coarser((volume,), steps, chosen, coarse))


@dataclass(frozen=True, eq=False)
class Coarser(Source):
    """Each voxel made of several; those at the ends of what is there, where the frame has them."""

    inputs: tuple[Voxels]
    # Along all axes but "c".
    factors: Index
    method: str
    frame: Frame
    # How many voxels the first one lacks of all that it is made of, along each; none unless given.
    lacking: Index = ()

    @property
    def reach(self) -> Reach | None:
        """See `Source.reach`."""
        frame = self.inputs[0].frame
        margin = margin_of(self.method, self.factors)[-len(frame.space) :]
        return Reach.of_voxels(frame, tuple((m, m) for m in margin)) if any(margin) else None

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`; in pieces, so that a block of eight times its size is never held."""
        frame = self.frame
        shape = frame.with_channels(tuple(e - b for b, e in zip(begin, end, strict=True)))
        made = np.empty(shape, frame.dtype)
        pieces = _pieces(begin, end, self._bytes_of_a_voxel())
        for low, high in chain.from_iterable(self._apart(*piece) for piece in pieces):
            there = tuple(slice(lo - b, hi - b) for lo, hi, b in zip(low, high, begin))
            made[full_box(frame.axes, *_ends(there))] = self._piece(low, high)
        return made

    def _piece(self, begin: Index, end: Index) -> NDArray[Any]:
        (volume,) = self.inputs
        extent, margins = volume.frame.extent, margin_of(self.method, self.factors)
        axes = list(zip(begin, end, self.factors, margins, extent, self._lacking, strict=True))
        inner = [(max(0, b * f - m), min(e * f - m, n)) for b, e, f, _, n, m in axes]
        low = tuple(max(0, b - axis[3]) for (b, _), axis in zip(inner, axes))
        high = tuple(min(axis[4], e + axis[3]) for (_, e), axis in zip(inner, axes))
        values = volume.source.read(low, high)
        core = tuple((b - lo, e - lo) for (b, e), lo in zip(inner, low))
        if any(empty := self._empty_before(begin)):
            values = np.pad(values, [(n, 0) for n in self._of_all_axes(empty, 0)])
            core = tuple((b, e + n) for (b, e), n in zip(core, empty, strict=True))
        box = full_box(self.frame.axes, *zip(*core, strict=True))
        return coarsened(values, self._all_factors, self.method, bounded(box, values.shape))

    def _apart(self, begin: Index, end: Index) -> Iterator[tuple[Index, Index]]:
        """The box without the first voxels, which are made of fewer, and these."""
        cut = [
            ((b, 1), (1, e)) if b == 0 < lack and e > 1 and self.method != "labels" else ((b, e),)
            for b, e, lack in zip(begin, end, self._lacking, strict=True)
        ]
        return (tuple(zip(*box, strict=True)) for box in product(*cut))  # type: ignore[misc]

    def _empty_before(self, begin: Index) -> Index:
        """What the first voxels lack, which counts for nothing where they are labels."""
        axes = zip(begin, self._lacking, strict=True)
        return tuple(lack if b == 0 and self.method == "labels" else 0 for b, lack in axes)

    @property
    def _lacking(self) -> Index:
        return self.lacking or (0,) * len(self.factors)

    @property
    def _all_factors(self) -> Index:
        return self._of_all_axes(self.factors, 1)

    def _of_all_axes(self, values: Index, channel: int) -> Index:
        rest = iter(values)
        return tuple(channel if axis == "c" else next(rest) for axis in self.frame.axes)

    def _bytes_of_a_voxel(self) -> int:
        """Of all that one is made of."""
        return prod(self.factors) * (self.frame.channels or 1) * self.frame.dtype.itemsize


def _pieces(begin: Index, end: Index, size: int) -> Iterator[tuple[Index, Index]]:
    """A box, halved along its longest axis until what it is made of is small."""
    shape = [e - b for b, e in zip(begin, end, strict=True)]
    if prod(shape) * size <= _PIECE_BYTES or max(shape) == 1:
        yield begin, end
        return
    axis = shape.index(max(shape))
    half = begin[axis] + -(-shape[axis] // 2)
    yield from _pieces(begin, (*end[:axis], half, *end[axis + 1 :]), size)
    yield from _pieces((*begin[:axis], half, *begin[axis + 1 :]), end, size)


def _ends(box: Box) -> tuple[Index, Index]:
    return tuple(s.start for s in box), tuple(s.stop for s in box)


def _checked_factors(factors: int | Sequence[int], frame: Frame) -> Index:
    space = len(frame.space)
    steps = tuple(factors) if np.iterable(factors) else (factors,) * space
    whole = all(isinstance(f, int | np.integer) and f >= 1 for f in steps)
    if len(steps) != space or not whole or any(f > n for f, n in zip(steps, frame.space)):
        raise ValueError(
            f"factors must be a positive whole number, or {space} of them (one for each axis of "
            f"space), and no larger than the volume's {frame.space}, got {factors!r}."
        )
    return (*(1,) * (len(frame.extent) - space), *map(int, steps))


def _checked_method(method: str | None, frame: Frame) -> str:
    if method is None and frame.dtype.kind in "iu" and frame.dtype.itemsize >= 4:
        raise ValueError(
            f"{frame.dtype} may be labels, of which a mean makes no sense: give method='labels' or "
            "'mode' for labels, or method='mean'."
        )
    known = (*METHODS, "labels")
    chosen = method or ("mode" if frame.names or frame.dtype.kind == "b" else "mean")
    if chosen not in known:
        raise ValueError(f"method must be one of {', '.join(known)}, got {method!r}.")
    return chosen
