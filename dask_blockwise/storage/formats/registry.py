"""Which formats there are, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ..asked_once import asked_once
from ..checked import understood
from .protocol import Container, Format

__all__ = [
    "arrays_within",
    "find_array",
    "find_file",
    "is_noticed",
    "register",
    "registered",
    "titles",
    "unregister",
]

_FORMATS: dict[str, Format] = {}


def register(format: Format, before: str | None = None) -> None:
    """Make a format known to this process.

    Worker processes need not know it: each array takes its format with it. Only a worker file that
    opens arrays by path has to register it too.

    Parameters
    ----------
    format : Format
        Takes the place of one of the same name.
    before : str, optional
        The name of a format that is to be asked later, such as ``"n5"`` by one of its dialects;
        the new one is asked last unless given.

    Raises
    ------
    TypeError
        If it isn't an instance of a class that satisfies ``Format``.
    ValueError
        If there is no format of the name that is to be asked later.

    Examples
    --------
    >>> from dask_blockwise.storage.formats import N5
    >>> register(N5())
    >>> [format.name for format in registered()]
    ['zarr3', 'zarr', 'n5', 'neuroglancer_precomputed', 'tiff', 'hdf5', 'npy']
    """
    if isinstance(format, type) or not isinstance(format, Format):
        raise TypeError(
            f"A format is an instance that has name, title, noticed_by, find and open, got "
            f"{format!r}: see dask_blockwise.storage.formats.Format."
        )
    if before is None:
        _FORMATS[format.name] = format
        return
    others = {name: other for name, other in _FORMATS.items() if name != format.name}
    _check_known(before, others)
    _FORMATS.clear()
    for name, other in others.items():
        if name == before:
            _FORMATS[format.name] = format
        _FORMATS[name] = other


def unregister(name: str) -> None:
    """Forget a format; arrays that have been opened stay readable.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    _check_known(name, _FORMATS)
    del _FORMATS[name]


def registered() -> tuple[Format, ...]:
    """All formats, in the order in which they are asked."""
    return tuple(_FORMATS.values())


def titles() -> str:
    """What people call them, for messages.

    Examples
    --------
    >>> titles()
    'zarr, OME-Zarr, N5, precomputed, TIFF, HDF5 or npy'
    """
    *first, last = dict.fromkeys(format.title for format in registered())
    return f"{', '.join(first)} or {last}"


@asked_once()
def find_array(location: str) -> tuple[Format, Mapping[str, Any]] | None:
    """The format and the attributes of an array; None where there is no array.

    Raises
    ------
    ValueError
        If its metadata isn't understood; so of ``find_file``.
    """
    return _first(registered(), location)


def find_file(location: str) -> tuple[Format, Mapping[str, Any]] | None:
    """The same for a single file, about which only formats are asked that its name tells of."""
    name = location.rpartition("/")[2]
    return _first([format for format in registered() if _notices(format, name)], location)


def arrays_within(location: str) -> list[str] | None:
    """All arrays of a file that holds several; None where it isn't such a file."""
    for format in registered():
        if isinstance(format, Container):
            within = format.arrays_within(location)
            if within is not None:
                return within
    return None


def is_noticed(name: str) -> bool:
    """Whether a file of this name tells that it, or its folder, may be an array."""
    return any(_notices(format, name) for format in registered())


def _check_known(name: str, formats: Collection[str]) -> None:
    if name not in formats:
        raise ValueError(f"No format is called {name!r}: there are {', '.join(formats)}.")


def _notices(format: Format, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in format.noticed_by)


def _first(formats: Iterable[Format], location: str) -> tuple[Format, Mapping[str, Any]] | None:
    for format in formats:
        with understood(location):
            attributes = format.find(location)
        if attributes is not None:
            return format, attributes
    return None
