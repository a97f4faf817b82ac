"""Tables of pairs of nodes, and the door to numba, which compiles what runs over every edge."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["NO_KEY", "compiled", "doubled", "inlined", "key_of", "mixed", "slot", "table"]

# In each process anew, in some 3 s: of numba's cache on disk two processes that fill it at once may
# get each other's code, and crash (numba's issues 4807 and 10128).
compiled: Any = numba.njit(nogil=True)
inlined: Any = numba.njit(nogil=True, inline="always")

NO_KEY = np.uint64(0)
_LEAST_KEYS = 1 << 12


@inlined
def key_of(one: Any, other: Any) -> Any:
    """A pair of nodes as a number that isn't 0."""
    low, high = min(one, other), max(one, other)
    return (np.uint64(low + 1) << np.uint64(32)) | np.uint64(high + 1)


@inlined
def mixed(key: Any) -> Any:
    """The key with its bits mixed, of which the last say where it belongs in a table."""
    product = key * np.uint64(0x9E3779B97F4A7C15)
    return product ^ (product >> np.uint64(32))


@inlined
def slot(keys: Any, key: Any) -> Any:
    """Where a key is in a table, whose size is a power of two, or belongs."""
    last = np.uint64(keys.size - 1)
    at = mixed(key) & last
    while keys[at] != NO_KEY and keys[at] != key:
        at = (at + np.uint64(1)) & last
    return at


@compiled
def table(size: Any) -> Any:
    """An empty table with room for at least so many keys."""
    room = _LEAST_KEYS
    while room < size:
        room *= 2
    return np.zeros(room, np.uint64)


@compiled
def doubled(keys: Any) -> Any:
    """A table of the same keys with twice the room."""
    larger = np.zeros(2 * keys.size, np.uint64)
    for key in keys:
        if key != NO_KEY:
            larger[slot(larger, key)] = key
    return larger
