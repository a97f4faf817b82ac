"""What all runs together have spent on a task's blocks, kept beside its marks, for people."""

from __future__ import annotations

import json
import time
from contextlib import suppress

from ..storage.documents import put, read_bytes
from ..storage.location import location_of
from .mark_files import read_header
from .worker.spent import NOTHING, Spent

__all__ = ["Spending", "read_spent"]

_NAME = "spent.json"
# What a run that is killed may leave out of it.
_SECONDS = 10.0


class Spending:
    """Adds up what is spent on the blocks of a ledger.

    Parameters
    ----------
    path : str
        The ledger's.
    key : int
        Of what the blocks are: what was spent on other ones isn't gone on with.
    resume : bool
        Whether to go on with what earlier runs have spent.
    """

    def __init__(self, path: str, key: int, resume: bool) -> None:
        self.in_all = read_spent(path, key) if resume else NOTHING
        self._path, self._key = path, key
        self._due = time.monotonic() + _SECONDS
        self._is_kept = True

    def add(self, spent: Spent) -> None:
        """Add what a batch took; it is written down now and then."""
        self.in_all = self.in_all.plus(spent)
        self._is_kept = False
        if time.monotonic() >= self._due:
            self.keep()

    def keep(self) -> None:
        """Write it down."""
        if self._is_kept:
            return
        content = {"of": f"{self._key:016x}", **self.in_all.by_name}
        with suppress(OSError):  # which the marks tell of, where it matters
            # Those of scratch are gone at the end of a run.
            if read_header(self._path):
                put(location_of(self._path), _NAME, json.dumps(content, indent=1).encode())
        self._due = time.monotonic() + _SECONDS
        self._is_kept = True


def read_spent(path: str, key: int) -> Spent:
    """What was spent on the blocks of a ledger, as far as it is known."""
    try:
        content = json.loads(read_bytes(location_of(path), _NAME))
        if content["of"] != f"{key:016x}":
            return NOTHING
        return Spent.of_names(content)
    except (KeyError, OSError, OverflowError, TypeError, ValueError):
        return NOTHING  # there is none, or it is damaged
