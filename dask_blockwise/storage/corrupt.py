"""Chunks that are there but can't be decoded, read as fill value where that was asked for.

What was read so is told to whoever collects it, such as the batch of a run, or else warned of.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box
from .formats import CorruptChunk, OpenArray

__all__ = ["collected", "read_around"]

_collected: ContextVar[dict[str, None] | None] = ContextVar("_collected", default=None)
_warned: set[str] = set()


@contextmanager
def collected() -> Iterator[dict[str, None]]:
    """Within the body, and on its thread, the chunks that were read as fill value, in order.

    Examples
    --------
    >>> with collected() as chunks:
    ...     pass
    >>> list(chunks)
    []
    """
    chunks: dict[str, None] = {}
    token = _collected.set(chunks)
    try:
        yield chunks
    finally:
        _collected.reset(token)


def read_around(array: OpenArray, path: str, region: Box) -> NDArray[Any]:
    """Read a region chunk by chunk, with fill value for those that can't be decoded.

    Parameters
    ----------
    array : OpenArray
        Its ``fill_value``, 0 where it has none, is taken.
    path : str
        For people.
    region : tuple of slice

    Raises
    ------
    OSError
        If a chunk can't be read for another reason.
    """
    layout = array.layout
    found = np.empty([s.stop - s.start for s in region], layout.dtype)
    touched = (range(s.start // n, -(-s.stop // n)) for s, n in zip(region, layout.chunks))
    for index in product(*touched):
        box = tuple(
            slice(max(s.start, i * n), min(s.stop, (i + 1) * n))
            for s, i, n in zip(region, index, layout.chunks, strict=True)
        )
        within = tuple(slice(b.start - s.start, b.stop - s.start) for b, s in zip(box, region))
        try:
            found[within] = array.read(box)
        except CorruptChunk as error:
            found[within] = getattr(array, "fill_value", 0)
            chunk = ", ".join(
                f"{i * n}:{min((i + 1) * n, size)}"
                for i, n, size in zip(index, layout.chunks, layout.shape, strict=True)
            )
            _tell(f"{path}[{chunk}]: {error.reason}")
    return found


def _tell(chunk: str) -> None:
    chunks = _collected.get()
    if chunks is not None:
        chunks[chunk] = None
    elif chunk not in _warned:
        _warned.add(chunk)
        warnings.warn(f"A damaged chunk is read as fill value, {chunk}", stacklevel=2)
