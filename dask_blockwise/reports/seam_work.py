"""Work of the report on a cluster, or in threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

from dask.base import compute
from dask.delayed import delayed

__all__ = ["all_of"]


def all_of(function: Callable[[Any], Any], items: Sequence[Any], at_once: int = 1) -> list[Any]:
    """Results for all items, from the present cluster or else from threads.

    Of items that take no longer than a task of Dask does, several are one task.
    """
    groups = (items[begin : begin + at_once] for begin in range(0, len(items), at_once))
    # In what is given dask need not look for what is lazy.
    work = (delayed(partial(_each, function, group), traverse=False) for group in groups)
    return list(chain.from_iterable(compute(*(one() for one in work))))


def _each(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    return list(map(function, items))
