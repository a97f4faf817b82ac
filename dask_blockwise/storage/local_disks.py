"""Which files lie on a disk of this machine, whose file system writes them in order."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import psutil

from .location import on_disk

__all__ = ["writes_in_order"]

# After a power cut, a file of these is at most as long as what had reached the disk by then, so
# that its stamp tells. Others, above all those of a network, may also say at the very end alone
# that they are full.
_IN_ORDER = {"apfs", "bcachefs", "btrfs", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}


@lru_cache(maxsize=1024)
def writes_in_order(location: str) -> bool:
    """Whether chunks there may be left to the operating system to bring to the disk.

    Waiting for the disk takes longer than all else about writing a chunk. It is done without where
    what a power cut may have taken is told by the stamps of files, and a full disk at each write.

    Parameters
    ----------
    location : str
        A folder, or a URL.

    Examples
    --------
    >>> writes_in_order("s3://bucket/a.zarr")
    False
    """
    if not on_disk(location):
        return False
    path = Path(os.path.realpath(location))
    mounted = psutil.disk_partitions(all=True)
    above = [part for part in mounted if path.is_relative_to(part.mountpoint)]
    # Of several that are mounted at one place, the last is seen.
    nearest = max(reversed(above), key=lambda part: len(part.mountpoint), default=None)
    if nearest is None or nearest.fstype not in _IN_ORDER:
        return False
    # Of ext3 and ext4: files may then have their length and not what was written.
    return "data=writeback" not in nearest.opts.split(",")
