"""Which stages a file can have: functions that make volumes, which note how they were called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial, update_wrapper
from importlib import import_module
from types import FunctionType, MappingProxyType
from typing import Any, ParamSpec, TypeVar, cast
from warnings import warn

from .calls import Call
from .given_volumes import volume_check

__all__ = ["Stage", "all_stages", "noted", "stage"]

Given = ParamSpec("Given")
Made = TypeVar("Made")

_stages: dict[str, Stage] = {}


@dataclass(frozen=True)
class Stage:
    """A function that makes a volume, under the name that files have for it."""

    name: str
    function: Callable[..., Any]
    # What its result is called where a file is written.
    makes: str


def all_stages() -> dict[str, Stage]:
    """By name, those among public names, and others that have been imported."""
    package = import_module(__package__.partition(".")[0])
    for name in package.__all__:
        # Which is imported when it is asked for.
        getattr(package, name)
    return dict(_stages)


def stage(
    makes: str, name: str = "", renamed: Mapping[str, str] = MappingProxyType({})
) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    """Register a function that makes a volume as a stage of files.

    The volume knows as its ``call`` what it was made by.

    Parameters
    ----------
    makes : str
        What its result is called where a file is written.
    name : str
        The function's own unless given.
    renamed : mapping
        Keywords that had other names in an earlier version, which are taken with a warning.
    """

    def register(function: Callable[Given, Made]) -> Callable[Given, Made]:
        known = name or function.__name__
        note = _noting(known, function, renamed)
        _stages[known] = Stage(known, note, makes)
        return note

    return register


def _noting(
    name: str, function: Callable[Given, Made], renamed: Mapping[str, str]
) -> Callable[Given, Made]:
    # What it needs is in its closure, since its globals are those of another module.
    call_of, note_it, check = Call.of, noted, volume_check(name, function)
    rename = partial(_rename, name, renamed)

    def note(*given: Given.args, **named: Given.kwargs) -> Made:
        rename(named)
        check(given, named)
        made: Made = note_it(function(*given, **named), call_of(name, function, given, named))
        return made

    # One of its function's own module, so that doctest finds it there.
    own = cast(Any, function).__globals__
    in_place = FunctionType(note.__code__, own, closure=note.__closure__)
    return cast(Callable[Given, Made], update_wrapper(in_place, function))


def _rename(name: str, renamed: Mapping[str, str], named: dict[str, Any]) -> None:
    for old in renamed.keys() & named.keys():
        told = f"{name} calls {old}= now {renamed[old]}=, and will forget the old name."
        warn(told, DeprecationWarning, stacklevel=3)
        named[renamed[old]] = named.pop(old)


def noted(volume: Any, call: Call | None) -> Any:
    """The volume, which knows its call; one made of it by ``dataclasses.replace`` doesn't."""
    copy = replace(volume)
    object.__setattr__(copy, "call", call)
    return copy
