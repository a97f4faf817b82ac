"""Evidence: what finished blocks were made from, as a number that changes when any of it does.

A block's mark in the ledger holds the sum, modulo 2**64, of what stood for each thing that it read.
If the sum is another in a later run, the block is made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..geometry.blocks import BlockGrid
from ..geometry.box_sums import few_box_sums

__all__ = [
    "Evidence",
    "FixedEvidence",
    "LedgerOf",
    "OfTask",
    "Run",
    "Vouching",
    "combined",
    "mixed",
]

Numbers = NDArray[np.uint64]
# Gives the ledger of a task of the run, or what it has where that is all that is known.
LedgerOf = Callable[[Any], "Identities | None"]

_ODD = np.uint64(0x9E3779B97F4A7C15)


class Identities(Protocol):
    """What a ledger knows of a task's blocks."""

    identities: Numbers


class ReadTask(Protocol):
    """What must be known of a task that another one reads from."""

    @property
    def task_id(self) -> str:
        """Its name."""

    @property
    def grid(self) -> BlockGrid:
        """Its blocks."""


class Evidence(Protocol):
    """What one of the things that blocks read is known by."""

    @property
    def fixed(self) -> bool:
        """Whether it is the same from the beginning of the run to its end."""

    def of(self, blocks: NDArray[np.int64], ledger_of: LedgerOf) -> Numbers:
        """A number for each of some blocks, given by their numbers."""


@dataclass(frozen=True)
class FixedEvidence:
    """What is known before the run, a number for each block of the task."""

    sums: Numbers
    fixed = True

    def of(self, blocks: NDArray[np.int64], ledger_of: LedgerOf) -> Numbers:
        """See `Evidence.of`."""
        return self.sums[blocks]


@dataclass(frozen=True)
class Vouching:
    """What the marks of a task's blocks vouch for, beside what its fingerprint says."""

    # Id of the array that the blocks write: marks of another one hold nothing.
    array: str = ""
    # Of what blocks read: what lasts, and what only the run holds; None where the run doesn't.
    made_from: Sequence[Evidence] = ()
    via: Sequence[Evidence] | None = ()
    # Whether marks are believed whatever they were made from.
    trusts: bool = False
    # Whether what lasts may have changed where what the run holds of it has not: blocks then stand,
    # and are marked anew.
    renews: bool = False
    # Given the marks, which blocks' output is gone or changed; asked once, as the run begins.
    gone: Callable[[NDArray[Any]], NDArray[np.bool_]] | None = None


class Run(NamedTuple):
    """Along one axis of what is read: which of its units each block reads."""

    # Of the blocks' grid, along which that differs.
    axis: int
    # By the block's position on that axis.
    first: NDArray[np.int64]
    stop: NDArray[np.int64]


@dataclass(frozen=True)
class OfTask:
    """Blocks of another task of the run, by their marks: known once they are done."""

    task: ReadTask
    # Of the reading task.
    shape: tuple[int, ...]
    runs: tuple[Run, ...]
    fixed = False

    def of(self, blocks: NDArray[np.int64], ledger_of: LedgerOf) -> Numbers:
        """See `Evidence.of`."""
        ledger = ledger_of(self.task)
        if ledger is None:
            raise ValueError(
                f"Task {self.task.task_id!r} is read from and has no ledger: give it one."
            )
        identities = ledger.identities.reshape(self.task.grid.shape)
        at = np.unravel_index(blocks, self.shape)
        begin = [run.first[at[run.axis]] for run in self.runs]
        end = [run.stop[at[run.axis]] for run in self.runs]
        return few_box_sums(identities, begin, end)


def mixed(numbers: NDArray[Any], salt: int) -> Numbers:
    """Numbers made so different that sums of them don't agree by chance.

    Examples
    --------
    >>> mixed(np.array([1, 2], np.uint64), 3) == mixed(np.array([1, 2], np.uint64), 4)
    array([False, False])
    """
    values = numbers.astype(np.uint64) + _ODD * np.array(salt + 1, np.uint64)
    # The last steps of splitmix64 (Steele, Lea and Flood, OOPSLA 2014).
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ values >> np.uint64(31), np.uint64)


def combined(
    evidence: Sequence[Evidence], blocks: NDArray[np.int64], ledger_of: LedgerOf
) -> Numbers:
    """One number for each block, of several pieces of evidence."""
    sums = np.zeros(len(blocks), np.uint64)
    for place, part in enumerate(evidence):
        sums += mixed(part.of(blocks, ledger_of), place)
    return sums
