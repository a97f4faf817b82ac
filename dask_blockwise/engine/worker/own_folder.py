"""A folder of this user in the machine's temporary one, where nobody else can put anything."""

from __future__ import annotations

import getpass
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from urllib.parse import quote

__all__ = ["own_folder"]

# Other users may have taken the first.
_NAMES_TRIED = 8
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def own_folder() -> Path:
    """The folder, the same in all processes of the user that have the same temporary folder.

    What another user has put at its name is passed over, be it a folder or a link to one.

    Raises
    ------
    OSError
        If there is no temporary folder that can be written.
    """
    top = tempfile.gettempdir()
    return next(filter(_is_own, _candidates(top)), None) or _fresh(top)


def _candidates(top: str) -> Iterator[Path]:
    folder = _prefix()
    yield Path(top, folder)
    for number in range(2, _NAMES_TRIED + 1):
        yield Path(top, f"{folder}-{number}")


def _prefix() -> str:
    user = os.geteuid() if hasattr(os, "geteuid") else quote(getpass.getuser(), safe="")
    return f"dask-blockwise-{user}"


def _is_own(folder: Path) -> bool:
    """Whether it is made now, or was made by this user."""
    # Whoever writes to one that could not be made is told why.
    with suppress(OSError):
        folder.mkdir(mode=stat.S_IRWXU)
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return True
    # Windows knows neither; there, the temporary folder is the user's own.
    private = not hasattr(os, "geteuid") or (
        found.st_uid == os.geteuid() and not found.st_mode & _WRITABLE_BY_OTHERS
    )
    return stat.S_ISDIR(found.st_mode) and private


@cache
def _fresh(top: str) -> Path:
    """One that other processes don't find, where every name is taken."""
    return Path(tempfile.mkdtemp(prefix=f"{_prefix()}-", dir=top))
