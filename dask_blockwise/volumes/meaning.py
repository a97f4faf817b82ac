"""What stored values stand for: kept among an array's attributes, or to be told from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["are_names", "attributes_of", "stands_for_in"]

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
