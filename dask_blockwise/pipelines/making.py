"""Making the volumes of a file, by calling its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from .lines import FileError
from .reading import Entry, Part, PipelineFile
from .schema import part

__all__ = ["called", "made_of"]

# Of warnings those that the command line takes for errors.
_MENDED_BY_PEOPLE = (ValueError, TypeError, OSError, ImportError, AttributeError, UserWarning)


def made_of(file: PipelineFile) -> dict[str, Any]:
    """The volumes of a file by name; nothing is computed.

    Raises
    ------
    FileError
        If a stage refuses what it is given, with its line and key.
    """
    made: dict[str, Any] = {}
    for name in file.order:
        entry = file.entries[name]
        made[name] = called(entry.stage.function, _given(entry, made))
    return made


def called(function: Callable[..., Any], given: Part, *before: Any, **more: Any) -> Any:
    """What a function returns; what it refuses is told of with line and key.

    Parameters
    ----------
    function : callable
    given : Part
    *before, **more
        What it is given beside.
    """
    positional, named = _sorted(function, given.arguments)
    try:
        return function(*before, *positional, **named, **more)
    except _MENDED_BY_PEOPLE as error:
        if hasattr(error, "exit_code"):
            raise
        raise FileError(f"{given.place}: {error}") from error


def _given(entry: Entry, made: Mapping[str, Any]) -> Part:
    inputs = {
        name: [_named(each, made) for each in value] if isinstance(value, list) else made[value]
        for name, value in entry.inputs.items()
    }
    return Part(inputs | dict(entry.given.arguments), entry.given.place)


def _named(value: Any, made: Mapping[str, Any]) -> Any:
    return made[value] if isinstance(value, str) else value


def _sorted(
    function: Callable[..., Any], given: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """What is given by place, and what by name."""
    parameters = signature(function).parameters
    several = next((n for n, p in parameters.items() if p.kind is Parameter.VAR_POSITIONAL), None)
    positional, named = [], dict(given)
    for name, parameter in parameters.items():
        by_place = parameter.kind is Parameter.POSITIONAL_ONLY or (
            several and parameter.kind is Parameter.POSITIONAL_OR_KEYWORD
        )
        if by_place and name in named:
            positional.append(named.pop(name))
    if several:
        positional += named.pop(several, [])
    slices = any("slice" in str(p.annotation) for p in parameters.values())
    return positional, {n: part(v) for n, v in named.items()} if slices else named
