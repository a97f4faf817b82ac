"""What stored values stand for, kept among an array's attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["attributes_of", "stands_for_in"]

_OURS, _SPAN = "dask_blockwise", "stands_for"


def attributes_of(stands_for: tuple[float, float] | None) -> dict[str, Any]:
    """Attributes that say what 0 and 255 stand for; none where values are what they are.

    Examples
    --------
    >>> stands_for_in(attributes_of((-1, 1)))
    (-1.0, 1.0)
    """
    return {} if stands_for is None else {_OURS: {_SPAN: [float(end) for end in stands_for]}}


def stands_for_in(attributes: Mapping[str, Any]) -> tuple[float, float] | None:
    """What an array's attributes say of it."""
    ours = attributes.get(_OURS)
    span = ours.get(_SPAN) if isinstance(ours, Mapping) else None
    if not isinstance(span, list) or len(span) != 2:
        return None
    return float(span[0]), float(span[1])
