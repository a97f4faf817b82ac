"""Files of numpy.save, of which only what is asked for is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .registry import register
from .single_file import FileArray, is_file

__all__ = ["Npy"]


@dataclass(frozen=True)
class Npy:
    """Single arrays without metadata."""

    name = title = "npy"
    noticed_by = ("*.npy",)

    def find(self, location: str) -> Mapping[str, Any] | None:
        """No attributes, where there is such a file."""
        return {} if is_file(location, (".npy",)) else None

    def open(self, location: str, rechecks: bool) -> FileArray:
        """Map it into memory; one that holds Python objects is refused, since it runs code."""
        try:
            values = np.load(location, mmap_mode="r", allow_pickle=False)
        except (EOFError, ValueError) as error:
            raise ValueError(
                f"{str(error).rstrip('.')}. It is cut off, holds Python objects, or wasn't written "
                "by numpy.save: write it anew"
            ) from error
        return FileArray.of(values)


register(Npy())
