"""Whether the kernel killed a worker process for memory.

Each worker process keeps a note beside the journals, anew with each batch. After its death the
kernel's count of processes that it has killed for memory is compared with that in the note.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

__all__ = ["MENDS", "MemoryNote"]

MENDS = (
    "Use smaller blocks (block_shape=), fewer threads a worker (cores=1 on this machine, "
    "processes= as many as cores= in jobs), or workers with more memory (memory= of dbw.cluster; "
    "of a LocalCluster of Dask's, threads_per_worker=1 and memory_limit=)."
)

_GROUPS, _COUNT = Path("/sys/fs/cgroup"), "oom_kill"
# Of all the machine, where a process is in no group of its own.
_MACHINE = Path("/proc/vmstat")
# By the version of control groups: which files count kills, and which have the limit.
_FILES = {
    "unified": ("memory.events", "memory.max"),
    "memory": ("memory.oom_control", "memory.limit_in_bytes"),
}
# The older kind of groups has such a number for no limit.
_VAST = 1 << 60


@dataclass(frozen=True)
class MemoryNote:
    """What the kernel has counted while a worker process lives."""

    # Where the kernel counts what it kills for memory, and how much it has counted.
    counted_in: str
    killed: int
    # As the kernel limits the processes of its group, in bytes.
    group_limit: int | None

    @classmethod
    def now(cls) -> Self:
        """That of this process."""
        counted_in, group_limit = next(_counts(), (_MACHINE, None))
        return cls(str(counted_in), _killed(counted_in), group_limit)

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """One that was written; None where there is none, or a torn one."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Write it in place of an earlier one; without it, less is told of a death."""
        with suppress(OSError):
            path.write_text(json.dumps(asdict(self)))

    @property
    def kernel_killed(self) -> bool:
        """Whether the kernel has killed a process of the group for memory since."""
        return _killed(Path(self.counted_in)) > self.killed


def _counts() -> Iterator[tuple[Path, int | None]]:
    """Files that count kills in this process's control groups, with the group's limit."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, kind, group = line.split(":", 2)
            for folder in _folders(kind, group):
                count, limit = (folder / name for name in _FILES[kind or "unified"])
                if _counts_kills(count):
                    yield count, _number(limit)


def _folders(kind: str, group: str) -> Iterator[Path]:
    """Where a control group may be mounted; a container has its own at the top."""
    if kind == "memory":
        tops = [_GROUPS / "memory"]
    else:
        tops = [] if kind else [_GROUPS, _GROUPS / "unified"]
    for top in tops:
        yield from (top / group.lstrip("/"), top)


def _counts_kills(file: Path) -> bool:
    try:
        return _COUNT in file.read_text()
    except OSError:
        return False


def _killed(file: Path) -> int:
    with suppress(OSError, ValueError):
        counts = dict(line.split() for line in file.read_text().splitlines())
        return int(counts.get(_COUNT, 0))
    return 0


def _number(file: Path) -> int | None:
    with suppress(OSError, ValueError):
        number = int(file.read_text())
        return number if number < _VAST else None
    return None
