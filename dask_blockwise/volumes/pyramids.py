"""Which coarser levels an image has, and by which method they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..geometry.boxes import Index
from .cells import METHODS
from .frame import Frame

__all__ = ["Pyramid", "factors_after"]

_METHODS = ("labels", *METHODS)


@dataclass(frozen=True)
class Pyramid:
    """Coarser levels of an image, each made of the one before it.

    Parameters
    ----------
    levels : True, int, or sequence
        True for as many as it takes until one fits in a chunk; how many; or, for each level, by how
        much it is coarser than the one before, as a number for all axes of space or one for each.
        Unless that is given, axes are halved as long as their voxels are the smallest, or less than
        the square root of two times so large: so voxels become cubes. Time and channels stay.
    method : str, optional
        ``"mean"``, of integers exactly and rounded half to even; ``"labels"``, the most frequent
        label, of which background, 0, is none, and of several the one that is rarest around;
        ``"mode"``, ``"max"``, ``"min"`` or ``"first"``. Unless given, ``"labels"`` for what is
        known to be ids, classes or a mask, for bool, and for integers of 32 bits and more, and
        ``"mean"`` for all else.

    Raises
    ------
    TypeError, ValueError
        If levels or method aren't understood.

    Examples
    --------
    >>> Pyramid([(1, 2, 2), 2], method="max").levels
    ((1, 2, 2), 2)
    """

    levels: bool | int | Sequence[int | Sequence[int]] = True
    method: str | None = None

    def __post_init__(self) -> None:
        if self.method not in (None, *_METHODS):
            raise ValueError(
                f"The method of a pyramid is one of {', '.join(_METHODS)}, got {self.method!r}."
            )
        object.__setattr__(self, "levels", _checked(self.levels))

    @classmethod
    def of(cls, given: Any) -> Pyramid | None:
        """What ``pyramid=`` was given: a pyramid, its levels, or None or False for none."""
        if given is None or given is False:
            return None
        return given if isinstance(given, Pyramid) else cls(given)

    def method_for(self, frame: Frame) -> str:
        """The method by which voxels of a volume are made."""
        return self.method or ("labels" if frame.may_be_names else "mean")

    def steps(self, frame: Frame, chunk: Index) -> list[Index]:
        """Factors of each level to the one before it, along all axes but "c".

        Parameters
        ----------
        frame : Frame
            Of the first level.
        chunk : tuple of int
            Of its chunks, along all axes.

        Raises
        ------
        ValueError
            If there can't be so many levels.
        """
        if self.levels is True:
            return _until_it_fits(frame, chunk)
        if isinstance(self.levels, int):
            return _so_many(frame, self.levels)
        return _given(frame, self.levels)


def factors_after(steps: Sequence[Index], axes: int) -> Index:
    """Factors of the last of some levels to the first of all."""
    return tuple(np.prod([(1,) * axes, *steps], axis=0).tolist())


def _checked(levels: Any) -> Any:
    """Whether levels are true, a number or tuples of numbers."""
    if levels is True:
        return True
    levels = levels.tolist() if isinstance(levels, np.ndarray) else levels
    if isinstance(levels, int | np.integer) and not isinstance(levels, bool) and levels >= 1:
        return int(levels)
    is_list = isinstance(levels, Sequence) and not isinstance(levels, str) and len(levels) > 0
    if is_list and all(map(_is_factor, levels)):
        return tuple(f if isinstance(f, int) else tuple(map(int, f)) for f in levels)
    raise ValueError(
        "A pyramid has True for as many levels as it takes, a positive number of them, or a list "
        f"of factors, one for each level, such as [2, 2] or [(1, 2, 2), 2], got {levels!r}."
    )


def _is_factor(given: Any) -> bool:
    numbers = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    whole = (isinstance(n, int | np.integer) and not isinstance(n, bool) for n in numbers)
    return bool(numbers) and all(whole) and min(numbers) >= 1 and max(numbers) > 1


def _until_it_fits(frame: Frame, chunk: Index) -> list[Index]:
    steps: list[Index] = []
    largest = frame.without_channels(chunk)
    shape = frame.extent
    while any(
        n > c for n, c, axis in zip(shape, largest, frame.placement.block_axes) if axis != "t"
    ):
        steps.append(_halved(frame, shape, steps))
        shape = _coarser(shape, steps[-1])
    return steps


def _so_many(frame: Frame, count: int) -> list[Index]:
    steps: list[Index] = []
    shape = frame.extent
    for _ in range(count):
        step = _halved(frame, shape, steps)
        if max(step) == 1:
            raise ValueError(
                f"A volume of {frame.extent} voxels along {frame.placement.block_axes} can be "
                f"halved {len(steps)} times, and {count} levels were asked for: give fewer, or "
                "pyramid=True."
            )
        steps.append(step)
        shape = _coarser(shape, step)
    return steps


def _given(frame: Frame, levels: Any) -> list[Index]:
    axes, space = len(frame.extent), len(frame.space)
    steps = []
    for given in levels:
        step = (given,) * space if isinstance(given, int) else given
        if len(step) != space:
            raise ValueError(
                f"A level's factors are a number, or one for each of the {space} axes of space of "
                f"{frame.axes}, got {given!r}."
            )
        steps.append((*(1,) * (axes - space), *step))
    shape = frame.extent
    for step in steps:
        if _coarser(shape, step) == shape:
            raise ValueError(
                f"A level of {shape} voxels can't be made coarser by {step}: factors are of each "
                "level to the one before it; give fewer of them."
            )
        shape = _coarser(shape, step)
    return steps


def _halved(frame: Frame, shape: Index, before: Sequence[Index]) -> Index:
    """Two along axes of the smallest voxels, or near that, where there is more than one."""
    grown = factors_after(before, len(shape))
    axes = list(zip(frame.placement.block_axes, frame.placement.voxel_size, grown, shape))
    sizes = [size * f for axis, size, f, n in axes if axis != "t" and n > 1]
    return tuple(
        2 if axis != "t" and n > 1 and (size * f) ** 2 < 2 * min(sizes) ** 2 else 1
        for axis, size, f, n in axes
    )


def _coarser(shape: Index, step: Index) -> Index:
    return tuple(-(-n // f) for n, f in zip(shape, step, strict=True))
