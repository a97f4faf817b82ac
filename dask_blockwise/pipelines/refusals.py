"""What is wrong with what a file gives, in words, each with line and key."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from .lines import Document

__all__ = ["no_such", "sentences", "short"]

# How a schema begins to say which kind of value a key needs; and that, as people call it.
_NEEDS = "Input should be "
_KINDS = {
    "a valid string": "a text",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid list": "a list",
    "a valid tuple": "a list",
    "a valid dictionary": "names, and what each is",
}
# Of a list of as many values as are needed, what a schema says where it has others.
_PARTS = dict.fromkeys(("missing", "too_long"), f"{_NEEDS}a list of other length")


def sentences(
    document: Document,
    path: tuple[Any, ...],
    model: type[BaseModel],
    given: Mapping[str, Any],
    error: ValidationError,
) -> Iterator[str]:
    """One sentence a key; of a value that may be of several kinds, what each needs.

    Parameters
    ----------
    document : Document
    path : tuple
        Where the keys stand in it.
    model : type
        The schema.
    given : mapping
        What the keys have as values.
    error : ValidationError
        What the schema says of them.
    """
    known = [field.alias or name for name, field in model.model_fields.items()]
    needs: dict[str, list[str]] = {}
    for each in error.errors(include_url=False):
        key = str(each["loc"][0])
        place = document.place((*path, key))
        if each["type"] == "missing" and len(each["loc"]) == 1:
            yield f"{document.place(path)}: {model.__name__} needs {key}."
        elif each["type"] == "extra_forbidden":
            yield f"{place}: {no_such(key, known, model.__name__)}"
        else:
            needs.setdefault(key, []).append(_PARTS.get(each["type"], each["msg"]))
    for key, said in needs.items():
        yield f"{document.place((*path, key))}: {_refusal(said, given.get(key))}"


def _refusal(said: list[str], value: Any) -> str:
    """What schemas say of a value, in plain words."""
    kinds = [each.removeprefix(_NEEDS) for each in said if each.startswith(_NEEDS)]
    if len(kinds) < len(said):
        own = next(each for each in said if not each.startswith(_NEEDS))
        own = own.removeprefix("Value error, ").rstrip(".")
        return own if str(value) in own else f"{own}, got {short(value)}."
    wanted = list(dict.fromkeys(_KINDS.get(kind, kind) for kind in kinds))
    if "a number" in wanted and "a whole number" in wanted:
        wanted.remove("a whole number")
    needed = " or ".join(wanted)
    return f"needs {needed}, got {short(value)}.{_mend(needed, value)}"


def _mend(wanted: str, value: Any) -> str:
    """What makes the value one of the kind that is wanted, where that is likely."""
    if "a text" in wanted and isinstance(value, int | float):
        return " Put it in quotes: YAML reads 12:00:00, and the like, as numbers."
    if not isinstance(value, str) or not any(map(str.isdigit, value)):
        return ""
    if "a list" in wanted:
        return " A list stands in brackets, with commas, such as [2, 0.5, 0.5]."
    return " Numbers stand without quotes and units." if "number" in wanted else ""


def short(value: Any) -> str:
    """A value in few words: aliases may make it larger than any memory.

    Examples
    --------
    >>> short(list(range(1000)))
    '[0, 1, 2, 3, 4, 5, ...]'
    """
    return reprlib.repr(value)


def no_such(word: Any, known: Any, of: str) -> str:
    """That there is no such name, and which there are.

    Examples
    --------
    >>> no_such("rwa", ["raw", "mask"], "volumes")
    'volumes has no rwa; it has raw, mask. Did you mean raw?'
    """
    names = list(map(str, known))
    near = get_close_matches(str(word), names, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{of} has no {word}; it has {', '.join(names) or 'none'}.{hint}"
