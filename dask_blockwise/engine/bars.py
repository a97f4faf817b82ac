"""How far each task of a run is, as it goes: bars in a terminal or notebook, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

from tqdm.auto import tqdm

__all__ = ["Bar", "open_bar"]

# A line a minute, or a tenth of the blocks.
_SECONDS_A_LINE = 60.0
_LINES = 10
_BAR = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} blocks{postfix}"
# More than that many letters of a title aren't waited for by others.
_WIDEST = 40


class Bar(Protocol):
    """Shows how far a task is."""

    @property
    def is_over(self) -> bool:
        """Whether each of the task's blocks is done, or has failed."""

    def update(self, blocks: int, failed: int, retries: int, empty: int = 0) -> None:
        """So many more blocks are done; so many failed, were retried and were empty in all."""

    def wait(self, why: str, is_idle: bool) -> None:
        """What more workers wait for, empty if for nothing; whether there is none to run blocks."""

    def close(self) -> None:
        """Nothing more will come."""


def open_bar(
    title: str,
    blocks: int,
    done: int,
    shown: bool,
    upstream: Sequence[Bar] = (),
    beside: Sequence[str] = (),
) -> Bar:
    """A bar in a terminal or notebook, now and then a line elsewhere, or nothing.

    Parameters
    ----------
    title
        What the task is called.
    blocks, done
        How many it has, and how many of them are done.
    shown
        Whether to show anything.
    upstream
        Those of the tasks that it reads from. Until they are over, its rate is theirs, and what is
        left can't be told from it.
    beside
        Titles of all bars that are shown together: they begin at the same place.
    """
    count = _Count(title, blocks, done, upstream)
    if not shown:
        return _NoBar(count)
    if sys.stderr.isatty() or _in_a_notebook():
        return _LiveBar(count, min(_WIDEST, max(map(len, (title, *beside)))))
    return _Lines(count)


def _in_a_notebook() -> bool:
    """Whether this is a notebook's kernel: other programs may have imported `ipykernel` too."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


class _Count:
    """Blocks of a task, and since when they tell its own rate."""

    def __init__(self, title: str, blocks: int, done: int, upstream: Sequence[Bar]) -> None:
        self.title, self.blocks, self.done, self.failed = title, blocks, done, 0
        self.beside = self._waiting = ""
        self._upstream = list(upstream)
        self._restart()

    @property
    def is_over(self) -> bool:
        return self.done + self.failed >= self.blocks

    @property
    def waits(self) -> bool:
        """Whether it waits for other tasks."""
        return bool(self._upstream)

    @property
    def held_up(self) -> str:
        """What holds it up, beside other tasks."""
        return "" if self.waits or self.is_over else self._waiting

    @property
    def rate(self) -> float:
        """Blocks a second since it has waited for none, neither tasks nor workers."""
        return (self.done - self._before) / max(time.monotonic() - self._begin, 1e-9)

    @property
    def told(self) -> Sequence[str]:
        """What is said beside how many blocks are done."""
        return [said for said in (self.beside, _pace(self), self.held_up) if said]

    def add(self, blocks: int, failed: int, retries: int, empty: int = 0) -> None:
        """Count more blocks."""
        self.done, self.failed = self.done + blocks, failed
        faults = f"{failed} failed, {retries} retries" if failed or retries else ""
        self.beside = ", ".join(filter(None, (f"{empty} empty" if empty else "", faults)))
        if self._upstream:
            self._upstream = [bar for bar in self._upstream if not bar.is_over]
            self._restart()

    def wait(self, why: str, is_idle: bool) -> bool:
        """Note what workers wait for; whether that is news."""
        is_news = why != self._waiting
        self._waiting = why
        if is_idle:
            self._restart()
        return is_news

    def _restart(self) -> None:
        self._begin, self._before = time.monotonic(), self.done


class _NoBar:
    def __init__(self, count: _Count) -> None:
        self._count = count

    @property
    def is_over(self) -> bool:
        return self._count.is_over

    def update(self, blocks: int, failed: int, retries: int, empty: int = 0) -> None:
        self._count.add(blocks, failed, retries, empty)

    def wait(self, why: str, is_idle: bool) -> None:
        pass

    def close(self) -> None:
        pass


class _LiveBar:
    def __init__(self, count: _Count, width: int) -> None:
        self._count = count
        self._bar = tqdm(
            total=count.blocks,
            initial=count.done,
            desc=f"{count.title}:".ljust(width + 1),
            bar_format=_BAR,
            postfix=", ".join(count.told),
        )
        _align(self._bar, width)

    @property
    def is_over(self) -> bool:
        return self._count.is_over

    def update(self, blocks: int, failed: int, retries: int, empty: int = 0) -> None:
        self._count.add(blocks, failed, retries, empty)
        self._note()
        self._bar.update(blocks)

    def wait(self, why: str, is_idle: bool) -> None:
        if self._count.wait(why, is_idle):
            self._note()
            self._bar.refresh()

    def close(self) -> None:
        self._note()
        self._bar.close()

    def _note(self) -> None:
        self._bar.set_postfix_str(", ".join(self._count.told), refresh=False)


def _align(bar: Any, width: int) -> None:
    """Have bars begin at the same place in a notebook too, whose letters differ in width."""
    if (box := getattr(bar, "container", None)) is not None:
        box.children[0].layout.width = f"{width + len(': 100%')}ch"


class _Lines:
    def __init__(self, count: _Count) -> None:
        self._count = count
        self._plan()

    @property
    def is_over(self) -> bool:
        return self._count.is_over

    def update(self, blocks: int, failed: int, retries: int, empty: int = 0) -> None:
        count = self._count
        count.add(blocks, failed, retries, empty)
        if count.is_over or count.done >= self._due_blocks or time.monotonic() > self._due:
            self._write()

    def wait(self, why: str, is_idle: bool) -> None:
        # Where blocks go on, the next line says it.
        if self._count.wait(why, is_idle) and is_idle and self._count.held_up:
            self._write()

    def close(self) -> None:
        if self._count.done != self._written:
            self._write()

    def _plan(self) -> None:
        self._due = time.monotonic() + _SECONDS_A_LINE
        self._due_blocks = self._count.done + max(1, -(-self._count.blocks // _LINES))
        self._written = self._count.done

    def _write(self) -> None:
        count = self._count
        done = f"{count.title}: {count.done} of {count.blocks} blocks"
        sys.stderr.write(f"{', '.join((done, *count.told))}\n")
        self._plan()


def _pace(count: _Count) -> str:
    if count.waits:
        return "waits for others"
    if count.done >= count.blocks or not count.rate:
        return ""
    left = (count.blocks - count.done) / count.rate
    return f"{_often(count.rate)}, {_long(left)} left"


def _often(rate: float) -> str:
    """Blocks a second, or a longer time in which there is one.

    >>> _often(12.34), _often(0.05), _often(0.001)
    ('12.3 blocks/s', '3 blocks/min', '3.6 blocks/h')
    """
    for unit, seconds in (("s", 1), ("min", 60)):
        if rate * seconds >= 1:
            return f"{rate * seconds:.3g} blocks/{unit}"
    return f"{rate * 3600:.3g} blocks/h"


def _long(seconds: float) -> str:
    """A time that is left, no finer than it is known.

    >>> _long(90.4), _long(900), _long(20_000), _long(400_000)
    ('90 s', '15 min', '5.6 h', '4.6 days')
    """
    for unit, size, most in (("s", 1, 120), ("min", 60, 120)):
        if seconds < most * size:
            return f"{seconds / size:.0f} {unit}"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
