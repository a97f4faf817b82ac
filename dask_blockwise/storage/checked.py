"""Metadata that others wrote, before it is believed: each part has the form it should have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any

__all__ = [
    "MEND",
    "NOT_UNDERSTOOD",
    "in_plain_words",
    "listing",
    "mapping",
    "numbers",
    "path_inside",
    "placing_or_why_not",
    "understood",
]

# Among attributes, in place of what says where an array lies, why that isn't understood.
NOT_UNDERSTOOD = "place not understood"

# How to go on where metadata are wrong.
MEND = "Mend it, or write the array anew with the tool that wrote it"
# What values of another kind raise where they are used.
_WRONG_KINDS = (
    *(ArithmeticError, AttributeError, LookupError),
    *(EOFError, RecursionError, TypeError, ValueError),
)


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """The value, if it is a mapping.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"{name} should be an object of JSON, and is {_short(value)}")


def listing(value: Any, name: str) -> Sequence[Any]:
    """The value, if it is a list; none where it is None."""
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return value
    raise ValueError(f"{name} should be a list, and is {_short(value)}")


def numbers(value: Any, name: str) -> list[Any]:
    """The value, if it is a list of numbers.

    Examples
    --------
    >>> numbers([40, 4.5], "resolution")
    [40, 4.5]
    """
    listed = list(listing(value, name))
    if all(isinstance(number, Real) and not isinstance(number, bool) for number in listed):
        return listed
    raise ValueError(f"{name} should be numbers, and is {_short(value)}")


def path_inside(value: Any, name: str) -> str:
    """The value as short as it can be, if it is a path from a folder to what lies in it.

    Links of the file system are followed: whoever made the folder's files may not have them led
    elsewhere by what a file says, but whoever owns the disk may.

    Raises
    ------
    ValueError
        If it is absolute, a URL, or leads up.

    Examples
    --------
    >>> path_inside("./a/s0/", "path")
    'a/s0'
    """
    parts = value.replace("\\", "/").split("/") if isinstance(value, str) else [".."]
    if not parts[0] or ".." in parts or "://" in value or "\0" in value:
        raise ValueError(
            f"{name} should be a path within the same folder, and is {_short(value)}: what lies "
            "elsewhere isn't opened by what a file says. Open it by its own path"
        )
    return "/".join(part for part in value.split("/") if part not in ("", ".")) or str(value)


def placing_or_why_not(placing: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Attributes that say where an array lies, or why they can't be understood.

    So an array can be opened by whoever says where it lies instead.

    Examples
    --------
    >>> placing_or_why_not(lambda: {"resolution": numbers("small", "resolution")})
    {'place not understood': "resolution should be a list, and is 'small'"}
    """
    try:
        return placing()
    except ValueError as error:
        return {NOT_UNDERSTOOD: str(error)}


@contextmanager
def understood(path: str) -> Iterator[None]:
    """Whatever is wrong with metadata, name the path that has it.

    Raises
    ------
    ValueError
        In place of the errors that values of the wrong kind raise.
    """
    try:
        yield
    except OSError:
        raise
    except _WRONG_KINDS as error:
        said = str(error) if isinstance(error, ValueError) else _told(error)
        plain = in_plain_words(said)
        if path in said and plain == said:
            raise ValueError(said) from error
        raise ValueError(f"The metadata of {path} can't be understood: {plain}") from error


def _told(error: Exception) -> str:
    """What values of the wrong kind raised, and how to go on."""
    what = f"it has no {error}" if isinstance(error, KeyError) else f"{error}"
    return f"{what or type(error).__name__}. {MEND}"


def in_plain_words(said: str) -> str:
    """What TensorStore says, without the names of its own parts.

    Examples
    --------
    >>> in_plain_words('DATA_LOSS: Error opening "n5" driver: It is cut [tensorstore_spec=...]')
    'It is cut'
    """
    said = re.sub(r" \[\w[\w ]*=.*", "", said, flags=re.DOTALL)
    return re.sub(r'^[A-Z_]{4,}: (?:Error opening "\w+" driver: )?', "", said)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
