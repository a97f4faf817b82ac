"""Changes to documents that several runs may change at once: none loses another's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .asked_once import forget
from .documents import put, read_json
from .file_locks import FileLock, NoLocks
from .location import is_remote
from .object_stores import NoConditions, find_object, put_object

__all__ = ["EDIT_LOCK", "edit_json"]

EDIT_LOCK = ".dask_blockwise.lock"
_PATIENCE = 60.0
_PAUSE = 0.02

Document = dict[str, Any]


def edit_json(location: str, name: str, change: Callable[[Document], Mapping[str, Any]]) -> None:
    """Write what a change makes of a JSON document, which is empty where there is none.

    Locally under a lock of the folder, where there are locks; in a bucket only in place of the
    very version that was read, and again if another was first.

    Parameters
    ----------
    location : str
        A folder that is there, or a URL.
    name : str
    change : callable
        Gives the new document for the present one; it may be called again. What stays as it is
        isn't written.

    Raises
    ------
    TimeoutError
        If others hold the lock for a minute.
    OSError
        If the store can't be read or written.

    Examples
    --------
    >>> Path("a.zarr").mkdir()
    >>> edit_json("a.zarr", ".zattrs", lambda found: found | {"labels": ["cells"]})
    >>> read_json("a.zarr", ".zattrs")
    {'labels': ['cells']}
    """
    if not is_remote(location):
        with _locked(Path(location)):
            _edit(location, name, change)
        return
    end = time.monotonic() + _PATIENCE
    while not _edit_object(location, name, change):
        if time.monotonic() > end:
            raise TimeoutError(f"{location}/{name} is changed by others all the time.")


def _edit(location: str, name: str, change: Callable[[Document], Mapping[str, Any]]) -> None:
    found = read_json(location, name)
    made = dict(change(found))
    if made != found:
        put(location, name, _text(made))


def _edit_object(location: str, name: str, change: Callable[[Document], Mapping[str, Any]]) -> bool:
    """Whether nobody else has changed it meanwhile."""
    # Asked before it is read: if it is another by then, nothing is put.
    there = find_object(location, name)
    forget(location, name)
    found = read_json(location, name)
    made = dict(change(found))
    if made == found:
        return True
    try:
        version = None if there is None else there.version
        return put_object(location, name, _text(made), version) is not None
    except NoConditions:
        put(location, name, _text(made))
        return True
    finally:
        forget(location, name)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone among those that ask for it, where the file system has locks."""
    lock, end = None, time.monotonic() + _PATIENCE
    while lock is None:
        try:
            lock = FileLock.take(folder / EDIT_LOCK)
        except NoLocks:
            break
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise TimeoutError(f"{folder / EDIT_LOCK} is held by another process.") from error
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _text(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=2).encode()
