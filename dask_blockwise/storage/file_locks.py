"""Locks of files, which end with the process that holds them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .documents import store_error

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]

__all__ = ["FileLock", "NoLocks", "alone", "processes_with", "shared", "unlock"]

# Between looks whether those who share a file have let go.
_LOOK_SECONDS = 0.02


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


@contextmanager
def shared(path: Path) -> Iterator[tuple[bytes | None, bool]]:
    """What a file holds; None where there is none. Nobody may change it in the body.

    The second is whether that is so: not where there are no locks, or no file.
    """
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        yield None, False
        return
    with file, _unlocked_after(file):
        try:
            # What a network file system has cached of it is forgotten with the lock.
            _flock(file.fileno(), exclusive=False)
            is_locked = True
        except NoLocks:
            is_locked = False
        yield file.read(), is_locked


@contextmanager
def alone(path: Path, seconds: float) -> Iterator[IO[bytes]]:
    """A file that nobody shares within the body, made when missing, to be read and written.

    Raises
    ------
    TimeoutError
        If others share it for so long.
    NoLocks
        If there are no locks.
    OSError
        If the file can't be written.
    """
    end = time.monotonic() + seconds
    opened = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
    with opened as file, _unlocked_after(file):
        while True:
            try:
                _flock(file.fileno())
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(f"{path} is still held by others.") from None
            time.sleep(_LOOK_SECONDS)
        yield file


def processes_with(path: Path) -> list[int]:
    """Ids of the processes of this machine that have a file locked, as far as can be told."""
    found: set[int] = set()
    with suppress(OSError, ValueError):
        told = path.stat()
        file = f"{os.major(told.st_dev):02x}:{os.minor(told.st_dev):02x}:{told.st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if file in fields:
                found.add(int(fields[fields.index(file) - 1]))
    return sorted(one for one in found if one > 0)


def _opened(path: Path) -> tuple[int, bool]:
    """A descriptor of the file, and whether the file was made for it."""
    try:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            return os.open(path, os.O_RDWR), False
    except OSError as error:
        raise store_error(str(path), "written", error) from error


def unlock(file: IO[bytes]) -> None:
    """Let go of a file, which processes that were forked meanwhile may have open still."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def _unlocked_after(file: IO[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        unlock(file)


def _flock(descriptor: int, exclusive: bool = True) -> None:
    """Lock a file for oneself, if that can be at once, or wait to share it."""
    if fcntl is None:
        raise NoLocks
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
    except BlockingIOError:
        raise
    except OSError as error:
        raise NoLocks from error
