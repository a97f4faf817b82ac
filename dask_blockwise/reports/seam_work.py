"""Work of the report on a cluster, or in threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from dask.base import compute
from dask.delayed import delayed

__all__ = ["all_of"]


def all_of(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Results for all items, from the present cluster or else from threads."""
    # In what is given dask need not look for what is lazy.
    work = (delayed(partial(function, item), traverse=False) for item in items)
    return list(compute(*(one() for one in work)))
