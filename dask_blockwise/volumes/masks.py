"""Masks: where there is something, told by a volume of any resolution or by regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import Roi, check_region
from ..geometry.boxes import Index
from ..geometry.meeting import meetings
from .frame import Frame
from .grey import check_not_grey
from .kinds import AnyVoxels
from .source import Source, Voxels

__all__ = [
    "Mask",
    "OfRegions",
    "OfVolume",
    "Regions",
    "anything_in",
    "as_mask",
    "both",
    "check_within",
]


class Mask(Protocol):
    """Says of the voxels of any volume which of them count."""

    def over(self, volume: AnyVoxels) -> AnyVoxels:
        """Whether each voxel of a volume counts: bool, in its voxels and blocks, without channels.

        Raises
        ------
        ValueError
            If that can't be told of its voxels.
        """


@dataclass(frozen=True)
class OfVolume:
    """What meets voxels of another volume that aren't 0."""

    given: Voxels

    def over(self, volume: AnyVoxels) -> AnyVoxels:
        """See `Mask.over`."""
        _check(volume.frame, self.given)
        frame = _flags(volume.frame)
        return replace(volume, frame=frame, source=_Covered(frame, (self.given,)))


@dataclass(frozen=True)
class OfRegions:
    """What meets any of some regions of the world."""

    rois: tuple[Roi, ...]

    def over(self, volume: AnyVoxels) -> AnyVoxels:
        """See `Mask.over`."""
        frame = _flags(volume.frame)
        for roi in self.rois:
            check_region(roi, frame.placement.block_axes)
        if not any(map(frame.roi.intersects, self.rois)):
            raise ValueError(
                f"The mask's regions {list(self.rois)} don't meet the volume's {frame.roi}: give "
                f"them in its world units along {frame.placement.block_axes}."
            )
        return replace(volume, frame=frame, source=Regions(frame, self.rois))


def as_mask(given: Any) -> Mask:
    """What a person gives as a mask: a volume, a region, or several of them.

    Raises
    ------
    TypeError
        If it is something else, or a volume of which it isn't clear what is within.
    """
    if isinstance(given, Roi):
        given = [given]
    if isinstance(given, Sequence) and given and all(isinstance(one, Roi) for one in given):
        return OfRegions(tuple(given))
    if not isinstance(getattr(given, "source", None), Source):
        got = given if isinstance(given, str | list | tuple) else type(given).__name__
        raise TypeError(
            f"mask must be a Volume, a Roi in world units or a list of some, got {got!r}: open "
            "what is stored with open_volume(path), or make an array a volume by "
            "Volume.from_array(array, voxel_size=..., offset=..., unit=...), so that it is known "
            "where it lies."
        )
    check_within(given)
    return OfVolume(given)


def check_within(mask: Voxels) -> None:
    """Refuse a volume of which it isn't clear what is within it, and warn of an image.

    Raises
    ------
    TypeError
    """
    if mask.frame.dtype.kind not in "bui" or mask.frame.stands_for is not None:
        raise TypeError(
            f"A mask is of truth values or integers, of which 0 is outside, got {mask!r}: say "
            "what is within it, such as by threshold(mask, 0.5)."
        )
    # Of the line that called what called what calls this, such as `masked`.
    check_not_grey(mask, "mask=", stacklevel=6, takes="all that isn't 0 for what is within")


def anything_in(where: Voxels, begin: Index, end: Index) -> bool:
    """Whether any voxel of a box counts."""
    return bool(where.source.read(begin, end).any())


def both(first: AnyVoxels, second: AnyVoxels) -> AnyVoxels:
    """What counts by two masks in the same voxels; the second is read where the first leaves it."""
    frame = _flags(first.frame)
    return replace(first, frame=frame, source=_Both((first, second)))


