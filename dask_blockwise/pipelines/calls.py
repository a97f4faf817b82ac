"""What a volume was made by, as far as a file can say it: a stage, and what it was given."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from inspect import signature
from numbers import Rational
from typing import Any

import numpy as np

from ..geometry.blocks import Roi
from .named_functions import name_of

__all__ = ["Call", "Unsaid"]

# More numbers than that are data, which belong in a store.
_MOST = 1000


@dataclass(frozen=True)
class Unsaid:
    """A value that no file can say."""

    # What it is, for people.
    words: str


@dataclass(frozen=True)
class Call:
    """A stage, and what it was given: values that a file can say, volumes, and what is `Unsaid`."""

    stage: str
    arguments: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        stage: str,
        function: Callable[..., Any],
        given: tuple[Any, ...],
        named: Mapping[str, Any],
    ) -> Call:
        """What a function was called with.

        Examples
        --------
        >>> def smooth(array, sigma=1.0, *, axes=()):
        ...     return array
        >>> Call.of("smooth", smooth, (3,), {"axes": (0, 1)})
        Call(stage='smooth', arguments={'array': 3, 'axes': (0, 1)})
        """
        bound = signature(function).bind(*given, **named).arguments
        return cls(stage, {name: said(value) for name, value in bound.items()})


def said(value: Any) -> Any:
    """A value as a file says it.

    Examples
    --------
    >>> said((np.float32(0.5), Roi((0, 8), (4, 4)), slice(2, None)))
    (0.5, '0:4, 8:12', '2:')
    >>> said(len), said(lambda array: array)
    ('builtins:len', Unsaid(words='a function that no module has under its name'))
    """
    if hasattr(type(value), "call"):
        return value
    for kinds, words in _WORDS:
        if isinstance(value, kinds):
            return words(value)
    return Unsaid(f"an object of {type(value).__qualname__}")


def _of_number(value: Any) -> Any:
    number = int(value) if value.denominator == 1 else float(value)
    return number if Fraction(str(number)) == value else Unsaid(f"the fraction {value}")


def _of_roi(roi: Roi) -> Any:
    if None in (*roi.begin, *roi.shape):
        return Unsaid("a region without end")
    return ", ".join(f"{begin}:{end}" for begin, end in zip(roi.begin, roi.end))


def _of_slice(part: slice) -> Any:
    if part.step not in (None, 1):
        return Unsaid("a slice with a step")
    return ":".join("" if end is None else str(int(end)) for end in (part.start, part.stop))


def _of_array(array: np.ndarray[Any, Any]) -> Any:
    return said(array.tolist()) if array.size <= _MOST else Unsaid("an array")


def _of_mapping(mapping: Mapping[Any, Any]) -> Any:
    if not all(isinstance(key, str) for key in mapping):
        return Unsaid("a mapping of what aren't names")
    return {key: said(value) for key, value in mapping.items()}


def _of_function(function: Any) -> Any:
    if not hasattr(function, "__qualname__"):
        return Unsaid(f"an object of {type(function).__qualname__}")
    return name_of(function) or Unsaid("a function that no module has under its name")


def _of_type(kind: Any) -> Any:
    is_of_numbers = issubclass(kind, np.generic) or kind in (bool, int, float, complex)
    return np.dtype(kind).name if is_of_numbers else _of_function(kind)


_WORDS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((type(None), bool, int, float, str), lambda value: value),
    (np.generic, lambda value: said(value.item())),
    (np.dtype, lambda value: value.name),
    (os.PathLike, os.fspath),
    (Rational, _of_number),
    (Roi, _of_roi),
    (slice, _of_slice),
    (np.ndarray, _of_array),
    (tuple, lambda values: tuple(map(said, values))),
    (list, lambda values: list(map(said, values))),
    (Mapping, _of_mapping),
    (type, _of_type),
    (Callable, _of_function),
)
