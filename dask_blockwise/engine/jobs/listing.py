"""What is known of a cluster's jobs: which they are, and how the batch system lists them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from .queues import JobSeen, Phase, Queue

__all__ = ["Listing"]

# A batch system that doesn't answer is not waited for.
_ANSWER_SECONDS = 20.0
# A job is listed only some time after it was submitted.
_LISTING_SECONDS = 10.0


class Listing:
    """The jobs of a cluster, by the names that it has for them.

    Parameters
    ----------
    queue
        How the batch system is asked, if that is known.
    """

    def __init__(self, queue: Queue | None) -> None:
        # When it was asked last.
        self.asked = -1e9
        self._queue = queue
        self._ids: dict[str, str] = {}
        self._submitted: dict[str, float] = {}
        self._seen: dict[str, JobSeen] = {}

    @property
    def can_ask(self) -> bool:
        """Whether it is known how the batch system is asked."""
        return self._queue is not None

    def __contains__(self, name: object) -> bool:
        return name in self._ids

    def add(self, name: str, job: str) -> bool:
        """Note that a job was submitted; whether that is news."""
        if not job or self._ids.get(name) == job:
            return False
        self._ids[name], self._submitted[name] = job, time.monotonic()
        return True

    def id(self, name: str) -> str:
        """The batch system's id of a job; empty where it has none."""
        return self._ids.get(name, "")

    @property
    def is_empty(self) -> bool:
        """Whether the batch system has taken no job yet."""
        return not self._ids

    def seen(self, job: str) -> JobSeen | None:
        """What the batch system said last of a job, by its own id; what has ended stays known."""
        return self._seen.get(job)

    def ended(self, names: Iterable[str]) -> list[str]:
        """Those of some jobs that have ended."""
        states = {name: self.seen(self.id(name)) for name in names}
        return [name for name, seen in states.items() if seen and seen.phase is Phase.ENDED]

    async def ask(self) -> bool:
        """Ask the batch system about all jobs; whether it answered."""
        if self._queue is None or not self._ids:
            return False
        self.asked = time.monotonic()
        ids = sorted(set(self._ids.values()))
        text = await _output(*self._queue.command(ids))
        if text is None:
            return False
        listed = dict(self._queue.read(text))
        for name, job in self._ids.items():
            if job in listed:
                self._seen[job] = listed[job]
            elif self._is_gone(name):
                self._seen[job] = JobSeen(Phase.ENDED)
        return True

    def _is_gone(self, name: str) -> bool:
        """Whether a job that isn't listed has just ended: what was said of its end holds."""
        seen = self.seen(self.id(name))
        is_known = seen is not None and seen.phase is Phase.ENDED
        return not is_known and time.monotonic() - self._submitted[name] > _LISTING_SECONDS


async def _output(*command: str) -> str | None:
    """What a program of a batch system prints; None where it fails or doesn't answer."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except OSError:
        return None
    try:
        out, _ = await asyncio.wait_for(process.communicate(), _ANSWER_SECONDS)
    except TimeoutError:
        process.kill()
        return None
    return out.decode(errors="replace") if process.returncode == 0 or out else None
