"""Who holds a claim: a run, and the process that drives it."""

from __future__ import annotations

import getpass
import json
import os
import socket
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from uuid import uuid4

import psutil

__all__ = ["Holder"]

# Clocks that were set meanwhile move the time at which a process began.
_SAME_START = 5.0


@dataclass(frozen=True)
class Holder:
    """Who holds a claim: a run, and the process that drives it."""

    run: str
    host: str
    # A boot of a machine, and what of its processes can be seen from here.
    machine: str
    process: int
    # When the process began, in seconds since 1970.
    began: float
    user: str
    # When the run claimed its output.
    since: str
    # Of this claim alone.
    claim: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def here(cls, run: str) -> Holder:
        """A run of this process."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        began = psutil.Process().create_time()
        return cls(run, socket.gethostname(), _machine(), os.getpid(), began, _user(), now)

    @classmethod
    def told_by(cls, content: bytes) -> Holder | None:
        """Read what a holder has written; None where it is torn."""
        try:
            told = json.loads(content)
            return cls(**{field.name: told[field.name] for field in fields(cls)})
        except (ValueError, TypeError, KeyError):
            return None

    def tell(self, renewals: int = 0) -> bytes:
        """What ``told_by`` reads, and how often it was renewed."""
        return json.dumps(asdict(self) | {"renewals": renewals}, indent=1).encode()

    @property
    def who(self) -> str:
        """For people."""
        return f"host {self.host}, process {self.process}, user {self.user}"

    @property
    def is_near(self) -> bool:
        """Whether its process can be looked for."""
        return self.machine == _machine()

    @property
    def is_alive(self) -> bool:
        """Whether its process is, on this machine."""
        try:
            process = psutil.Process(self.process)
            same = abs(process.create_time() - self.began) < _SAME_START
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except (psutil.Error, ValueError, TypeError):
            return True


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


@cache
def _machine() -> str:
    """What two processes have in common that see each other."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115
    except OSError:
        return socket.gethostname()
