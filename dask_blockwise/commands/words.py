"""Values that are written as one word on the command line: numbers, offsets, regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Annotated, Any

import yaml
from cyclopts import Parameter, Token

from ..geometry.blocks import Roi
from ..pipelines.schema import part, region

__all__ = [
    "Count",
    "Fractions",
    "Halo",
    "Ids",
    "Memory",
    "Named",
    "Numbers",
    "Offsets",
    "Outputs",
    "Parts",
    "Region",
    "Size",
    "Span",
    "Whole",
    "Workers",
    "named_values",
]


def _number(word: str) -> int | float:
    try:
        return int(word)
    except ValueError:
        return float(word)


def _commas(of: Callable[[str], Any], word: str) -> tuple[Any, ...]:
    return tuple(of(part) for part in word.split(","))


def _halo(word: str) -> str | int | tuple[int, ...]:
    if word == "auto":
        return word
    numbers = _commas(int, word)
    return numbers[0] if len(numbers) == 1 else numbers


def _numbers(word: str) -> int | float | tuple[int | float, ...]:
    numbers = _commas(_number, word)
    return numbers[0] if len(numbers) == 1 else numbers


def _memory(word: str) -> str | float:
    try:
        return float(word)
    except ValueError:
        return word


def _span(word: str) -> tuple[int | float, int | float]:
    low, high = _commas(_number, word)
    return low, high


def _offsets(word: str) -> tuple[tuple[int, ...], ...]:
    return tuple(_commas(int, offset) for offset in word.split())


def _workers(word: str) -> int | tuple[int, int]:
    numbers = [int(part) for part in word.split(":")]
    if len(numbers) > 2 or min(numbers) < 0 or numbers == [0]:
        raise ValueError
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _named(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError
    return name, yaml.safe_load(value)


def _outputs(word: str) -> Any:
    ways = _commas(lambda way: tuple(map(_key, way.split("/"))), word)
    keys = [way[0] if len(way) == 1 else way for way in ways]
    return keys[0] if len(keys) == 1 else keys


def _key(word: str) -> int | str:
    if not word:
        raise ValueError
    return int(word) if word.isdecimal() else word


def _part(word: str) -> tuple[str, int | slice]:
    axis, _, where = word.partition("=")
    found = part(where) if ":" in where else int(where)
    if not axis.isidentifier() or not isinstance(found, slice | int):
        raise ValueError
    return axis, found


def _word(metavar: str, needed: str, read: Callable[[str], Any]) -> Parameter:
    """A parameter of one word that a function reads, with what it needs for people."""

    def convert(_: Any, tokens: Sequence[Token]) -> Any:
        found = [_read(token, needed, read) for token in tokens]
        return found if "=" in metavar else found[0]

    return Parameter(
        metavar=metavar,
        converter=convert,
        n_tokens=1,
        accepts_keys=False,
        json_list=False,
        allow_leading_hyphen=True,
        negative="",
        show_default=False,
    )


def _read(token: Token, needed: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(token.value)
    except (ValueError, ZeroDivisionError, yaml.YAMLError):
        raise ValueError(f"it takes {needed}, got {token.value!r}.") from None


def _whole(least: int) -> Callable[[str], int]:
    def read(word: str) -> int:
        if int(word) < least:
            raise ValueError
        return int(word)

    return read


Count = Annotated[int, _word("N", "a whole number of at least 1", _whole(1))]
Whole = Annotated[int, _word("N", "a whole number of at least 0", _whole(0))]
Size = Annotated[
    Sequence[int],
    _word(
        "Z,Y,X",
        "whole numbers of at least 1, such as 64,64,64",
        lambda word: _commas(_whole(1), word),
    ),
]
Ids = Annotated[
    Sequence[int],
    _word("N[,N...]", "ids such as 3,7", lambda word: _commas(_whole(1), word)),
]
Memory = Annotated[str | float, _word("STR", "a size such as 8GB", _memory)]
Numbers = Annotated[Any, _word("X[,X...]", "a number, or several such as 0.5,0.4", _numbers)]
Fractions = Annotated[
    Sequence[Any],
    _word("Z,Y,X", "numbers such as 40,5.24,5.24 or 1/3,1/3", lambda word: _commas(Fraction, word)),
]
Span = Annotated[tuple[float, float], _word("LOW,HIGH", "two numbers, such as 0,1", _span)]
Halo = Annotated[Any, _word("N|Z,Y,X", "whole numbers, such as 16 or 8,16,16", _halo)]
Offsets = Annotated[
    Sequence[Sequence[int]],
    _word('"Z,Y,X ..."', 'offsets with spaces between, such as "-1,0,0 0,-1,0 0,0,-1"', _offsets),
]
Outputs = Annotated[
    Any, _word("KEY[/KEY][,...]", "indices or keys, such as 0 or logits/0 or 0,1", _outputs)
]
Region = Annotated[
    Roi, _word("B:E,...", "begin:end for each axis, such as 0:320,0:640,0:640", region)
]
Workers = Annotated[
    int | tuple[int, int],
    _word(
        "N|LEAST:MOST",
        "a number of at least 1, or two such as 0:50; leave it out for one process a core",
        _workers,
    ),
]
Named = Annotated[
    Sequence[tuple[str, Any]], _word("NAME=VALUE", "a name and a value, such as sigma=2.0", _named)
]

Parts = Annotated[
    Sequence[tuple[str, Any]],
    _word("AXIS=N|B:E", "an axis and an index, or begin:end, such as c=0 or c=0:3", _part),
]


def named_values(given: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The values by their names; of a name that is given twice, the last."""
    return dict(given)
