"""What blocks print: stdout and stderr of their process go to a file while they run."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

__all__ = ["captured", "unbuffer"]

_STREAMS = (1, 2)


class _Output:
    """Where the process's stdout and stderr go: the file that was given last and not yet ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: list[int] = []
        self._own: tuple[int, ...] = ()

    def begin(self, file: int) -> None:
        with self._lock:
            if not self._files:
                self._own = tuple(map(os.dup, _STREAMS))
            self._files.append(file)
            self._point([file, file])

    def end(self, file: int) -> None:
        with self._lock:
            self._files.remove(file)
            if self._files:
                self._point([self._files[-1], self._files[-1]])
                return
            self._point(self._own)
            for own in self._own:
                os.close(own)

    def _point(self, targets: Sequence[int]) -> None:
        for target, stream in zip(targets, _STREAMS):
            os.dup2(target, stream)


_output = _Output()


@contextmanager
def captured(file: int) -> Iterator[None]:
    """Let what this process prints go to a file, also that of compiled code and child processes.

    Where threads run blocks side by side, it goes to the file of the one that began last.

    Parameters
    ----------
    file
        Descriptor of a file that is open for appending.
    """
    _output.begin(file)
    try:
        yield
    finally:
        _output.end(file)


@cache
def unbuffer() -> None:
    """Let Python's own streams reach their descriptors at once, as ``python -u`` does.

    What a block printed is then kept even if its process is killed.
    """
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.FileIO(stream, "w", closefd=False),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )
        for stream in _STREAMS
    )
