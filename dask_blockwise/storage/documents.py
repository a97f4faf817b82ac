"""Documents of a store: read, listed, written and removed through TensorStore, and its errors."""

from __future__ import annotations

import errno
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import tensorstore as ts

from .asked_once import forget, known_or_asked
from .checked import MEND, in_plain_words
from .location import is_remote, kvstore_spec, on_disk

__all__ = [
    "cache_context",
    "has_document",
    "is_denied",
    "kvstore_of",
    "list_names",
    "own_cache",
    "put",
    "read_bytes",
    "read_json",
    "read_surely",
    "remove_documents",
    "store_error",
]


_CACHE_VARIABLE, _CACHE_MEGABYTES = "DASK_BLOCKWISE_CACHE_MB", "256"


_FULL = ("No space left", "ENOSPC", "quota exceeded")


_REMOVED_AT_ONCE = 1000

# Seconds after which it is said that a server is waited for.
_PATIENCE_SECONDS = 20.0


_WEB_RETRIES = {"max_retries": 3, "initial_delay": "250ms", "max_delay": "2s"}


# Attributes alone: no array is known by them.
_MAY_BE_NULL = (".zattrs",)


# Metadata of many thousand arrays; what is larger is none.
_LARGEST_JSON = 64 << 20


_NO_ZIP = "valid ZIP EOCD"
_DENIED = ("PERMISSION_DENIED", "Permission denied", "Read-only")


def kvstore_of(location: str) -> Any:
    """TensorStore's own way to all documents below a location."""
    return ts.KvStore.open(kvstore_spec(location), context=cache_context()).result()


def read_json(location: str, name: str) -> dict[str, Any]:
    """A JSON document of a store; empty where there is none.

    Raises
    ------
    ValueError
        If it is no JSON object, or too large to be metadata.
    OSError
        If it can't be read.
    """
    path = os.path.join(location, name)  # noqa: PTH118 - a URL stays one.
    size = _size(path) if on_disk(location) else 0
    if size is None:
        return {}
    small = size <= _LARGEST_JSON
    value = _let_read(location, name, known=True) if small else b"too large"
    if value is None or (not value.strip() and name in _MAY_BE_NULL):
        return {}
    if len(value) > _LARGEST_JSON or not small:
        raise ValueError(f"{path} is damaged: metadata has at most {_LARGEST_JSON >> 20} MiB.")
    try:
        found = json.loads(value)
        return {} if found is None and name in _MAY_BE_NULL else dict(found)
    except (ValueError, TypeError, RecursionError) as error:
        why = "it should be a JSON object" if value.strip() else "it is empty"
        raise ValueError(f"{path} is damaged: {why}. {MEND}.") from error


def _size(path: str) -> int | None:
    """Bytes of a file; None where there is none, as is so of most that are looked for."""
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return 0


def read_bytes(location: str, name: str) -> bytes:
    """A document of a store; empty where there is none."""
    return _let_read(location, name) or b""


def _let_read(location: str, name: str, known: bool = False) -> bytes | None:
    """A document; None where there is none, or it may not be known."""
    try:
        return _read(location, name, known and not on_disk(location))
    except PermissionError:
        # A bucket that may not be listed denies what isn't there.
        if is_remote(location):
            return None
        raise


def read_surely(location: str, name: str) -> bytes:
    """The same, but an error also where it is denied, be it there or not."""
    return _read(location, name) or b""


def _read(location: str, name: str, known: bool = False) -> bytes | None:
    try:
        ask = kvstore_of(location).read
        asked = known_or_asked(location, name, ask) if known else ask(name)
        found = _answer(asked, location) if is_remote(location) else asked.result()
        return bytes(found.value) if found.state == "value" else None
    except (ValueError, OSError) as error:
        raise store_error(f"{location}/{name}", "read", error) from error


