"""A file that one run at a time keeps fresh, where the store has no locks: a lease.

Ages are told by the store's own clock, so that those of machines need not agree.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from .documents import store_error
from .object_stores import delete_object, find_object, put_object, read_object

__all__ = ["FileLease", "Lease", "ObjectLease", "Seen"]

_SETTLES_IN = 0.1


@dataclass(frozen=True)
class Seen:
    """What was found of a lease."""

    content: bytes
    # How long ago it was made or renewed.
    seconds: float
    # Another one as soon as it is renewed.
    version: Mapping[str, str]


class Lease(Protocol):
    """A file that is made, renewed and taken over only as long as nobody else did so."""

    def take(self, content: bytes, instead_of: Seen | None) -> bool:
        """Make it where there is none, or in place of what was seen, if that is there still."""
        ...

    def look(self) -> Seen | None:
        """What is there; None where there is nothing."""
        ...

    def renew(self, content: bytes) -> bool:
        """Make it fresh; whether it is held still."""
        ...

    def release(self) -> None:
        """Remove it, if it is held still."""
        ...


class ObjectLease:
    """An object of a bucket, put under conditions.

    Its content differs each time, but always has the key.
    """

    def __init__(self, location: str, name: str, key: bytes) -> None:
        self._at = location, name
        self._key = key
        self._held: Mapping[str, str] | None = None

    def take(self, content: bytes, instead_of: Seen | None) -> bool:
        """Put it under a condition."""
        self._held = self._put(content, instead_of.version if instead_of else None)
        return self._held is not None

    def look(self) -> Seen | None:
        """Ask for it, and for an object that is put just now."""
        found, content = find_object(*self._at), read_object(*self._at)
        if found is None or content is None:
            return None
        location, name = self._at
        now = f"{name}.{uuid4().hex}"
        put_object(location, now, b"", None)
        probe = find_object(location, now)
        delete_object(location, now)
        age = (probe.modified - found.modified).total_seconds() if probe else 0.0
        return Seen(content, max(age, 0.0), found.version)

    def renew(self, content: bytes) -> bool:
        """Put it in place of what this one put last."""
        if self._held is not None:
            self._held = self._put(content, self._held)
        return self._held is not None

    def release(self) -> None:
        """Delete it."""
        if self._held is not None and self._own() is not None:
            delete_object(*self._at)
        self._held = None

    def _put(
        self, content: bytes, instead_of: Mapping[str, str] | None
    ) -> Mapping[str, str] | None:
        put = put_object(*self._at, content, instead_of)
        # Where an answer is lost it is asked again, and the first time may have done it.
        return self._own() if put is None else put

    def _own(self) -> Mapping[str, str] | None:
        """The version that is there, if this one put it."""
        found, content = find_object(*self._at), read_object(*self._at)
        return found.version if found and content and self._key in content else None


class FileLease:
    """A local file that one run makes, and renews by setting its time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._held: int | None = None

    def take(self, content: bytes, instead_of: Seen | None) -> bool:
        """Make it where there is none."""
        try:
            if instead_of is not None and not self._moved_away(instead_of):
                return False
            self._held = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            os.write(self._held, content)
            # Another that saw a dead one's file in its place may have moved this one by now.
            time.sleep(_SETTLES_IN)
            return self.renew(content)
        except FileExistsError:
            return False
        except FileNotFoundError:
            raise
        except OSError as error:
            raise store_error(str(self._file), "written", error) from error

    def look(self) -> Seen | None:
        """Read it, and compare its time with that of a file that is made just now."""
        now = self._beside()
        try:
            content, told = self._file.read_bytes(), self._file.stat()
            now.touch()
            age = now.stat().st_mtime - told.st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            raise store_error(str(self._file), "read", error) from error
        finally:
            now.unlink(missing_ok=True)
        return Seen(content, max(age, 0.0), _version(told))

    def renew(self, content: bytes) -> bool:
        """Set the time of this very file, whatever lies in its place by now."""
        if self._held is not None:
            os.utime(self._held)
            if not self._is_own():
                self._close()
        return self._held is not None

    def release(self) -> None:
        """Remove it."""
        if self._is_own():
            self._file.unlink(missing_ok=True)
        self._close()

    def _beside(self) -> Path:
        return self._file.with_name(f"{self._file.name}.{uuid4().hex}")

    def _moved_away(self, seen: Seen) -> bool:
        """Whether what was seen is gone: only one can move it, and what is fresh comes back."""
        moved = self._beside()
        try:
            if _version(self._file.stat()) != seen.version:
                return False
            self._file.rename(moved)
        except FileNotFoundError:
            return True
        fresh = _version(moved.stat()) != seen.version
        if fresh and not self._file.exists():
            moved.rename(self._file)
        moved.unlink(missing_ok=True)
        return not fresh

    def _is_own(self) -> bool:
        if self._held is None:
            return False
        try:
            return os.path.samestat(self._file.stat(), os.fstat(self._held))
        except FileNotFoundError:
            return False

    def _close(self) -> None:
        if self._held is not None:
            os.close(self._held)
        self._held = None


def _version(told: os.stat_result) -> dict[str, str]:
    return {"inode": str(told.st_ino), "time": str(told.st_mtime_ns)}
