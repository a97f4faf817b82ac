"""Where a ledger keeps its header and its marks: a folder, or objects in the cloud."""

from __future__ import annotations

import os
import threading
import time
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

from ..storage.documents import list_names, put, read_bytes, remove_documents
from ..storage.file_locks import unlock
from ..storage.location import is_remote, location_of

try:
    import fcntl
except ImportError:  # Windows has no flock; a second writer goes unnoticed there
    fcntl = None  # type: ignore[assignment]

__all__ = ["MarkFiles", "mark_files", "read_header", "read_marks"]

_HEADER = "task.json"
_MARKS = "done.bin"
_PART_SECONDS = 10.0


class MarkFiles(Protocol):
    """What a ledger needs of the place where it lies."""

    def write_header(self, header: str) -> None:
        """Write it, in place of what is there."""

    def append(self, marks: bytes) -> None:
        """Add marks to those that are there."""

    def clear(self) -> None:
        """Throw marks away, and then the header."""

    def close(self) -> None:
        """Bring every mark to the disk."""


def mark_files(path: str, size: int) -> MarkFiles:
    """Open a ledger for writing.

    Parameters
    ----------
    path : str
    size : int
        Bytes of a mark: a torn one at the end is cut off, so that later ones stay aligned.

    Raises
    ------
    BlockingIOError
        If another run is writing to the same local ledger.
    """
    return _Parts(path) if is_remote(path) else _Folder(path, size)


def read_header(path: str) -> str:
    """A ledger's header; empty where there is none."""
    return read_bytes(location_of(path), _HEADER).decode(errors="replace")


def read_marks(path: str, size: int) -> bytes:
    """All whole marks of a ledger, of so many bytes each."""
    root = location_of(path)
    if is_remote(path):
        parts = [read_bytes(root, name) for name in _parts_in(root)]
    else:
        file = Path(root) / _MARKS
        parts = [file.read_bytes()] if file.exists() else []
    return b"".join(part[: len(part) // size * size] for part in parts)


def _parts_in(root: str) -> list[str]:
    """Names of the files with marks, in the order in which they were written."""
    return [name for name in list_names(root) if name.startswith("done-")]


class _Folder:
    """A directory with a header and one file that grows by appending."""

    def __init__(self, path: str, size: int) -> None:
        directory = Path(path)
        directory.mkdir(parents=True, exist_ok=True)
        self._header = directory / _HEADER
        with ExitStack() as on_error:
            self._file = on_error.enter_context((directory / _MARKS).open("ab", buffering=0))
            _lock(self._file.fileno(), path)
            self._file.truncate(os.fstat(self._file.fileno()).st_size // size * size)
            on_error.pop_all()

    def write_header(self, header: str) -> None:
        partial = self._header.with_suffix(".partial")
        partial.write_text(header)
        partial.replace(self._header)

    def append(self, marks: bytes) -> None:
        self._file.write(marks)

    def clear(self) -> None:
        self._file.truncate(0)
        self._header.unlink(missing_ok=True)

    def close(self) -> None:
        try:
            os.fsync(self._file.fileno())
        finally:
            unlock(self._file)
            self._file.close()


class _Parts:
    """An object store, which cannot append: marks are gathered and written as whole files."""

    def __init__(self, path: str) -> None:
        self._root = location_of(path)
        self._pending = bytearray()
        # The first are written at once: whoever kills the run early loses little.
        self._due = time.monotonic()
        self._turn = threading.RLock()
        self._timer: threading.Timer | None = None

    def write_header(self, header: str) -> None:
        put(self._root, _HEADER, header.encode())

    def append(self, marks: bytes) -> None:
        with self._turn:
            self._pending += marks
            seconds = self._due - time.monotonic()
            if seconds <= 0:
                self._flush()
            elif self._timer is None:
                # The next block may take hours.
                self._timer = threading.Timer(seconds, self._flush_late)
                self._timer.daemon = True
                self._timer.start()

    def clear(self) -> None:
        with self._turn:
            self._stop_timer()
            self._pending.clear()
            remove_documents(self._root, _parts_in(self._root))
            remove_documents(self._root, [_HEADER])

    def close(self) -> None:
        with self._turn:
            self._stop_timer()
            self._flush_what_vouches()

    def _flush_late(self) -> None:
        with self._turn:
            if self._timer is threading.current_thread():
                self._timer = None
                # What can't be written now is told of with the next marks.
                with suppress(OSError):
                    self._flush_what_vouches()

    def _flush_what_vouches(self) -> None:
        # Without a header, the array that they vouch for has been removed meanwhile.
        if self._pending and read_bytes(self._root, _HEADER):
            self._flush()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _flush(self) -> None:
        self._stop_timer()
        if self._pending:
            name = f"done-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.bin"
            put(self._root, name, bytes(self._pending))
            self._pending.clear()
        self._due = time.monotonic() + _PART_SECONDS


def _lock(file: int, path: str) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(
            f"Another run is writing to the ledger {path!r}: two runs must not write the same "
            "output. Wait for the other run to end or stop it."
        ) from None
    except OSError:
        return  # some network file systems have no locks
