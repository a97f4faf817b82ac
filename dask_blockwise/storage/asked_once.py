"""Documents of distant stores that are asked for once, within a call that looks at them often.

A request to a bucket takes as long as a block may take to compute. To find out what lies at a
path, formats ask for a dozen documents, there and in groups above it, and mostly for the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["asked_once", "forget", "known_or_asked"]

# What tells of arrays and groups. Of one folder they are asked for together.
_METADATA = (
    "zarr.json",
    ".zarray",
    ".zattrs",
    ".zgroup",
    ".zmetadata",
    "attributes.json",
    "info",
)

# By path, what is waited for and gives the document.
_asked: ContextVar[dict[str, Any] | None] = ContextVar("asked", default=None)


@contextmanager
def asked_once() -> Iterator[None]:
    """Within the body, metadata are those of when they were first asked for, or written here.

    Examples
    --------
    >>> with asked_once():
    ...     one = known_or_asked("s3://b/a", "info", "the document of {}".format)
    ...     known_or_asked("s3://b/a", "info", "another of {}".format)
    'the document of info'
    """
    if _asked.get() is not None:
        yield
        return
    token = _asked.set({})
    try:
        yield
    finally:
        _asked.reset(token)


def known_or_asked(location: str, name: str, ask: Callable[[str], Any]) -> Any:
    """What is known of a document, or what asking for it by its name gives."""
    folder, _, last = _path(location, name).rpartition("/")
    known = _asked.get()
    if known is None or last not in _METADATA:
        return ask(name)
    if f"{folder}/{last}" not in known:
        before = name.removesuffix(last)
        unknown = [each for each in _METADATA if f"{folder}/{each}" not in known]
        known |= {f"{folder}/{each}": ask(before + each) for each in unknown}
    return known[f"{folder}/{last}"]


def forget(location: str, name: str = "") -> None:
    """Ask anew for a document that may have changed, or for all below a location."""
    known, path = _asked.get() or {}, _path(location, name)
    for each in [each for each in known if f"{each}/".startswith(f"{path}/")]:
        del known[each]


def _path(location: str, name: str) -> str:
    return f"{location.rstrip('/')}/{name}".rstrip("/")
