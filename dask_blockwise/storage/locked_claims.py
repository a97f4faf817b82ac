"""A claim by a lock, and a file beside it: for people, and for workers before they write.

Workers share the file while they write, so it tells of another claim only when they have.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .documents import store_error
from .file_locks import FileLock, NoLocks, alone, processes_with
from .holders import Holder

__all__ = ["LockedClaim"]

# What a write may take that a worker of an earlier run is in, and one of this run as it ends.
_WRITTEN_WITHIN = 60.0
_ENDED_WITHIN = 5.0


@dataclass(frozen=True)
class LockedClaim:
    """A claim by a lock that this process has."""

    lock: FileLock
    told_in: Path

    @classmethod
    def told(cls, lock: FileLock, told_in: Path, holder: Holder, output: str) -> LockedClaim:
        """Wait for whoever writes under an earlier claim, and let nobody do so from now on.

        Raises
        ------
        BlockingIOError
            If one of them stands still.
        OSError
            If the file can't be written.
        """
        try:
            _end(told_in)
            with alone(told_in, _WRITTEN_WITHIN) as file:
                file.write(holder.tell())
        except TimeoutError:
            lock.release()
            raise _still_written(told_in, output) from None
        except (NoLocks, OSError) as error:
            lock.release()
            raise store_error(str(told_in), "written", error) from error
        return cls(lock, told_in)

    @property
    def is_sure(self) -> bool:
        """Whether no other run has it."""
        return self.lock.is_held

    def release(self) -> None:
        """Let nobody write under this claim once more, and let go."""
        if self.is_sure:
            self._tell_nothing()
        self.lock.release()

    def _tell_nothing(self) -> None:
        _end(self.told_in)
        try:
            with alone(self.told_in, _ENDED_WITHIN):
                self.told_in.unlink()
        except TimeoutError:
            pass  # The next run waits for whoever still writes.
        except (NoLocks, FileNotFoundError):
            self.told_in.unlink(missing_ok=True)


def _end(told_in: Path) -> None:
    """Let nobody begin to write any more: many who take turns would share the file for good."""
    with suppress(FileNotFoundError):
        os.truncate(told_in, 0)


def _still_written(told_in: Path, output: str) -> BlockingIOError:
    here = processes_with(told_in)
    who = f"process {', '.join(map(str, here))} of this machine" if here else "on some machine"
    return BlockingIOError(
        f"A worker of an earlier run, which is over, has been writing to {output} for more than "
        f"{_WRITTEN_WITHIN:.0f} s: {who}. What it writes would come between this run's blocks. "
        "Wait for it, or end it, and make the same call again; where no such process is left, "
        f"remove {told_in}."
    )
