"""How much memory a process has, and has had at most."""

from __future__ import annotations

from pathlib import Path

import psutil

__all__ = ["memory", "peak"]


def memory() -> float:
    """Resident memory of this process in MB, from which on its peak counts anew."""
    Path("/proc/self/clear_refs").write_text("5")
    return float(psutil.Process().memory_info().rss) / 1e6


def peak() -> float:
    """Largest resident memory of this process since then, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024 / 1e6
