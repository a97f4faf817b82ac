"""Which blocks of a task are done: an append-only file that the driver alone writes.

Each mark is 16 bytes: the block's number, and the number combined with a key made of the task's
parameters. So a torn or foreign mark is recognised and costs only its own block.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..geometry.blocks import BlockGrid
from ..storage.documents import list_names, put, read_bytes, remove_all
from ..storage.location import is_remote, location_of

try:
    import fcntl
except ImportError:  # Windows has no flock; a second writer goes unnoticed there
    fcntl = None  # type: ignore[assignment]

__all__ = ["Ledger", "holds"]

_MARK = np.dtype([("number", "<u8"), ("check", "<u8")])
_HEADER = "task.json"
_PART_SECONDS = 10.0


class Ledger:
    """The finished blocks of one task.

    Parameters
    ----------
    path
        Directory of the ledger, made when missing: a local path, or s3:// or gs://
        (there, marks are gathered and written as one small file every ten seconds).
    grid
        The task's tiling.
    fingerprint
        Whatever else the blocks' content depends on, as a short string.
    resume
        Whether to go on with the marks found there; otherwise they are thrown away.

    Raises
    ------
    ValueError
        If the ledger found there was written with another tiling or fingerprint.
    BlockingIOError
        If another run is writing to the same local ledger.

    Examples
    --------
    >>> from dask_blockwise.geometry.blocks import Roi
    >>> grid = BlockGrid(Roi((0,), (40,)), Roi((0,), (10,)), Roi((0,), (10,)))
    >>> ledger = Ledger("volume.ledger", grid, "threshold=0.5")
    >>> ledger.add([0, 2])
    >>> ledger.close()
    >>> again = Ledger("volume.ledger", grid, "threshold=0.5")
    >>> again.done
    array([ True, False,  True, False])
    >>> again.close()
    """

    def __init__(
        self, path: str, grid: BlockGrid, fingerprint: str = "", resume: bool = True
    ) -> None:
        self.path = path
        self._parameters: dict[str, object] = {"tiling": _tiling(grid), "fingerprint": fingerprint}
        self._key = np.uint64(int.from_bytes(_digest(self._parameters), "little"))
        self._log = _open_log(path)
        with ExitStack() as on_error:
            on_error.callback(self._log.close)
            if not resume:
                self._log.clear()
            _check_parameters(path, self._log.header(), self._parameters)
            self.done = self._read(len(grid))
            self._log.write_header(json.dumps(self._parameters, indent=1))
            on_error.pop_all()

    def add(self, numbers: Iterable[int]) -> None:
        """Mark blocks as done."""
        marks = np.fromiter(numbers, np.uint64)
        self.done[marks.astype(np.intp)] = True
        self._log.append(np.rec.fromarrays([marks, marks ^ self._key], _MARK).tobytes())

    def close(self) -> None:
        """Bring every mark to the disk."""
        self._log.close()

    def _read(self, blocks: int) -> npt.NDArray[np.bool_]:
        done = np.zeros(blocks, bool)
        content = self._log.read()
        marks = np.frombuffer(content, _MARK, len(content) // _MARK.itemsize)
        sound = (marks["number"] ^ self._key == marks["check"]) & (marks["number"] < blocks)
        done[marks["number"][sound].astype(np.intp)] = True
        return done


class _Log(Protocol):
    """Where a ledger keeps its header and its marks."""

    def header(self) -> str: ...
    def write_header(self, header: str) -> None: ...
    def read(self) -> bytes: ...
    def append(self, marks: bytes) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...


class _LocalLog:
    """A directory with a header and one file that grows by appending."""

    def __init__(self, path: str) -> None:
        directory = Path(path)
        directory.mkdir(parents=True, exist_ok=True)
        self._header = directory / _HEADER
        self._marks = directory / "done.bin"
        with ExitStack() as on_error:
            self._file = on_error.enter_context(self._marks.open("ab", buffering=0))
            _lock(self._file.fileno(), path)
            on_error.pop_all()

    def header(self) -> str:
        return self._header.read_text(errors="replace") if self._header.exists() else ""

    def write_header(self, header: str) -> None:
        partial = self._header.with_suffix(".partial")
        partial.write_text(header)
        partial.replace(self._header)

    def read(self) -> bytes:
        """All whole marks; a torn one at the end is cut off, so that later ones stay aligned."""
        self._file.truncate(self._marks.stat().st_size // _MARK.itemsize * _MARK.itemsize)
        return self._marks.read_bytes()

    def append(self, marks: bytes) -> None:
        self._file.write(marks)

    def clear(self) -> None:
        self._file.truncate(0)
        self._header.unlink(missing_ok=True)

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


class _PartsLog:
    """An object store, which cannot append: marks are gathered and written as whole files."""

    def __init__(self, path: str) -> None:
        self._root = location_of(path)
        self._pending = bytearray()
        self._due = time.monotonic() + _PART_SECONDS

    def header(self) -> str:
        return read_bytes(self._root, _HEADER).decode(errors="replace")

    def write_header(self, header: str) -> None:
        put(self._root, _HEADER, header.encode())

    def read(self) -> bytes:
        names = (name for name in list_names(self._root) if name.startswith("done-"))
        parts = (read_bytes(self._root, name) for name in names)
        return b"".join(part[: len(part) // _MARK.itemsize * _MARK.itemsize] for part in parts)

    def append(self, marks: bytes) -> None:
        self._pending += marks
        if time.monotonic() > self._due:
            self._flush()

    def clear(self) -> None:
        remove_all(self._root)

    def close(self) -> None:
        self._flush()

    def _flush(self) -> None:
        if self._pending:
            name = f"done-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.bin"
            put(self._root, name, bytes(self._pending))
            self._pending.clear()
        self._due = time.monotonic() + _PART_SECONDS


def _open_log(path: str) -> _Log:
    return _PartsLog(path) if is_remote(path) else _LocalLog(path)


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


def _tiling(grid: BlockGrid) -> list[object]:
    rois = (grid.total_roi, grid.read_roi, grid.write_roi)
    return [grid.fit, *([list(map(int, roi.begin)), list(map(int, roi.shape))] for roi in rois)]


def _digest(parameters: object) -> bytes:
    return blake2b(json.dumps(parameters, sort_keys=True).encode(), digest_size=8).digest()


def _check_parameters(path: str, header: str, parameters: dict[str, object]) -> None:
    """Refuse marks of other parameters; a torn header is no matter, since marks carry the key."""
    try:
        found = json.loads(header)
    except ValueError:
        return
    if found != parameters:
        changed = [name for name in parameters if found.get(name) != parameters[name]]
        raise ValueError(
            f"The ledger {path!r} belongs to blocks made with other parameters "
            f"({' and '.join(changed)} differ: {[found.get(name) for name in changed]} there, "
            f"{[parameters[name] for name in changed]} now), so its blocks cannot be reused. Pass "
            "resume=False to compute all blocks anew, or write to another output."
        )


def holds(path: str, fingerprint: str) -> bool:
    """Whether a ledger lies at a path that was written with a fingerprint.

    Parameters
    ----------
    path : str
    fingerprint : str

    Returns
    -------
    bool
    """
    try:
        header = json.loads(read_bytes(location_of(path), _HEADER))
    except ValueError:
        return False
    return bool(header.get("fingerprint") == fingerprint)
