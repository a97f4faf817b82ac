"""What a volume was made by, as far as a file can say it: a stage, and what it was given."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from inspect import Parameter, Signature, signature
from numbers import Rational
from typing import Any

import numpy as np

from ..geometry.blocks import Roi
from .named_functions import name_of

__all__ = ["Call", "Unsaid", "said"]

# More numbers than that are data, which belong in a store.
_MOST = 1000


@dataclass(frozen=True)
class Unsaid:
    """A value that no file can say."""

    # What it is, for people.
    words: str
    # What it is called where it is defined, if anything.
    name: str = ""


@dataclass(frozen=True)
class Call:
    """A stage, and what it was given: values that a file can say, volumes, and what is `Unsaid`."""

    stage: str
    arguments: Mapping[str, Any]
    # What people are shown: what isn't a volume, and defaults that say something.
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)

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
        asked = signature(function)
        bound = asked.bind(*given, **named).arguments
        arguments = {name: said(value) for name, value in bound.items()}
        return cls(stage, arguments, _parameters(asked, arguments))

    @property
    def volumes(self) -> tuple[Any, ...]:
        """Those that it was given, in their order."""
        return tuple(_volumes_in(self.arguments))

    def over(self, change: Callable[[Any], Any]) -> Call:
        """The same of other volumes."""
        return replace(self, arguments=_changed(self.arguments, change))


def _parameters(asked: Signature, arguments: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, parameter in asked.parameters.items():
        if parameter.kind is Parameter.VAR_KEYWORD:
            found |= arguments.get(name, {})
        elif name in arguments:
            found[name] = arguments[name]
        elif isinstance(parameter.default, str | int | float) and parameter.default:
            found[name] = said(parameter.default)
    without = {name: _shown(value) for name, value in found.items()}
    return {name: value for name, value in without.items() if not _is_nothing(value)}


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and not value)


def _shown(value: Any) -> Any:
    """A value without the volumes in it, and a function by its name if it has no other words."""
    if _is_volume(value):
        return None
    if isinstance(value, Unsaid):
        return value.name or value.words
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value if not _is_volume(each)]
    if isinstance(value, dict):
        return {name: _shown(each) for name, each in value.items()}
    return value


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if _is_volume(value):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_changed(each, change) for each in value)
    if isinstance(value, dict):
        return {name: _changed(each, change) for name, each in value.items()}
    return value


def _volumes_in(value: Any) -> Iterator[Any]:
    if _is_volume(value):
        yield value
    elif isinstance(value, list | tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _volumes_in(each)


def _is_volume(value: Any) -> bool:
    return hasattr(type(value), "call")


def said(value: Any) -> Any:
    """A value as a file says it.

    Examples
    --------
    >>> said((np.float32(0.5), Roi((0, 8), (4, 4)), slice(2, None)))
    (0.5, '0:4, 8:12', '2:')
    >>> said(len), said(lambda array: array)
    ('builtins:len', Unsaid(words='a function that no module has under its name', name='<lambda>'))
    """
    if _is_volume(value):
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
    unsaid = Unsaid("a function that no module has under its name", function.__name__)
    return name_of(function) or unsaid


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
