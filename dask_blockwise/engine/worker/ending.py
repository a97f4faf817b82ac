"""Why a worker process ends, noted beside its journals: what is no block's fault, and what may be.

A batch system, an operator or a cluster that shrinks ends processes by a signal, or closes them; so
does a nanny whose worker took too much memory.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import dask
import psutil

__all__ = [
    "KILLED_FOR_MEMORY",
    "Ending",
    "ending_of_signal",
    "note_ending",
    "noted_ending",
    "on_termination",
]

# Nannies look now and then; what a process has when the signal comes may be somewhat less.
_NEARLY = 0.9
KILLED_FOR_MEMORY = "The worker process was killed for memory"


class Ending(NamedTuple):
    """Why a worker process ends."""

    reason: str
    # Whether the block that runs there can't be the cause.
    is_blameless: bool


def note_ending(presence: Path, ending: Ending) -> None:
    """Note it beside what says that a worker runs; what was noted first holds."""
    if not _beside(presence).exists():
        _beside(presence).write_text(json.dumps(ending))


def noted_ending(presence: Path) -> Ending | None:
    """What was noted, if anything was."""
    try:
        return Ending(*json.loads(_beside(presence).read_text()))
    except (OSError, ValueError):
        return None


def _beside(presence: Path) -> Path:
    return presence.with_name(f"{presence.name}.ended")


def on_termination(note: Callable[[], object]) -> None:
    """Have something done where this process is told to end, which it then does at once.

    Only the main thread may ask for it.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            note()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)


def ending_of_signal(memory_limit: float | None) -> Ending:
    """Why this process was sent the signal to end, as far as it can tell.

    Parameters
    ----------
    memory_limit
        Bytes that its nanny allows it, if it does.
    """
    allowed = dask.config.get("distributed.worker.memory.terminate") or 0
    taken = psutil.Process().memory_info().rss
    if memory_limit and taken > _NEARLY * allowed * memory_limit:
        told = f"{taken / 1e6:.0f} MB of {memory_limit / 1e6:.0f} MB"
        return Ending(f"{KILLED_FOR_MEMORY}: it took {told}.", False)
    return Ending("its worker process was told to end (SIGTERM)", True)
