"""What is written of a task's blocks as they go: beside the ledger, if there is one.

``blocks.log`` has all that blocks print and each failed attempt, ``failures.log`` the latter alone,
and ``progress.txt`` how many blocks there are and how many are done.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

__all__ = ["TaskLog"]

_logger = logging.getLogger(__name__)

# How far a task is may be so old.
_PROGRESS_SECONDS = 10.0


class TaskLog:
    """Files about the blocks of one task.

    Parameters
    ----------
    path
        File for all of it; the others lie beside it.
    keeps_progress
        Whether it is said beside it, too, how far the task is.
    """

    def __init__(self, path: Path, keeps_progress: bool) -> None:
        self.path = path
        self.failures = path.with_name(path.name.replace("blocks.log", "failures.log"))
        self._progress = path.with_name("progress.txt") if keeps_progress else None
        self._due = 0.0
        self._failed = False

    def write(self, number: int, attempt: int, event: str, text: str, is_failure: bool) -> None:
        """Note what a block printed, or why an attempt of it failed."""
        head = f"{time.asctime()} block {number}, attempt {attempt}, {event}:"
        entry = f"{head}\n{text.rstrip()}\n\n"
        for path in [self.path, self.failures] if is_failure else [self.path]:
            self._try(partial(_append, path, entry))

    def say(self, blocks: int, done: int, failed: int, now: bool = False) -> None:
        """Say how far the task is, now and then."""
        if self._progress is None or (time.monotonic() < self._due and not now):
            return
        self._due = time.monotonic() + _PROGRESS_SECONDS
        who = f"process {os.getpid()} on {platform.node()}"
        text = f"{done} of {blocks} blocks are done, {failed} failed.\n{time.asctime()}, {who}\n"
        self._try(lambda: self._replace(text))

    def _replace(self, text: str) -> None:
        # A ledger of scratch is gone at the end.
        if self._progress is not None and self._progress.parent.exists():
            partial = self._progress.with_suffix(".partial")
            partial.write_text(text, "utf-8")
            partial.replace(self._progress)

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            # What became of the block is told at the end all the same.
            if not self._failed:
                _logger.warning("%s can't be written: %s.", self.path, error.strerror)
            self._failed = True


def _append(path: Path, entry: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as log:
        log.write(entry)
