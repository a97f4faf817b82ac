"""A file that says that a worker runs, or ran, on this machine; locked while its process lives.

A lock says whether a process lives without its id, which means another process in another
container, and sooner or later on the same machine too.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # On Windows, what is open can't be removed.
    fcntl = None  # type: ignore[assignment]

__all__ = ["Presence", "is_gone"]


class Presence:
    """The presence of this process, as long as it isn't ended.

    Parameters
    ----------
    path
        Says where the file is to lie.
    """

    def __init__(self, path: Callable[[], Path]) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._turn = threading.Lock()

    def mark(self) -> Path:
        """Say that the process lives, even if somebody has swept the temporary directory."""
        path = self._path()
        with self._turn:
            if self._file is None or not path.exists():
                self._close()
                self._file = _locked(path)
        path.touch()
        return path

    def end(self) -> None:
        """Say it no longer."""
        with self._turn:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def is_gone(presence: Path) -> bool:
    """Whether the process that made a file is known to have ended.

    It isn't known of one on another machine, with which this one may share the folder, nor where
    files have no locks.
    """
    if fcntl is None:
        presence.unlink()
        return True
    with presence.open("r+b") as file:
        # Nothing is in it where the disk was full.
        if file.read() not in (b"", _machine()):
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _locked(path: Path) -> IO[bytes]:
    """The file, new, as long as it is open."""
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as on_error:
        file = on_error.enter_context(path.open("w+b", buffering=0))
        if fcntl is not None:
            # Some file systems have no locks.
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        file.write(_machine())
        on_error.pop_all()
    return file


@cache
def _machine() -> bytes:
    """What tells a machine that is on from any other: locks reach no further."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{platform.node()} {boot.read_text() if boot.exists() else ''}".encode()
