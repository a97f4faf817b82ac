"""How a run goes, for people who look on."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from tqdm.auto import tqdm

__all__ = ["Bar", "open_bar"]

_SECONDS_A_LINE = 30.0


class Bar(Protocol):
    """Shows how far a task is."""

    def update(self, blocks: int, failed: int, retries: int) -> None:
        """So many more blocks are done; so many failed and were retried in all."""

    def close(self) -> None:
        """Nothing more will come."""


def open_bar(title: str, blocks: int, done: int, shown: bool) -> Bar:
    """A bar in a terminal or notebook, now and then a line elsewhere, or nothing."""
    if not shown:
        return _NoBar()
    if sys.stderr.isatty() or "ipykernel" in sys.modules:
        return _LiveBar(title, blocks, done)
    return _Lines(title, blocks, done)


class _NoBar:
    def update(self, blocks: int, failed: int, retries: int) -> None:
        pass

    def close(self) -> None:
        pass


class _LiveBar:
    def __init__(self, title: str, blocks: int, done: int) -> None:
        self._bar = tqdm(total=blocks, initial=done, desc=title, unit="block")

    def update(self, blocks: int, failed: int, retries: int) -> None:
        if failed or retries:
            self._bar.set_postfix(failed=failed, retries=retries, refresh=False)
        self._bar.update(blocks)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, title: str, blocks: int, done: int) -> None:
        self._title, self._blocks, self._done, self._before = title, blocks, done, done
        self._begin = time.monotonic()
        self._due = self._begin + _SECONDS_A_LINE
        self._faults = ""

    def update(self, blocks: int, failed: int, retries: int) -> None:
        self._done += blocks
        self._faults = f", {failed} failed, {retries} retries" if failed or retries else ""
        if time.monotonic() > self._due:
            self._write()

    def close(self) -> None:
        self._write()

    def _write(self) -> None:
        now = time.monotonic()
        rate = (self._done - self._before) / max(now - self._begin, 1e-9)
        left = f", {(self._blocks - self._done) / rate:.0f} s left" if rate else ""
        done = f"{self._title}: {self._done} of {self._blocks} blocks"
        sys.stderr.write(f"{done}{self._faults}, {rate:.3g} blocks/s{left}\n")
        self._due = now + _SECONDS_A_LINE
