"""The most memory that a worker process has had since some moment."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import psutil

__all__ = ["peak_memory", "reset_peak_memory"]


@cache
def _keeps_peak_memory() -> bool:
    return os.access("/proc/self/clear_refs", os.W_OK)


def reset_peak_memory() -> None:
    """Count this process's peak anew."""
    if _keeps_peak_memory():
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Largest resident memory since the last reset, where the system keeps it; else the present."""
    if _keeps_peak_memory():
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])
    return int(psutil.Process().memory_info().rss)
