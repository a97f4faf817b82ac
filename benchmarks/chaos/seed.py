"""One seed: a run in trouble, beside one that nothing befell."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .attack import Attacks, living_workers, small_disk
from .bucket import Bucket, unsteady_bucket
from .scene import prepare
from .trouble import FOLDER, met, plan
from .verdict import contents, faults_of, ran_again, slowest
from .watch import notes

__all__ = ["Outcome", "Quiet", "disturbed", "quiet"]

_PLACES = ("disk", "small disk", "bucket")
_DRIVERS_KILLED = 2
# A driver is killed so long after its first block.
_KILLED_AFTER = (1.0, 8.0)
_CALLS, _SECONDS_A_CALL, _SECONDS_TO_END = 20, 600.0, 30.0
_MEGABYTES = 8
_LEAST_SECONDS, _TIMES_THE_SLOWEST = 6.0, 2.0
_SHOWN = 6


@dataclass
class Outcome:
    """How a seed went."""

    seed: int
    where: str
    seconds: float = 0.0
    # How often what was done to it.
    attacks: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    again: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        made = ", ".join(f"{n} {what}" for what, n in sorted(self.attacks.items()))
        head = f"seed {self.seed}, {self.where}: {self.seconds:.0f} s, {self.calls} calls, "
        told = f"{self.again} blocks ran again; {made}"
        shown = [f"WRONG: {fault}" for fault in self.faults[:_SHOWN]]
        more = len(self.faults) - _SHOWN
        return "\n    ".join([head + told, *shown, *([f"and {more} more"] if more > 0 else [])])


@dataclass(frozen=True)
class Quiet:
    """The undisturbed run."""

    # The file of the lazy prediction.
    prediction: Path
    stored: Mapping[str, bytes]
    # Where blocks read and write.
    met: list[str]
    # What a block may take on a machine that is as busy.
    seconds: float


@dataclass(frozen=True)
class _Where:
    place: str
    disk: Path | None = None
    bucket: Bucket | None = None
    # By which processes find it.
    variables: Mapping[str, str] = field(default_factory=dict)


def quiet(folder: Path, small: bool = False) -> Quiet:
    """Run it undisturbed.

    Raises
    ------
    RuntimeError
        If even so it doesn't come to its end.
    """
    prediction, where = folder / "prediction.pickle", _Where(str(folder / "quiet.zarr"))
    notes_of = _folder(folder / "quiet")
    prepare(prediction, small)
    if _driver(prediction, where, notes_of, _SECONDS_A_CALL).wait():
        raise RuntimeError((notes_of / "driver.log").read_text())
    seconds = max(_LEAST_SECONDS, _TIMES_THE_SLOWEST * slowest(notes_of))
    return Quiet(prediction, contents(where.place), met(notes_of), seconds)


def disturbed(seed: int, undisturbed: Quiet, folder: Path) -> Outcome:
    """Run it in trouble, as a seed has it."""
    generator = random.Random(seed)
    outcome = Outcome(seed, _PLACES[seed % len(_PLACES)])
    planned = plan(_folder(folder), undisturbed.met, generator)
    begin = time.monotonic()
    with _place(outcome, folder, generator) as where:
        attacks = Attacks(folder, generator, where.disk)
        with attacks.on():
            ends = list(_calls(outcome, undisturbed, where, folder, generator))
        outcome.seconds = time.monotonic() - begin
        if where.bucket:
            where.bucket.unsteady = False
            outcome.attacks += where.bucket.made
        stored = contents(where.place)
    there = set(met(folder))
    blocks = Counter(f"block {kind}" for at, kind in planned.items() if at in there)
    outcome.attacks += attacks.made + blocks
    outcome.again = ran_again(folder)
    wrong = faults_of(folder, stored, undisturbed.stored, ends, where.bucket is not None)
    outcome.faults += [*wrong, *_left(folder)]
    return outcome


def _folder(folder: Path) -> Path:
    (folder / "met").mkdir(parents=True)
    return folder


@contextmanager
def _place(outcome: Outcome, folder: Path, generator: random.Random) -> Iterator[_Where]:
    if outcome.where == "small disk":
        with small_disk(folder / "disk", _MEGABYTES) as disk:
            if disk is None:
                outcome.where = "disk"
            yield _Where(str(folder / "disk/out.zarr"), disk)
    elif outcome.where == "bucket":
        with unsteady_bucket(generator) as (bucket, variables):
            bucket.unsteady = True
            # This process looks at what lies there.
            os.environ.update(variables)
            yield _Where(f"s3://bucket/{outcome.seed}.zarr", None, bucket, variables)
    else:
        yield _Where(str(folder / "out.zarr"))


def _driver(
    prediction: Path, where: _Where, folder: Path, seconds: float
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"{__package__}.driver", str(prediction), where.place]
    command.append(str(seconds))
    variables = {**os.environ, **where.variables, FOLDER: str(folder)}
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(
            command, env=variables, cwd=Path(__file__).parents[2], stdout=log, stderr=log
        )


def _calls(
    outcome: Outcome, undisturbed: Quiet, where: _Where, folder: Path, generator: random.Random
) -> Iterator[float]:
    """Make the call until it comes to its end; when each of the drivers ended."""
    killed = 0
    for _ in range(_CALLS):
        outcome.calls += 1
        driver = _driver(undisturbed.prediction, where, folder, undisturbed.seconds)
        seconds = generator.uniform(*_KILLED_AFTER) if killed < _DRIVERS_KILLED else None
        code = _end_of(driver, folder, seconds)
        yield time.time()
        if code == 0:
            return
        if code is None:
            outcome.faults.append(f"a call hung for {_SECONDS_A_CALL:.0f} s")
            return
        killed += code == -signal.SIGKILL
        outcome.attacks["driver killed"] = killed
    outcome.faults.append(f"{_CALLS} calls were not enough")


def _end_of(driver: subprocess.Popen[bytes], folder: Path, seconds: float | None) -> int | None:
    """The exit status of a driver that is killed after so many seconds; None if it hangs."""
    begin, due = time.time(), float("inf")
    while driver.poll() is None and time.time() < begin + _SECONDS_A_CALL:
        if seconds is not None and due == float("inf") and _has_begun(folder, begin):
            due = time.time() + seconds
        if time.time() > due:
            driver.kill()
        time.sleep(0.1)
    if driver.poll() is None:
        driver.kill()
        driver.wait()
        return None
    return driver.returncode


def _has_begun(folder: Path, since: float) -> bool:
    return any(note.what == "begun" and note.at > since for note in notes(folder))


def _left(folder: Path) -> Iterator[str]:
    """Workers that don't end although their driver has."""
    due = time.monotonic() + _SECONDS_TO_END
    while (living := living_workers(folder)) and time.monotonic() < due:
        time.sleep(0.2)
    return (f"worker process {worker} is left over" for worker in living)
