"""Masks and classes: volumes of few values, as far as that is seen without computing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .frame import Frame
from .grey import check_not_grey, is_at_hand
from .lineage import call_of
from .source import Voxels

__all__ = ["check_not_flags", "check_not_mask", "check_objects", "few_values", "seen_values"]

# More values than that are no classes.
_MOST = 32
# Places that are looked at, at most, and voxels of one along an axis.
_PLACES, _SIDE = 27, 64
# Stages that leave values as they are, as far as these are a mask's or classes.
_KEEPING = {"astype", "checkpoint", "crop", "isel", "masked", "rechunk", "transpose"}


def few_values(volume: Voxels) -> tuple[float, ...] | None:
    """The values of a mask or of classes, smallest first; None where there are, or may be, more.

    Known of truth values and of what ``threshold`` and ``argmax`` make; looked for in the middle of
    what is stored or in memory, and elsewhere if there is but one. What else is computed isn't
    looked at, nor bytes that stand for other values.

    Examples
    --------
    >>> from dask_blockwise import Volume, argmax
    >>> few_values(Volume.from_array(np.array([[0, 255, 255, 0]], np.uint8)))
    (0.0, 255.0)
    >>> few_values(argmax(Volume.from_array(np.ones((3, 4, 4)), axes="cyx")))
    (0.0, 1.0, 2.0)
    """
    if (known := _known(volume)) is not None:
        return known
    made_of = _kept(volume)
    found = None if made_of is None else seen_values(made_of)
    return tuple(map(float, found)) if found is not None and found.size <= _MOST else None


def seen_values(volume: Voxels) -> NDArray[Any] | None:
    """Which values are in the middle of what is stored or in memory; None of what is computed.

    Where that is but one, other places are looked at, until there are two.

    Examples
    --------
    >>> from dask_blockwise import Volume
    >>> mask = np.zeros((9, 9), np.uint8)
    >>> mask[0] = 1
    >>> seen_values(Volume.from_array(mask, chunks=(3, 3)))
    array([0, 1], dtype=uint8)
    """
    if not is_at_hand(volume.source):
        return None
    found: NDArray[Any] = np.empty(0, volume.frame.dtype)
    for begin, end in _looked_at(volume.frame):
        try:
            values = volume.source.read(begin, end)
        except (OSError, ValueError):
            break  # Of chunks that are missing or damaged, the blocks that read them tell.
        found = np.union1d(found, values)
        if found.size > 1:
            break
    return found if found.size else None


def _known(volume: Voxels) -> tuple[float, ...] | None:
    """The values of what is a mask or classes by what it was made by."""
    made_of = _kept(volume)
    call = None if made_of is None else call_of(made_of)
    if volume.frame.dtype.kind == "b" or (call is not None and call.stage == "threshold"):
        return 0.0, 1.0
    if call is not None and call.stage == "argmax":
        return tuple(map(float, range(call.volumes[0].frame.channels)))
    return None


def _kept(volume: Voxels) -> Voxels | None:
    """What a volume has its values from, as they are; None where bytes stand for others."""
    if volume.frame.stands_for is not None:
        return None
    call = call_of(volume)
    return _kept(call.volumes[0]) if call is not None and call.stage in _KEEPING else volume


def _looked_at(frame: Frame) -> Iterator[tuple[Index, Index]]:
    """Boxes within a block each, the first in the middle, the others all over the volume."""
    axes = zip(frame.extent, frame.block_shape, strict=True)
    boxes = product(*(_along(length, block) for length, block in axes))
    for box in dict.fromkeys(islice(boxes, _PLACES)):
        yield tuple(begin for begin, _ in box), tuple(end for _, end in box)


def _along(length: int, block: int) -> list[tuple[int, int]]:
    spans = []
    for middle in ((length - 1) * sixths // 6 for sixths in (3, 1, 5)):
        low = middle // block * block
        high = min(length, low + block)
        size = min(high - low, _SIDE)
        begin = min(max(low, middle - size // 2), high - size)
        spans.append((begin, begin + size))
    return spans


def check_not_mask(labels: Voxels, what: str) -> None:
    """Refuse a mask or classes for fragments, where all of a block would be one.

    Raises
    ------
    ValueError
        If that is what it is computed as, or bytes are 0 and 1, or 0 and 255.
    """
    if labels.frame.dtype != np.uint8:
        return
    if _known(labels) is not None or few_values(labels) in ((0, 1), (0, 255)):
        raise ValueError(
            f"{what} joins the parts of objects, which have no ids yet in {labels!r}, a mask or "
            "classes: connected_components(volume) gives them some. If these are labels, say so, "
            "labels.astype('uint32')."
        )


def check_objects(labels: Voxels, what: str, stacklevel: int) -> None:
    """Refuse or warn of an image, as `check_not_grey`, and warn of a mask, all of one object.

    Parameters
    ----------
    labels : Volume of int
    what : str
        That needs them, for people.
    stacklevel : int
        Of the line that gave them.

    Examples
    --------
    >>> from dask_blockwise import Volume
    >>> mask = Volume.from_array(np.array([[0, 1, 0, 1]], np.uint8))
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     check_objects(mask, "evaluate", stacklevel=2)
    >>> str(told[0].message).partition(":")[0]
    '<ArrayVolume (1, 4) uint8 yx, [0'
    """
    check_not_grey(labels, what, stacklevel + 1)
    if labels.frame.dtype.kind == "b" or (
        labels.frame.dtype == np.uint8 and few_values(labels) in ((0, 1), (0, 255))
    ):
        warnings.warn(
            f"{labels!r} is a mask: {what} takes all of it for one object. To tell its objects "
            "apart, label them, such as by connected_components(volume).",
            stacklevel=stacklevel,
        )


def check_not_flags(volume: Voxels) -> None:
    """Refuse bytes of 0 and 1 for probabilities, where 1 would count as 1/255.

    Raises
    ------
    ValueError
        If it is known to be a mask or classes, or holds 0 and 1, or 1 alone.
    """
    if volume.frame.dtype != np.uint8 or volume.frame.stands_for is not None:
        return
    values = few_values(volume)
    if volume.frame.names or values in ((0, 1), (1,)):
        holds = "holds 0 and 1" if values == (0, 1) else "holds 1 alone"
        found = "is a mask or classes" if volume.frame.names else holds
        raise ValueError(
            f"{volume!r} {found}, but a uint8 probability or affinity is in 0..255, so that 1 "
            "would count as 1/255: give volume.astype('float32') where 1 means 1, or say that it "
            "means so little, open_volume(..., stands_for=(0, 1))."
        )
