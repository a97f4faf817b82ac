"""What an output voxel of a network depends on, along each axis of space."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["AxisFootprint", "Footprint", "UnfitNetworkError"]

_REAL = np.dtype(np.float32)


class UnfitNetworkError(ValueError):
    """A network that takes no input of such channels and axes."""


@dataclass(frozen=True)
class AxisFootprint:
    """What a network sees along one axis; the default is one that sees the voxel alone.

    A tick is the part of an input voxel that ``scale`` inputs and outputs are whole multiples of.
    """

    # Input voxels before and after those that lie under an output voxel.
    halo: tuple[int, int] = (0, 0)
    # Inputs must begin at multiples of it for the same prediction.
    stride: int = 1
    # Output voxels for each stride.
    step: int = 1
    # Ticks of an input that its output doesn't cover: what valid convolutions take off, both sides.
    lost: int = 0
    # What is left of the length of an input after division by the stride.
    rest: int = 0

    @property
    def scale(self) -> Fraction:
        """Input voxels that an output voxel is long."""
        return Fraction(self.stride, self.step)

    @property
    def trim(self) -> int:
        """Ticks before the first output voxel."""
        return self.lost // 2


@dataclass(frozen=True)
class Footprint:
    """What an output voxel of a network depends on, and what outputs are."""

    axes: tuple[AxisFootprint, ...]
    # Of the output.
    channels: int
    # The only input that the network takes, if there is but one.
    only_shape: tuple[int, ...] | None = None
    # Of the output: whole numbers and truth values as the network gives them, or float32.
    dtype: np.dtype[Any] = _REAL
    # The least value that it gave for any input that it was probed with, however large.
    least: float = -np.inf
