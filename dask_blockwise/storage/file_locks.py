"""Locks of files, which end with the process that holds them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .documents import store_error

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]

__all__ = ["FileLock", "NoLocks"]


class NoLocks(Exception):
    """The file system, or the operating system, has no locks."""


@dataclass(frozen=True)
class FileLock:
    """A lock that this process holds, by a file that is there for as long."""

    path: Path
    descriptor: int

    @classmethod
    def take(cls, path: Path) -> FileLock:
        """Lock a file, which is made when missing; its folder must be there.

        Raises
        ------
        BlockingIOError
            If another holds it.
        NoLocks
            If there are no locks.
        FileNotFoundError
            If its folder isn't there, or its holder removed it just now: ask again.
        OSError
            If the file can't be written.
        """
        while True:
            descriptor, is_new = _opened(path)
            try:
                _flock(descriptor)
            except (BlockingIOError, NoLocks) as error:
                os.close(descriptor)
                if isinstance(error, NoLocks) and is_new:
                    path.unlink(missing_ok=True)
                raise
            lock = cls(path, descriptor)
            if lock.is_held:
                return lock
            # Its last holder has just removed it.
            os.close(descriptor)

    @property
    def is_held(self) -> bool:
        """Whether the file is still in its place."""
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self.descriptor))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Remove the file while nobody else can have it, and let go."""
        if self.is_held:
            self.path.unlink()
        os.close(self.descriptor)


def _opened(path: Path) -> tuple[int, bool]:
    """A descriptor of the file, and whether the file was made for it."""
    try:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            return os.open(path, os.O_RDWR), False
    except OSError as error:
        raise store_error(str(path), "written", error) from error


def _flock(descriptor: int) -> None:
    if fcntl is None:
        raise NoLocks
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        raise NoLocks from error
