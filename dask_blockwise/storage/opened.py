"""What is opened of arrays once in each process, whoever asks for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from math import prod
from typing import Any

from ..geometry.boxes import Index
from .documents import own_cache
from .formats import Documented, Format, Layout, OpenArray, TurnedNames, UnitFiles, UnitNaming
from .turned_array import TurnedArray

__all__ = ["Opening", "check_layout", "digest_of", "document_of", "opened", "unit_names_of"]


# Bytes of what is decoded at once. A few bytes of a file can ask for any size.
_LARGEST_CHUNK = 64 << 30
# Numbers of voxels are counted in int64.
_MOST_VOXELS = 2**63 - 1


@dataclass(frozen=True)
class Opening:
    """What is opened once in a process, even by a format that has no hash."""

    location: str
    rechecks: bool
    opening: str
    format: Format = field(compare=False)
    own_cache: bool = False
    # Which of the format's axes come first, second, and so on; in its own order unless given.
    order: Index | None = None


@lru_cache(maxsize=256)
def opened(opening: Opening) -> OpenArray:
    """The open array."""
    with own_cache() if opening.own_cache else nullcontext():
        array = opening.format.open(opening.location, opening.rechecks)
    return array if opening.order is None else TurnedArray(array, opening.order)


@lru_cache(maxsize=256)
def unit_names_of(opening: Opening) -> UnitNaming | None:
    """Names of the files of its shards or chunks, where they are known."""
    format = opening.format
    names = format.unit_names(opening.location) if isinstance(format, UnitFiles) else None
    return TurnedNames(names, opening.order) if names and opening.order else names


@lru_cache(maxsize=256)
def document_of(opening: Opening) -> Mapping[str, Any]:
    """What says how voxels are stored, where that is known."""
    format = opening.format
    return format.document(opening.location) if isinstance(format, Documented) else {}


def digest_of(document: Mapping[str, Any]) -> str:
    """A hash of it."""
    return blake2b(json.dumps(document, sort_keys=True).encode(), digest_size=16).hexdigest()


def check_layout(layout: Layout) -> None:
    """Refuse an array of no voxels, or of chunks that no machine can hold.

    Raises
    ------
    ValueError
    """
    voxels = prod(layout.shape)
    if not 0 < voxels <= _MOST_VOXELS:
        raise ValueError(f"its shape {layout.shape} has {'too many' if voxels else 'no'} voxels")
    if prod(layout.chunks) * layout.dtype.itemsize > _LARGEST_CHUNK:
        raise ValueError(
            f"its chunks of {layout.chunks} {layout.dtype} have more than "
            f"{_LARGEST_CHUNK >> 30} GiB, and a chunk is decoded at once"
        )
