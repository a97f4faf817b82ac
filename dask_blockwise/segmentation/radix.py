"""Sorting many numbers that have come in some order already, as edges do in raster order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .pair_table import compiled

__all__ = ["sort_from"]

_DIGIT, _BITS = 8, 64


def sort_from(numbers: NDArray[np.uint64], bit: int) -> NDArray[np.uint64]:
    """Sort numbers, faster if those that have the same bits from some bit on come in order already.

    A digit takes two passes, and none more if it is the same everywhere. Where numpy's sort has no
    code that suits the processor, it takes six times as long.

    Parameters
    ----------
    numbers : ndarray of uint64, shape (n,)
        What is in it afterwards isn't told.
    bit : int
        Below it bits may be in order already: if so they aren't looked at.

    Returns
    -------
    ndarray of uint64, shape (n,)
        It may be `numbers` itself, or as large an array.

    References
    ----------
    Knuth, "The Art of Computer Programming", volume 3, 5.2.5: sorting by distribution.

    Examples
    --------
    >>> sort_from(np.array([0x25, 0x17, 0x11, 0x20], np.uint64), 4).tolist()
    [17, 23, 32, 37]
    """
    low = np.uint64((1 << bit) - 1)
    first = bit if _ascend(numbers, low) else 0
    found: NDArray[np.uint64] = _sorted(numbers, np.arange(first, _BITS, _DIGIT, dtype=np.uint64))
    return found


@compiled
def _ascend(numbers: Any, bits: Any) -> Any:
    """Whether these bits of numbers never become less from one to the next."""
    last = np.uint64(0)
    for number in numbers:
        if number & bits < last:
            return False
        last = number & bits
    return True


@compiled
def _sorted(numbers: Any, shifts: Any) -> Any:
    """By the digits that begin at these bits, the last of them first."""
    digit = np.uint64((1 << _DIGIT) - 1)
    counts = np.zeros((shifts.size, 1 << _DIGIT), np.int64)
    for number in numbers:
        for place in range(shifts.size):
            counts[place, (number >> shifts[place]) & digit] += 1
    room = np.empty_like(numbers)
    for shift, count in zip(shifts, counts):
        # Of what numpy has for this, numba takes longer to compile than for all of it.
        if numbers.size and count[(numbers[0] >> shift) & digit] < numbers.size:
            begin = 0
            for value in range(count.size):
                begin, count[value] = begin + count[value], begin
            for number in numbers:
                value = (number >> shift) & digit
                room[count[value]] = number
                count[value] += 1
            numbers, room = room, numbers
    return numbers
