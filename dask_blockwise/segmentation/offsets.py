"""Offsets of affinities: which voxels the channels are between, and whether they fit these."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from .affinities import check_between
from .mutex import Offsets, are_nearest

__all__ = ["check_offsets"]


def check_offsets(
    offsets: Offsets | None,
    channels: int,
    axes: int,
    bias: float | Sequence[float] = 0.5,
    strides: Sequence[int] | None = None,
) -> None:
    """Refuse offsets, bias and strides that don't fit the affinities.

    Raises
    ------
    ValueError
        If there isn't one offset a channel and one step an axis, if no offset attracts, if there
        are several biases but not one a channel, or one beyond [0, 1], or strides that are not one
        positive int an axis.
    """
    if offsets is not None and not isinstance(offsets, Sequence | np.ndarray):
        raise ValueError(f"offsets lists one offset for each channel, got {offsets!r}.")
    if offsets is None or len(offsets) != channels:
        given = "none" if offsets is None else str(len(offsets))
        one = " Or name the axis of channels. Or give seeds='distance' where this is a mask or map."
        raise ValueError(
            f"The affinities have {channels} channels, so watershed needs {channels} offsets, got "
            f"{given}: give one offset for each channel, in the channels' order (or take the "
            "channels that have offsets first). Where others follow them, such as local shape "
            "descriptors, more_channels=True leaves these out." + (one if channels == 1 else "")
        )
    if not all(_listed(offset, axes, Integral) for offset in offsets):
        raise ValueError(
            f"An offset is a whole number of voxels for each of the {axes} axes, got {[*offsets]}."
        )
    if not all(map(any, offsets)):
        raise ValueError(
            f"An offset of 0 along all axes leads to the voxel itself, got {[*offsets]}: leave its "
            "channel out."
        )
    if not any(are_nearest(offsets)):
        raise ValueError(
            f"No offset of {list(offsets)} is a nearest neighbour (all steps within -1..1), so "
            "nothing would hold voxels together: include the affinities to direct neighbours, and "
            "give steps in voxels, not in the world's units."
        )
    if np.ndim(bias) and np.shape(bias) != (channels,):
        raise ValueError(
            f"bias must be one number or one for each of the {channels} offsets, got {bias}."
        )
    check_between("bias or threshold", bias)
    if strides is not None and not (
        _listed(strides, axes, Real) and all(n >= 1 and n % 1 == 0 for n in strides)
    ):
        raise ValueError(
            f"strides must be a positive integer for each of the {axes} axes, got {strides!r}."
        )


def _listed(given: Any, count: int, kind: Any) -> bool:
    """Whether it is so many numbers of a kind."""
    listed = isinstance(given, Sequence | np.ndarray) and len(given) == count
    return listed and all(isinstance(n, kind) for n in given)
