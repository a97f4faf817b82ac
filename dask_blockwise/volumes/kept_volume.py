"""The volume that an output is of, kept beside its marks so that it can be computed again."""

from __future__ import annotations

import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from ..storage.documents import put, read_bytes
from ..storage.location import location_of, on_disk
from .kinds import InMemory
from .options import StoreOptions
from .source import Voxels

__all__ = ["has_volume", "keep_volume", "kept_volume"]

_NAME = "volume.pickle"
# What is larger holds an array in memory, which is better stored.
_LARGEST = 64 << 20


def keep_volume(ledger: str, volume: Voxels, options: StoreOptions) -> None:
    """Keep a volume, and how it is stored, beside the marks of its blocks, if it is small."""
    with suppress(OSError):  # A run goes on without; a full disk is told of where blocks meet it.
        put(location_of(ledger), _NAME, _pickled(volume, options))


def _pickled(volume: Voxels, options: StoreOptions) -> bytes:
    """The volume, or why it isn't kept."""
    if _bytes_in_memory(volume) <= _LARGEST:
        try:
            content = bytes(cloudpickle.dumps((volume, options)))
        except Exception as error:
            return pickle.dumps(f"it can't be pickled ({error})")
        if len(content) <= _LARGEST:
            return content
    return pickle.dumps("it holds an array, or a network, in memory: store that first")


def _bytes_in_memory(volume: Voxels) -> int:
    source = volume.source
    if isinstance(source, InMemory):
        return int(source.array.nbytes) if isinstance(source.array, np.ndarray) else 0
    return sum(map(_bytes_in_memory, source.inputs))


def has_volume(ledger: str) -> bool:
    """Whether one was kept, or why none is."""
    return bool(read_bytes(location_of(ledger), _NAME))


def kept_volume(path: str, ledger: str, trust: bool) -> tuple[Any, StoreOptions]:
    """The volume that was kept, and how it was stored.

    Raises
    ------
    FileNotFoundError
        If none is there.
    PermissionError
        If it belongs to somebody else, and isn't trusted.
    ValueError
        If it wasn't kept, or its code can't be imported.
    """
    content = read_bytes(location_of(ledger), _NAME)
    if not content:
        raise FileNotFoundError(
            f"{path} doesn't hold the volume that it was computed from: it was not stored by "
            "to_zarr, or by an earlier version. Make the volume anew and store it there."
        )
    if not trust and not _is_own(ledger):
        raise PermissionError(
            f"To know what {path} was computed by, code that it brings must be run, and it belongs "
            "to somebody else: pass trust=True if you trust whoever made it."
        )
    try:
        kept = pickle.loads(content)
    except Exception as error:
        raise ValueError(
            f"The volume that {path} was computed from can't be loaded here "
            f"({type(error).__name__}: {error}): its code must be importable."
        ) from error
    if isinstance(kept, str):
        raise ValueError(f"The volume that {path} was computed from was not kept: {kept}.")
    volume, options = kept
    return volume, options


def _is_own(ledger: str) -> bool:
    if not on_disk(ledger):
        return False
    file = Path(location_of(ledger)) / _NAME
    return not hasattr(os, "getuid") or file.stat().st_uid == os.getuid()
