"""Which blocks would store a volume soonest, within what a worker may have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil

import psutil
from dask.utils import format_bytes, parse_bytes

from ..engine.progress import RunSummary
from ..engine.worker.spent import in_all
from ..geometry.boxes import Index
from .estimate import estimate, memory_of_worker
from .frame import Frame
from .step import StagePlan

__all__ = ["Suggestion", "suggestion"]

# Of a block, along each axis of space.
_TIMES = tuple(map(Fraction, ("1/2", "1", "3/2", "2", "3", "4")))
# What is less isn't worth other blocks, nor within what an estimate is worth.
_LEAST = 0.05

PlanOf = Callable[[Index], Sequence[StagePlan]]


@dataclass(frozen=True, repr=False)
class Suggestion:
    """Blocks, and workers for them, with which a volume is stored sooner."""

    # Voxels along all axes but "c".
    block_shape: Index
    # Processes of one thread each.
    workers: int
    # What each of them should have, in bytes.
    memory: int
    # Seconds from begin to end, with these blocks and with those that were asked about.
    seconds: float
    seconds_now: float

    @property
    def is_worth_it(self) -> bool:
        """Whether it saves more than an estimate is wrong by."""
        return self.saves >= _LEAST

    @property
    def saves(self) -> float:
        """The part of the time that is saved."""
        return 1 - self.seconds / self.seconds_now if self.seconds_now else 0.0

    def __str__(self) -> str:
        workers = f"{self.workers} workers of {format_bytes(self.memory)} each"
        if not self.is_worth_it:
            return f"No other blocks would save {_LEAST:.0%}, with {workers}."
        blocks = " x ".join(map(str, self.block_shape))
        return f"Blocks of {blocks} would save {self.saves:.0%}, with {workers}."

    __repr__ = __str__


@dataclass(frozen=True)
class _Candidate:
    block: Index
    workers: int
    memory: int
    seconds: float


def suggestion(
    frame: Frame,
    block: Index,
    plan_of: PlanOf,
    measured: RunSummary,
    memory: str | int | None = None,
    workers: int | None = None,
) -> Suggestion:
    """The blocks that take least time: half to four times as long along each axis of space.

    Parameters
    ----------
    frame : Frame
        Of what is stored.
    block : tuple of int
        Voxels of a block along all axes but "c".
    plan_of : callable
        The stages of storing it in other blocks.
    measured : RunSummary
        As for `estimate`.
    memory : str or int, optional
        What a worker may have, such as "8GB"; this machine's, divided by its cores, unless given.
    workers : int, optional
        How many there may be; as many as this machine has cores unless given.

    Raises
    ------
    ValueError
        If a number is out of range, or not even the smallest of these blocks fits.
    """
    most = os.cpu_count() or 1 if workers is None else workers
    if most < 1:
        raise ValueError(f"workers must be 1 or more, got {workers}: say how many there may be.")
    here = psutil.virtual_memory().total // (os.cpu_count() or 1)
    limit = here if memory is None else parse_bytes(memory)

    def of(shape: Index) -> _Candidate:
        stages = plan_of(shape)
        held = memory_of_worker(stages, measured)
        needed = min(most, stages[-1].blocks)
        # The last blocks keep few workers busy.
        rounds = ceil(stages[-1].blocks / needed)
        idle = rounds * needed / stages[-1].blocks
        return _Candidate(
            shape, needed, held, in_all(estimate(stages, measured)).seconds * idle / needed
        )

    now = of(block)
    candidates = [now]
    for other in _others(frame, block):
        with suppress(ValueError):  # what can't be stored in such blocks
            candidates.append(of(other))
    fitting = [one for one in candidates if one.memory <= limit]
    if not fitting:
        least = min(one.memory for one in candidates)
        raise ValueError(
            f"Blocks of half the size take {format_bytes(least)} of a worker, more than the "
            f"{format_bytes(limit)} that it may have: give smaller blocks, block_shape=, or "
            "memory= as workers have it."
        )
    best = min(fitting, key=lambda one: (one.seconds, one.memory))
    if now.memory <= limit and best.seconds > (1 - _LEAST) * now.seconds:
        best = now
    return Suggestion(best.block, best.workers, best.memory, best.seconds, now.seconds)


def _others(frame: Frame, block: Index) -> Iterator[Index]:
    """Other shapes of blocks; those that hold the volume along an axis are as long as it."""
    space = len(frame.space)
    still = block[:-space]
    seen = {block}
    for times in product(_TIMES, repeat=space):
        sides = zip(block[-space:], times, frame.space, strict=True)
        shape = *still, *(min(n, max(1, int(side * more))) for side, more, n in sides)
        if shape not in seen:
            seen.add(shape)
            yield shape
