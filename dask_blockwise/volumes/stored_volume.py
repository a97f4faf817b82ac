"""The volume of an array in a store, as it is asked for."""

from __future__ import annotations

import os

from .stored_frame import OpenOptions, stored_frame
from .volume import Volume

__all__ = ["stored_volume"]


def stored_volume(path: str | os.PathLike[str], options: OpenOptions) -> Volume:
    """Open an array, or the first level of an image, as a volume."""
    return Volume(*stored_frame(path, options))
