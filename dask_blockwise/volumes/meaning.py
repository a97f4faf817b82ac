"""What stored values stand for: kept among an array's attributes, or to be told from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .source import Voxels

__all__ = ["are_names", "attributes_of", "check_not_flags", "holds_flags", "stands_for_in"]

_OURS, _SPAN, _NAMES = "dask_blockwise", "stands_for", "names"


def attributes_of(
    stands_for: tuple[float, float] | None, names: bool = False, **others: Any
) -> dict[str, Any]:
    """Attributes that say what values stand for; none where they are what they are.

    Examples
    --------
    >>> stands_for_in(attributes_of((-1, 1)))
    (-1.0, 1.0)
    """
    span = {} if stands_for is None else {_SPAN: [float(end) for end in stands_for]}
    said = span | ({_NAMES: True} if names else {}) | others
    return {_OURS: said} if said else {}


def are_names(attributes: Mapping[str, Any]) -> bool:
    """Whether an array's attributes say that its values are ids, classes or a mask."""
    ours = attributes.get(_OURS)
    return isinstance(ours, Mapping) and ours.get(_NAMES) is True


def stands_for_in(attributes: Mapping[str, Any]) -> tuple[float, float] | None:
    """What an array's attributes say of it."""
    ours = attributes.get(_OURS)
    span = ours.get(_SPAN) if isinstance(ours, Mapping) else None
    if not isinstance(span, list) or len(span) != 2:
        return None
    return float(span[0]), float(span[1])


def check_not_flags(volume: Voxels) -> None:
    """Refuse bytes of 0 and 1 for probabilities, where 1 would count as 1/255.

    Raises
    ------
    ValueError
        If it `holds_flags`.
    """
    if volume.frame.dtype == np.uint8 and holds_flags(volume):
        found = "is a mask or classes" if volume.frame.names else "holds 0 and 1"
        raise ValueError(
            f"{volume!r} {found}, but a uint8 probability or affinity is in 0..255, so that 1 "
            "would count as 1/255: give volume.astype('float32') where 1 means 1, or say that it "
            "means so little, open_volume(..., stands_for=(0, 1))."
        )


def holds_flags(volume: Voxels) -> bool:
    """Whether values are a mask's, 0 and 1, as far as that can be told without computing.

    Known of truth values, and of bytes that are known to be a mask or classes, such as those of a
    threshold; looked for in the block in the middle of what else is stored or in memory. What else
    is computed, or says what its bytes stand for, isn't looked at.
    """
    frame = volume.frame
    if frame.dtype != np.uint8 or frame.stands_for is not None:
        return frame.dtype.kind == "b"
    if frame.names or volume.source.inputs:
        return frame.names
    begin = tuple((n - b) // 2 for n, b in zip(frame.extent, frame.block_shape))
    end = tuple(low + b for low, b in zip(begin, frame.block_shape))
    return bool(volume.source.read(begin, end).max(initial=0) == 1)
