"""Arrays in a store that other libraries have opened."""

from __future__ import annotations

from typing import Any

from .arrays import open_array
from .stored_array import StoredArray

__all__ = ["as_stored"]


def as_stored(value: Any) -> StoredArray | None:
    """The array in a store that a value stands for, if it is one: of zarr, h5py or this package.

    Examples
    --------
    >>> import numpy as np, zarr
    >>> as_stored(zarr.create_array("a.zarr", data=np.eye(4))).shape
    (4, 4)
    >>> as_stored(np.eye(4)) is None
    True
    """
    if isinstance(value, StoredArray):
        return value
    path = _path_of(value)
    try:
        return open_array(path) if path else None
    except (OSError, ValueError):
        return None


def _path_of(value: Any) -> str:
    """Where it lies, as far as that is known; empty otherwise."""
    kind = type(value).__module__.partition(".")[0], type(value).__name__
    if kind == ("zarr", "Array"):
        folder = _folder_of(value.store)
        return f"{folder}/{value.path}".rstrip("/") if folder else ""
    if kind == ("h5py", "Dataset"):
        return f"{value.file.filename}/{value.name.strip('/')}"
    return ""


def _folder_of(store: Any) -> str:
    """Of a store of zarr, on this machine or in a bucket."""
    if hasattr(store, "root"):
        return str(store.root)
    protocol = getattr(getattr(store, "fs", None), "protocol", ())
    named = {protocol} if isinstance(protocol, str) else set(protocol)
    if named & {"file", "local"}:
        return str(store.path)
    kind = next((name for name in ("s3", "gs") if name in named), "")
    return f"{kind}://{store.path}" if kind else ""
