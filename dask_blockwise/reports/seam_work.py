"""Work of the report on a cluster, or in threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from dask.base import compute
from dask.delayed import Delayed, delayed

__all__ = ["Work", "all_of", "together"]


@dataclass(frozen=True)
class Work:
    """A function, and what it is called with; several items in one task, if one takes no longer."""

    function: Callable[[Any], Any]
    items: Sequence[Any]
    at_once: int = 1

    def tasks(self) -> list[Delayed]:
        """Each of which returns a list."""
        begins = range(0, len(self.items), self.at_once)
        groups = (self.items[begin : begin + self.at_once] for begin in begins)
        # In what is given dask need not look for what is lazy.
        work = (delayed(partial(_each, self.function, group), traverse=False) for group in groups)
        return [one() for one in work]


def together(*works: Work) -> list[list[Any]]:
    """Results of each work, at once, from the present cluster or else from threads."""
    made = compute(*(work.tasks() for work in works))
    return [list(chain.from_iterable(parts)) for parts in made]


def all_of(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Results for all items, from the present cluster or else from threads."""
    (found,) = together(Work(function, items))
    return found


def _each(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    return list(map(function, items))
