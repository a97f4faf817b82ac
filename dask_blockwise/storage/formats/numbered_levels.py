"""Levels that are known by their names alone: s0, s1 and so on."""

from __future__ import annotations

from ..documents import has_document

__all__ = ["numbered_levels"]

_MOST = 64


def numbered_levels(location: str, prefix: str, *documents: str) -> list[str]:
    """Names below a location, as far as there is one after the other.

    Parameters
    ----------
    location, prefix : str
    *documents : str
        One of which each has.
    """
    names: list[str] = []
    while len(names) < _MOST:
        name = f"{prefix}{len(names)}"
        if not any(has_document(f"{location}/{name}", document) for document in documents):
            break
        names.append(name)
    return names
