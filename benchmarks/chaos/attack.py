"""What befalls a run from outside: signals to its processes, and a disk that fills up."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from .watch import notes

__all__ = ["Attacks", "small_disk"]

_SIGNALS_EVERY = (2.0, 6.0)
# A machine on which workers start more slowly than they are killed would never come to an end.
_SIGNALS = 6
# Some workers that are stopped go on after a while, some never do.
_STOPPED_FOR = (0.5, 12.0, float("inf"))
_FULL_EVERY, _FULL_FOR = (3.0, 7.0), (0.3, 1.5)


class Attacks:
    """Attacks a driver's workers and its disk, until told that it is over.

    Parameters
    ----------
    folder
        Where the processes of the run keep notes.
    generator
        Which worker is hit, and when.
    disk
        One to be filled now and then.
    """

    def __init__(self, folder: Path, generator: random.Random, disk: Path | None) -> None:
        self._folder, self._generator, self._disk = folder, generator, disk
        self._over = threading.Event()
        self._stopped: set[int] = set()
        self._never = 0
        self.made: Counter[str] = Counter()

    @contextmanager
    def on(self) -> Iterator[None]:
        """Attack while the body lasts; workers that are left are ended after it."""
        attacks = [self._on_workers, self._on_disk] if self._disk else [self._on_workers]
        threads = [threading.Thread(target=attack, daemon=True) for attack in attacks]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
            for process in self._stopped:
                _send(process, signal.SIGKILL)

    def _on_workers(self) -> None:
        while self.made["killed"] + self.made["stopped"] < _SIGNALS and not self._over.wait(
            self._generator.uniform(*_SIGNALS_EVERY)
        ):
            workers = living_workers(self._folder) & _at_work(self._folder) - self._stopped
            if workers:
                self._hit(self._generator.choice(sorted(workers)))

    def _hit(self, worker: int) -> None:
        if self._generator.random() < 0.6:
            self.made["killed"] += _send(worker, signal.SIGKILL)
            return
        seconds = self._generator.choice(_STOPPED_FOR[: 2 if self._never else 3])
        self._never += seconds == float("inf")
        self.made["stopped"] += _send(worker, signal.SIGSTOP)
        self._stopped.add(worker)
        if seconds < float("inf"):
            threading.Timer(seconds, self._go_on, [worker]).start()

    def _go_on(self, worker: int) -> None:
        _send(worker, signal.SIGCONT)
        self._stopped.discard(worker)

    def _on_disk(self) -> None:
        assert self._disk is not None
        while not self._over.wait(self._generator.uniform(*_FULL_EVERY)):
            full = self._disk / "full"
            with suppress(OSError), full.open("wb", buffering=0) as file:
                while file.write(bytes(1 << 12)):
                    pass
            self.made["disk full"] += 1
            time.sleep(self._generator.uniform(*_FULL_FOR))
            full.unlink()


def _at_work(folder: Path) -> set[int]:
    """Worker processes that have begun with blocks."""
    return {note.process for note in notes(folder) if note.what == "begun"}


def living_workers(folder: Path) -> set[int]:
    """Worker processes that have made themselves known and are there yet."""
    known = {note.process: note.at for note in notes(folder) if note.what == "worker"}
    return {process for process, at in known.items() if _is_there(process, at)}


def _is_there(process: int, at: float) -> bool:
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process)
        return found.create_time() <= at and found.status() != psutil.STATUS_ZOMBIE
    return False


def _send(process: int, number: signal.Signals) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, number)
        return True
    return False


@contextmanager
def small_disk(at: Path, megabytes: int) -> Iterator[Path | None]:
    """A disk in memory; None where that takes other rights."""
    at.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(at)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)
