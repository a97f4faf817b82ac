"""What runs have left in the user's temporary folder: removed by the next run on the machine."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path

from .own_folder import own_folder
from .presence import is_gone

try:
    import fcntl
except ImportError:  # Windows has no flock; there, several may sweep at once
    fcntl = None  # type: ignore[assignment]

__all__ = ["sweep", "sweep_meanwhile"]

# Whatever looks after a dead worker's batches has done so long before.
_JOURNAL_SECONDS = 15 * 60.0
_LOG_SECONDS = 14 * 24 * 3600.0
# Of runs, and of logs, so many are removed at once: the next run goes on.
_MOST_RUNS, _MOST_LOGS = 50, 1000


def sweep_meanwhile() -> None:
    """Sweep beside what this process does."""
    threading.Thread(target=sweep, name="sweep", daemon=True).start()


def sweep() -> None:
    """Remove the journals of runs whose workers here are all gone, and old logs.

    It never raises: what can't be removed stays.
    """
    with suppress(OSError), ExitStack() as stack:
        folder = own_folder()
        lock = stack.enter_context((folder / "sweep.lock").open("ab"))
        if fcntl is not None:
            # One process at a time; where another does it, there is nothing to do.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for run in islice(_runs_left(folder), _MOST_RUNS):
            shutil.rmtree(run, ignore_errors=True)
        for log in islice(_old_logs(folder), _MOST_LOGS):
            with suppress(OSError):
                log.unlink()


def _runs_left(folder: Path) -> Iterator[Path]:
    for run in folder.glob("run-*"):
        with suppress(OSError):
            if _is_old(run, _JOURNAL_SECONDS) and _is_over(run):
                yield run


def _is_over(run: Path) -> bool:
    """Whether no worker of it on this machine lives, nor may live on another."""
    workers = [path for path in run.iterdir() if path.name.startswith("worker-")]
    old = all(_is_old(path, _JOURNAL_SECONDS) for path in workers)
    return old and all(map(is_gone, workers))


def _old_logs(folder: Path) -> Iterator[Path]:
    for log in (folder / "logs").glob("*.log"):
        with suppress(OSError):
            if _is_old(log, _LOG_SECONDS):
                yield log


def _is_old(path: Path, seconds: float) -> bool:
    return time.time() - path.lstat().st_mtime > seconds
