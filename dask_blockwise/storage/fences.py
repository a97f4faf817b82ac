"""What is asked before a block is written: whether its run has the output still.

Workers of a run whose driver was killed live on until they notice, and one that stood still until
somebody lets it go on; by then another run may have claimed the output. So each write is fenced off
by the claim that it was made under, as by a token (Kleppmann 2016, How to do distributed locking).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from .file_locks import shared
from .holders import Holder
from .location import is_remote
from .object_stores import read_object

__all__ = ["ClaimLost", "Fence", "fenced", "while_claimed"]

# Seconds for which a process believes what a bucket said of a claim.
_BELIEVED_FOR = 1.0


class ClaimLost(RuntimeError):
    """A run writes to an output that isn't its own any more."""


@dataclass(frozen=True)
class Fence:
    """A claim as the workers of its run know it.

    Parameters
    ----------
    location
        Where claims of the output are told, a folder or a URL.
    told_in
        Name of the file, or object, that tells who has it.
    claim
        What the claim is told by, which no other one has.
    output
        What is claimed, for people.
    """

    location: str
    told_in: str
    claim: str
    output: str

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Within the body, which writes, the claim stands, and nobody else gets it.

        Where the store has no locks, it stood just before, and it is asked after the body too.

        Raises
        ------
        ClaimLost
            If another run has claimed the output, or the run is over.
        OSError
            If the store can't be asked.
        """
        if is_remote(self.location):
            self._check_in_bucket()
            yield
            self._check_in_bucket()
            return
        path = Path(self.location, self.told_in)
        with shared(path) as (content, is_locked):
            self._check(content)
            yield
        if not is_locked:
            with shared(path) as (content, _):
                self._check(content)

    def _check_in_bucket(self) -> None:
        stood = _stood.get(self)
        if stood is None or time.monotonic() - stood > _BELIEVED_FOR:
            begun = time.monotonic()
            self._check(read_object(self.location, self.told_in))
            _stood[self] = begun

    def _check(self, content: bytes | None) -> None:
        if content is not None and self.claim.encode() in content:
            return
        _stood.pop(self, None)
        other = Holder.told_by(content or b"")
        now = "the run that this block belongs to is over"
        if other is not None:
            now = f"another run has claimed it since ({other.who}, {other.since})"
        raise ClaimLost(
            f"The block isn't written to {self.output}, since {now}. Nothing is to be done here: "
            "what is stored is that other run's to finish, or the next one's."
        )


# When a bucket last said that a claim stands.
_stood: dict[Fence, float] = {}
_here: ContextVar[Fence | None] = ContextVar("_here", default=None)


@contextmanager
def fenced(fence: Fence) -> Iterator[None]:
    """Within the body, and on its thread, what is written is written under a claim."""
    token = _here.set(fence)
    try:
        yield
    finally:
        _here.reset(token)


@contextmanager
def while_claimed() -> Iterator[None]:
    """Within the body, which writes, the claim that it is written under stands; see `Fence`.

    Examples
    --------
    >>> with while_claimed():
    ...     print("written outside of any run")
    written outside of any run
    """
    fence = _here.get()
    with nullcontext() if fence is None else fence.passed():
        yield
