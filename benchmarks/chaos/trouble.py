"""What goes wrong within blocks: they raise, hang, die, or can't write, as a plan has it."""

from __future__ import annotations

import ctypes
import errno
import itertools
import json
import os
import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

__all__ = ["FOLDER", "KINDS", "meet", "met", "plan"]

# The folder of a seed: its plan, and notes of what happened.
FOLDER = "DASK_BLOCKWISE_CHAOS_FOLDER"
_PLAN, _MET = "plan.json", "met"
_PLANNED = 6


def _raise() -> None:
    raise ValueError("a block that raises")


def _cannot_read() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def _sleep() -> None:
    time.sleep(1e6)


def _hold_the_gil() -> None:
    ctypes.PyDLL(None).sleep(1_000_000)


def _loop_in_c() -> None:
    sum(itertools.repeat(0))


def _crash() -> None:
    ctypes.string_at(0)


def _exit() -> None:
    os._exit(3)


KINDS: dict[str, Callable[[], None]] = {
    "raises": _raise,
    "EIO": _cannot_read,
    "sleeps": _sleep,
    "holds the GIL": _hold_the_gil,
    "loops in C": _loop_in_c,
    "crashes": _crash,
    "exits": _exit,
}


def plan(folder: Path, met_undisturbed: list[str], generator: random.Random) -> dict[str, str]:
    """Choose what goes wrong, and where; returns it by place."""
    kinds = generator.sample([*KINDS, "raises", "EIO", "EIO"], _PLANNED)
    chosen = dict(zip(generator.sample(sorted(met_undisturbed), len(kinds)), kinds))
    (folder / _PLAN).write_text(json.dumps(chosen))
    return chosen


def met(folder: Path) -> list[str]:
    """Places that were come to."""
    return [path.name for path in (folder / _MET).iterdir()]


def meet(name: str, *at: int) -> None:
    """In a worker: what is to go wrong at a place, the first time that it is come to."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return
    place = "-".join(map(str, (name, *at)))
    first = _note(Path(folder, _MET), place)
    if first and (kind := _planned(folder).get(place)):
        KINDS[kind]()


@cache
def _planned(folder: str) -> dict[str, str]:
    file = Path(folder, _PLAN)
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _note(folder: Path, place: str) -> bool:
    """Whether nobody was there before, in whatever process."""
    try:
        os.close(os.open(folder / place, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