@dataclass(frozen=True, eq=False)
class Regions(Source):
    """Which voxels meet regions of the world."""

    frame: Frame
    rois: tuple[Roi, ...]

    inputs = ()
    kind = "MaskVolume"

    def read(self, begin: Index, end: Index) -> NDArray[np.bool_]:
        """See `Source.read`."""
        within = np.zeros([e - b for b, e in zip(begin, end, strict=True)], bool)
        size, offset = self.frame.voxel_size, self.frame.offset
        for roi in self.rois:
            low = ((b - o) // v for b, o, v in zip(roi.begin, offset, size))
            high = (-((o - e) // v) for e, o, v in zip(roi.end, offset, size))
            sides = zip(map(int, low), map(int, high), begin, strict=True)
            within[tuple(slice(max(0, lo - b), max(0, hi - b)) for lo, hi, b in sides)] = True
        return within


@dataclass(frozen=True, eq=False)
class _Covered(Source):
    """Which voxels meet voxels of a volume, of whatever size, that aren't 0."""

    frame: Frame
    inputs: tuple[Voxels]

    kind = "MaskVolume"

    def read(self, begin: Index, end: Index) -> NDArray[np.bool_]:
        """See `Source.read`."""
        (given,) = self.inputs
        runs = [self._met(axis, b, e) for axis, (b, e) in enumerate(zip(begin, end, strict=True))]
        low = tuple(int(first.min()) for first, _ in runs)
        high = tuple(int(stop.max()) for _, stop in runs)
        if any(stop <= first for first, stop in zip(low, high, strict=True)):
            return np.zeros([first.size for first, _ in runs], bool)
        within: NDArray[np.bool_] = given.source.read(low, high) != 0
        for axis, (first, stop) in enumerate(runs):
            within = _any_of(within, axis, first - low[axis], stop - low[axis])
        return within

    def _met(self, axis: int, begin: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first of the mask's voxels that each of some voxels meets, and where they end."""
        given = self.inputs[0].frame
        meeting = meetings(self.frame.placement, given.placement)[axis]
        first, stop = meeting.of(np.arange(begin, end + 1))
        return first.clip(0, given.extent[axis]), stop.clip(0, given.extent[axis])


@dataclass(frozen=True, eq=False)
class _Both(Source):
    """Which voxels count by two masks."""

    inputs: tuple[Voxels, Voxels]

    kind = "MaskVolume"

    def read(self, begin: Index, end: Index) -> NDArray[np.bool_]:
        """See `Source.read`."""
        first, second = self.inputs
        within: NDArray[np.bool_] = first.source.read(begin, end) != 0
        if within.any():
            within &= second.source.read(begin, end) != 0
        return within


def _any_of(
    within: NDArray[np.bool_], axis: int, first: NDArray[np.intp], stop: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Whether any of those from the first on counts, along an axis."""
    if (stop - first == 1).all():
        return within.take(first, axis)
    counted = np.cumsum(within, axis, dtype=np.int32)
    counted = np.concatenate([np.zeros_like(counted.take([0], axis)), counted], axis)
    counts: NDArray[np.bool_] = counted.take(stop, axis) > counted.take(first, axis)
    return counts


def _flags(frame: Frame) -> Frame:
    return replace(frame.with_values(bool, channels=None), names=True)


def _check(frame: Frame, given: Voxels) -> None:
    mask = given.frame
    if ("t", *mask.axes) == frame.placement.block_axes:
        raise ValueError(
            f"The mask has no time axis, and the volume has {frame.extent[0]} time points: give it "
            "one for each, Volume.from_array(np.stack([mask] * points), axes=...); a Roi may go "
            f"over several. Got {given!r}."
        )
    if mask.axes != frame.placement.block_axes:
        raise ValueError(
            f"The mask has the axes {mask.axes}, and {frame.placement.block_axes} are needed, as "
            f"the volume has them, without channels: choose one by mask.isel(c=0), or turn it by "
            f"mask.transpose(*axes). Got {given!r}."
        )
    try:
        found = meetings(frame.placement, mask.placement)
    except ValueError as error:
        raise ValueError(
            f"The mask's unit is {mask.unit or 'unknown'}, and the volume's "
            f"{frame.unit or 'unknown'}: where one lies in the other isn't known. Say it as it is "
            "opened, open_volume(path, voxel_size=..., unit=...), or Volume.from_array(array, "
            "voxel_size=..., offset=..., unit=...)."
        ) from error
    whole = [each.of(np.array([0, n])) for each, n in zip(found, frame.extent, strict=True)]
    met = zip(whole, mask.extent, strict=True)
    if not all(first[0] < most and stop[0] > 0 for (first, stop), most in met):
        raise ValueError(
            f"The mask lies in {mask.roi} {mask.unit} and the volume in {frame.roi} {frame.unit}, "
            "of the world: they have no voxel in common. Say where the mask lies as it is "
            "opened, open_volume(path, voxel_size=..., offset=...)."
        )
