"""Pairs of numbers below 2 ** 32, each packed in one number, which sorts as the pair does.

Sorting them is many times as fast as what np.unique does, which is to hash, and as what sorts rows
of two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_rows", "distinct", "ends", "firsts", "gathered", "pack"]


def pack(one: NDArray[np.integer], other: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Two numbers as one.

    Examples
    --------
    >>> pack(np.array([1]), np.array([5]))
    array([4294967301], dtype=uint64)
    """
    return one.astype(np.uint64) << np.uint64(32) | other.astype(np.uint64)


def ends(pairs: NDArray[np.uint64]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Both numbers of which `pack` made one.

    Examples
    --------
    >>> ends(np.array([4294967301], np.uint64))
    (array([1], dtype=uint32), array([5], dtype=uint32))
    """
    return (pairs >> np.uint64(32)).astype(np.uint32), pairs.astype(np.uint32)


def as_rows(pairs: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Pairs as rows of two numbers, shape (k, 2).

    Examples
    --------
    >>> as_rows(np.array([4294967301], np.uint64))
    array([[1, 5]], dtype=uint32)
    """
    return np.stack(ends(pairs), -1)


def firsts(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where each run of equal values begins; in sorted values, where each comes first.

    Examples
    --------
    >>> firsts(np.array([3, 3, 5, 3]))
    array([ True, False,  True,  True])
    """
    first = np.ones(values.size, bool)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Each value once, in order. Sorts the values in place.

    Examples
    --------
    >>> distinct(np.array([5, 3, 5]))
    array([3, 5])
    """
    values.sort()
    return values[firsts(values)]


def gathered(rows: Iterable[NDArray[Any]], at_once: int) -> Iterator[NDArray[Any]]:
    """Put arrays together to at least so many rows, so that taking them in costs few calls.

    Examples
    --------
    >>> [part.size for part in gathered(map(np.ones, [2, 1, 4, 1]), at_once=3)]
    [3, 4, 1]
    """
    batch: list[NDArray[Any]] = []
    held = 0
    for row in rows:
        batch.append(row)
        held += len(row)
        if held >= at_once:
            yield np.concatenate(batch)
            batch, held = [], 0
    if batch:
        yield np.concatenate(batch)