def _answer(asked: Any, location: str) -> Any:
    """What a server says, which is waited for, but not without a word."""
    try:
        return asked.result(timeout=_PATIENCE_SECONDS)
    except TimeoutError:
        server = "/".join(location.split("/")[:3])
        warnings.warn(
            f"{server} hasn't answered for {_PATIENCE_SECONDS:g} seconds, and is asked again, for "
            "many minutes if need be. See that its name is right, and that there is a network and "
            "what it takes to be let in, such as keys, a region or AWS_ENDPOINT_URL.",
            stacklevel=2,
        )
        return asked.result()


def has_document(location: str, name: str) -> bool:
    """Whether a store has a document now."""
    if on_disk(location):
        return Path(location, name).is_file()
    return _let_read(location, name) is not None


def is_denied(location: str, name: str) -> bool:
    """Whether it isn't known if there is a document, since it may not be read."""
    try:
        read_surely(location, name)
    except PermissionError:
        return True
    return False


def list_names(location: str) -> list[str]:
    """Names of all documents below a location, in order."""
    try:
        return sorted(key.decode() for key in kvstore_of(location).list().result())
    except (ValueError, OSError) as error:
        raise store_error(location, "listed", error) from error


def put(location: str, name: str, document: bytes) -> None:
    """Write a document at once: nobody sees half of it."""
    try:
        kvstore_of(location).write(name, document).result()
    except (ValueError, OSError) as error:
        raise store_error(location, "written", error) from error
    finally:
        forget(location, name)


_own_cache = ContextVar("own_cache", default=False)


@contextmanager
def own_cache() -> Iterator[None]:
    """Within the body, what is opened has a cache of its own, in which nothing is yet."""
    token = _own_cache.set(True)
    try:
        yield
    finally:
        _own_cache.reset(token)


def cache_context() -> Any:
    """The cache of this process, or one that nothing else has."""
    return _new_cache() if _own_cache.get() else _shared_cache()


@cache
def _shared_cache() -> Any:
    return _new_cache()


def _new_cache() -> Any:
    settings: dict[str, Any] = {"cache_pool": {"total_bytes_limit": _cache_megabytes() << 20}}
    # Without this, a web server that is down is asked for many minutes.
    settings["http_request_retries"] = _WEB_RETRIES
    return ts.Context(settings)


class _NoSize(RuntimeError):
    """What a variable says that a person sets; no ValueError, for which a store would be blamed."""

    exit_code = 2


def _cache_megabytes() -> int:
    given = os.environ.get(_CACHE_VARIABLE, _CACHE_MEGABYTES)
    if not given.strip().isdecimal():
        raise _NoSize(
            f"The environment variable {_CACHE_VARIABLE} is a whole number of megabytes, such as "
            f"{_CACHE_MEGABYTES}, got {given!r}: set it so, or unset it."
        )
    return int(given)


def remove_documents(location: str, names: Sequence[str]) -> None:
    """Remove some documents, in any order; those that aren't there are no matter."""
    store = kvstore_of(location)
    try:
        for i in range(0, len(names), _REMOVED_AT_ONCE):
            waiting = [store.write(name, None) for name in names[i : i + _REMOVED_AT_ONCE]]
            for each in waiting:
                each.result()
    except (ValueError, OSError) as error:
        raise store_error(location, "removed", error) from error
    finally:
        forget(location)


def store_error(path: str, done: str, error: Exception) -> OSError:
    """What TensorStore or Python says: a full disk, a denied path, or another."""
    text = str(error)
    if any(words in text for words in _FULL):
        return OSError(
            errno.ENOSPC,
            f"The disk of {path} is full. Blocks that are written stay: free some space, and the "
            "same call goes on from there. Or choose a path on another disk",
        )
    if any(words in text for words in _DENIED):
        return PermissionError(
            errno.EACCES, f"{path} can't be {done}. Choose another path, or ask for access to it"
        )
    if _NO_ZIP in text:
        return OSError(
            errno.EIO,
            f"{path} can't be {done}: its zip archive is damaged, or only a part of it is there. "
            "Copy it anew",
        )
    if isinstance(error, OSError) and error.errno:
        return OSError(error.errno, f"{path} can't be {done}: {error.strerror}")
    return OSError(errno.EIO, f"{path} can't be {done}: {in_plain_words(text)}")
