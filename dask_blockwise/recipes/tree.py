"""What describers hand to each other: trees whose parts are still to be described."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dask_blockwise.recipes.digest import Recipe, content_digest

__all__ = ["PLAIN", "Part", "Verbatim", "keyed", "mapping_tree", "parts", "plain"]

PLAIN = (type(None), bool, int, float, str)
_LARGEST = 2**63
_SECRET = re.compile("secret|passw|token|credential|api_?key|access_?key", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Part:
    """A value that stands in a tree and is to be described by itself."""

    value: Any


@dataclass(frozen=True)
class Verbatim:
    """A recipe that stands in another as it was written, such as that of a stored input.

    Parameters
    ----------
    recipe : Recipe
        From `recipe_of`, or read from what was stored.

    Examples
    --------
    >>> from dask_blockwise.recipes import Verbatim, recipe_of
    >>> stored = recipe_of({"threshold": 0.5})
    >>> recipe_of({"input": Verbatim(stored)})
    {'input': {'threshold': 0.5}}
    """

    recipe: Recipe


def plain(value: Any) -> Any:
    """A value of one of the PLAIN types so that JSON of any library gives it back."""
    if type(value) is float and not abs(value) < float("inf"):
        return {"@": "float", "value": repr(value)}
    if type(value) is int and not -_LARGEST <= value < _LARGEST:
        return {"@": "int", "value": hex(value)}
    if type(value) is str and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return {"@": "text", "value": ascii(value)}
    return value


def parts(values: Iterable[Any]) -> list[Part]:
    return [Part(value) for value in values]


def keyed(key: Any, value: Any) -> Any:
    """A value by its name: of what a name calls secret only the digest is written."""
    if type(value) is str and type(key) is str and _SECRET.search(key):
        return {"@": "withheld", "content": content_digest(value.encode("utf-8", "surrogatepass"))}
    return Part(value)


def mapping_tree(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    """A mapping as it is, or as pairs where a key is no text or means something in recipes."""
    if all(_may_be_key(key) for key in mapping):
        return {key: keyed(key, value) for key, value in mapping.items()}
    return {
        "@": "dict",
        "items": [[Part(key), keyed(key, value)] for key, value in mapping.items()],
    }


def _may_be_key(key: Any) -> bool:
    return type(key) is str and key not in ("@", "again") and key[:1] != "~" and key.isprintable()
