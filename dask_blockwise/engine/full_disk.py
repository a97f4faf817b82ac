"""A disk that is full where the driver writes: which one it is, and how to go on."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..storage.documents import store_error

__all__ = ["full_disk_named"]

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def full_disk_named(places: Sequence[Path]) -> Iterator[None]:
    """Within the body, an error of a full disk says which of some places it befell.

    The system names no file where a write fails, as that has no more than a descriptor.

    Parameters
    ----------
    places
        Files or folders that the body writes to; they need not be there.
    """
    try:
        yield
    except OSError as error:
        # Others have been told where they arose.
        if error.errno not in _FULL or error.strerror != os.strerror(error.errno):
            raise
        place = error.filename or min(places, key=_bytes_free, default="the temporary folder")
        raise store_error(str(place), "written", error) from error


def _bytes_free(place: Path) -> int:
    folder = next(path for path in (place, *place.absolute().parents) if path.exists())
    return shutil.disk_usage(folder).free
