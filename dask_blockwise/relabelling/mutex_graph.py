"""The edges between all fragments of a mutex watershed, some at once, the strongest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from math import ceil

import numpy as np
from numpy.typing import NDArray

from .mutex_row import ATTRACTS, Found
from .pairs import distinct

__all__ = ["AT_ONCE", "strongest_first"]

# Edges take some 45 bytes each while they are put in order, and 12 before: of very few so many come
# at once, of more so many, unless there would be very many parts, as each looks at all blocks.
_FEW, AT_ONCE = 1 << 18, 1 << 20
_PARTS, _MOST_PARTS = 16, 64
# Of a block, by which it is told how many edges of the volume are how strong.
_SAMPLES = 16
_BITS = 64

_Edges = tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.bool_]]


def strongest_first(blocks: Sequence[Found], parts: int | None = None) -> Iterator[_Edges]:
    """Ends of edges and whether they attract, the strongest first.

    While some are in use, the next are put in order on another thread.

    Parameters
    ----------
    blocks
        What they found, as `Found.among_all` and `Found.ascending` have it.
    parts
        In how many they come, or fewer; as many as suit their number unless given.
    """
    if not blocks:
        return
    cuts = _cuts(blocks, parts or _suitable(sum(found.one.size for found in blocks)))
    at = (np.searchsorted(found.order, cuts) for found in blocks)
    every = zip(*(found.split(where) for found, where in zip(blocks, at)), strict=True)
    with ThreadPoolExecutor(1, "dask-blockwise-edges") as thread:
        following = [thread.submit(_together, next(every))]
        while following:
            some = following.pop().result()
            following = [thread.submit(_together, later) for later in islice(every, 1)]
            yield some


def _suitable(edges: int) -> int:
    few, many = ceil(edges / _FEW), ceil(edges / AT_ONCE)
    return max(1, min(few, _PARTS), min(many, _MOST_PARTS))


def _cuts(blocks: Sequence[Found], parts: int) -> NDArray[np.uint64]:
    """Strengths between which about as many edges lie."""
    strengths, stand_for = map(np.concatenate, zip(*map(_samples, blocks), strict=True))
    order = np.argsort(strengths)
    until = np.cumsum(stand_for[order])
    total = float(until[-1]) if until.size else 0.0
    at = np.searchsorted(until, total / parts * np.arange(1, parts))
    return np.unique(strengths[order][at])


def _samples(found: Found) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Strengths of some edges of a block, and for how many edges each stands."""
    edges = found.one.size
    count = min(edges, _SAMPLES)
    middles = (np.arange(count) + 0.5) * (edges / max(1, count))
    at = np.searchsorted(np.cumsum(found.counts), middles, "right")
    return found.order[at], np.full(at.size, edges / max(1, at.size))


def _together(parts: Sequence[Found]) -> _Edges:
    """The edges of parts of blocks, in the order of the volume."""
    second = np.concatenate([found.places for found in parts])
    at = _in_order([(found.order, found.counts) for found in parts], second)
    attracts = (second[at] & ATTRACTS).astype(bool)
    one, other = (
        np.concatenate(ends)[at] for ends in zip(*((found.one, found.other) for found in parts))
    )
    return one, other, attracts


def _in_order(
    runs: Sequence[tuple[NDArray[np.uint64], NDArray[np.intp]]], second: NDArray[np.uint64]
) -> NDArray[np.intp]:
    """How to sort by two numbers, the first of which is given as what `runs` makes of parts.

    Examples
    --------
    >>> one = np.array([7, 1 << 63], np.uint64), np.array([2, 1])
    >>> other = np.array([7], np.uint64), np.array([1])
    >>> _in_order([one, other], np.array([2, 4, 0, 3], np.uint64))
    array([0, 3, 1, 2])
    """
    levels = distinct(np.concatenate([np.empty(0, np.uint64), *(values for values, _ in runs)]))
    level = np.empty(second.size, np.uint64)
    begin = 0
    for values, counts in runs:
        end = begin + int(counts.sum())
        level[begin:end] = np.repeat(np.searchsorted(levels, values), counts)
        begin = end
    bits = int(second.max(initial=0)).bit_length()
    if bits + levels.size.bit_length() > _BITS:
        return np.lexsort([second, level])
    level <<= np.uint64(bits)
    level |= second
    # Edges of each block come in order, and a stable sort only merges what is in order.
    return np.argsort(level, kind="stable")
