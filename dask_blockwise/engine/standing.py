"""Which blocks of a task stand as earlier runs left them, and how those that run are marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evidence import LedgerOf, Vouching, combined
from .ledger import Finished, Ledger, finished
from .mark import traces_of
from .task import Task
from .worker.spent import Spent
from .worker.trace import Trace

__all__ = ["Standing", "settled"]

_NOTHING = Vouching()


class Standing:
    """What need not run, of one task of a run.

    A block stands if the ledger has it as done, nothing that it left is gone, and all that it was
    made from is what it was. Of what other tasks of the run write, that is known when they are
    done, which is when the block may run.

    Parameters
    ----------
    task : Task
    ledger : Ledger, optional
    ledger_of : callable
        Gives the ledger of another task of the run.
    """

    def __init__(self, task: Task, ledger: Ledger | None, ledger_of: LedgerOf) -> None:
        self._vouching = task.vouching or _NOTHING
        self._ledger, self._ledger_of = ledger, ledger_of
        self._only, self._again = task.only, task.again
        blocks = len(task.grid)
        # Whether nothing is to be known of blocks, as nobody keeps it.
        self.idle = ledger is None and task.only is None
        # Whether any block may stand.
        self.any = task.only is not None
        self._known = np.zeros((2, blocks if ledger is not None else 0), np.uint64)
        if ledger is not None:
            self._look(ledger)
            self.any |= bool(ledger.done.any())
        self.count = int(self.stands(range(blocks)).sum()) if self.any and self._fixed else 0

    def stands(self, numbers: Sequence[int]) -> NDArray[np.bool_]:
        """Which of some blocks that may run now need not run."""
        blocks = np.fromiter(numbers, np.int64)
        stands = np.zeros(blocks.size, bool)
        if self._ledger is not None:
            marks = self._ledger.marks[blocks]
            known = self._known[:, blocks] = self._evidence(blocks, marks)
            stands = (marks["check"] != 0) & self._same(marks, known)
            if self._vouching.renews and stands.any():
                self._renew(blocks[stands], marks[stands])
        return stands if self._only is None else stands | ~self._only[blocks]

    def mark(self, done: Sequence[int], traces: Sequence[Trace], skipped: Sequence[int]) -> None:
        """Mark blocks as done, with what they left, and those that a check says are done."""
        if self._ledger is None:
            return
        for numbers, left in (done, np.array(traces, np.uint64)), (skipped, np.array([Trace()])):
            if numbers:
                made_from, via = self._known[:, numbers]
                self._ledger.add(numbers, made_from, via, left)

    def spend(self, spent: Spent) -> None:
        """Add what a batch took to what is kept of it."""
        if self._ledger is not None:
            self._ledger.spending.add(spent)

    @property
    def spent_in_all(self) -> Spent | None:
        """What all runs together have spent on the task; None where that isn't kept."""
        return None if self._ledger is None else self._ledger.spending.in_all

    def _same(self, marks: NDArray[Any], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which blocks were made from what is there now, or may count as if they were."""
        same: NDArray[np.bool_] = marks["made_from"] == known[0]
        same = (same | self._vouching.renews) & (marks["via"] == known[1])
        return same | self._vouching.trusts

    def _renew(self, blocks: NDArray[np.int64], marks: NDArray[Any]) -> None:
        """Mark blocks anew that stand though what they were made from has changed."""
        made_from, via = self._known[:, blocks]
        old = marks["made_from"] != made_from
        if self._ledger is not None and old.any():
            self._ledger.add(blocks[old], made_from[old], via[old], traces_of(marks[old]))

    @property
    def _fixed(self) -> bool:
        return all(part.fixed for part in (*self._vouching.made_from, *(self._vouching.via or ())))

    def _look(self, ledger: Ledger) -> None:
        """Take back the marks of what is gone, and of what is to be done again."""
        if self._vouching.gone is not None and ledger.done.any():
            ledger.drop(self._vouching.gone(ledger.marks))
        for again in (self._only, self._again):
            if again is not None:
                ledger.drop(again)

    def _evidence(self, blocks: NDArray[np.int64], marks: NDArray[np.void]) -> NDArray[np.uint64]:
        """What blocks would be made from now; what the run doesn't hold is as the marks have it."""
        via = self._vouching.via
        made_from = combined(self._vouching.made_from, blocks, self._ledger_of)
        known = marks["via"] if via is None else combined(via, blocks, self._ledger_of)
        return np.stack([made_from, known])


def settled(task: Task) -> Finished | None:
    """What a task's ledger has, if none of its blocks need run, as far as is known before a run."""
    vouching = task.vouching or _NOTHING
    done = finished(task.ledger, vouching.array) if task.ledger else None
    if done is None or done.fingerprint != task.fingerprint or not done.done.all():
        return None
    if vouching.gone is not None and vouching.gone(done.marks).any():
        return None
    try:
        known = combined(vouching.made_from, np.arange(len(task.grid)), _settled)
    except _Unsettled:
        return None
    same = vouching.trusts or np.array_equal(known, done.marks["made_from"])
    return done if same else None


class _Unsettled(Exception):
    """A task that others read from has blocks to run."""


def _settled(task: Task) -> Finished:
    done = settled(task)
    if done is None:
        raise _Unsettled
    return done
