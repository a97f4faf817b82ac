"""What a block's process function may return: a trace of what the block left."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Trace"]


class Trace(NamedTuple):
    """What a block left, kept in the ledger: whether it is still there can then be told.

    Examples
    --------
    >>> Trace(files=1, stamp=7, content=9)
    Trace(files=1, stamp=7, content=9, empty=0)
    """

    # How many of them.
    files: int = 0
    # Of the files, as the store tells them apart; 64 bits.
    stamp: int = 0
    # Of the values in them; 64 bits.
    content: int = 0
    # Whether it was skipped, as it is known to hold nothing.
    empty: int = 0

    def of_nothing(self) -> Trace:
        """The same of a block that is known to hold nothing."""
        return self._replace(empty=1)
