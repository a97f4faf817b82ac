"""Masks and classes: volumes of few values, as far as that is seen without computing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .grey import is_at_hand
from .lineage import call_of
from .source import Voxels

__all__ = ["check_not_flags", "check_not_mask", "few_values", "in_the_middle"]

# More values than that are no classes.
_MOST = 32
# Stages that leave values as they are, as far as these are a mask's or classes.
_KEEPING = {"astype", "checkpoint", "crop", "isel", "masked", "rechunk", "transpose"}


def few_values(volume: Voxels) -> tuple[float, ...] | None:
    """The values of a mask or of classes, smallest first; None where there are, or may be, more.

    Known of truth values and of what ``threshold`` and ``argmax`` make; looked for in the block in
    the middle of what is stored or in memory. What else is computed isn't looked at, nor bytes that
    stand for other values.

    Examples
    --------
    >>> from dask_blockwise import Volume, argmax
    >>> few_values(Volume.from_array(np.array([[0, 255, 255, 0]], np.uint8)))
    (0.0, 255.0)
    >>> few_values(argmax(Volume.from_array(np.ones((3, 4, 4)), axes="cyx")))
    (0.0, 1.0, 2.0)
    """
    frame, call = volume.frame, call_of(volume)
    if frame.dtype.kind == "b":
        return 0.0, 1.0
    if frame.stands_for is not None:
        return None
    if call is not None and call.stage == "threshold":
        return 0.0, 1.0
    if call is not None and call.stage == "argmax":
        return tuple(map(float, range(call.volumes[0].frame.channels)))
    if call is not None and call.stage in _KEEPING:
        return few_values(call.volumes[0])
    values = in_the_middle(volume)
    found = None if values is None else np.unique(values)
    return tuple(map(float, found)) if found is not None and 1 < found.size <= _MOST else None


def in_the_middle(volume: Voxels) -> NDArray[Any] | None:
    """The block in the middle of what is stored or in memory; None of what is computed."""
    frame = volume.frame
    if not is_at_hand(volume.source):
        return None
    begin = tuple((n - b) // 2 for n, b in zip(frame.extent, frame.block_shape))
    end = tuple(low + b for low, b in zip(begin, frame.block_shape))
    try:
        return volume.source.read(begin, end)
    except (OSError, ValueError):
        return None  # Of chunks that are missing or damaged, the blocks that read them tell.


def check_not_mask(labels: Voxels, what: str) -> None:
    """Refuse a mask or classes for fragments, where all of a block would be one.

    Raises
    ------
    ValueError
        If that is what it is computed as, or bytes are 0 and 1, or 0 and 255.
    """
    values = few_values(labels) if labels.frame.dtype == np.uint8 else None
    if values in ((0, 1), (0, 255)) or (values and not is_at_hand(labels.source)):
        raise ValueError(
            f"{what} joins the parts of objects, which have no ids yet in {labels!r}, a mask or "
            "classes: connected_components(volume) gives them some. If these are labels, say so, "
            "labels.astype('uint32')."
        )


def check_not_flags(volume: Voxels) -> None:
    """Refuse bytes of 0 and 1 for probabilities, where 1 would count as 1/255.

    Raises
    ------
    ValueError
        If it is known to be a mask or classes, or holds 0 and 1.
    """
    if volume.frame.dtype != np.uint8 or volume.frame.stands_for is not None:
        return
    if volume.frame.names or few_values(volume) == (0, 1):
        found = "is a mask or classes" if volume.frame.names else "holds 0 and 1"
        raise ValueError(
            f"{volume!r} {found}, but a uint8 probability or affinity is in 0..255, so that 1 "
            "would count as 1/255: give volume.astype('float32') where 1 means 1, or say that it "
            "means so little, open_volume(..., stands_for=(0, 1))."
        )
