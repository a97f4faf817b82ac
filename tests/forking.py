"""A process that is forked off, and has open what this one had."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def child_that_stays() -> Iterator[int]:
    """Within the body a forked process lives, and does nothing."""
    here, there = os.pipe()
    child = os.fork()
    if not child:
        os.close(there)
        os.read(here, 1)
        os._exit(0)
    os.close(here)
    try:
        yield child
    finally:
        os.close(there)
        os.waitpid(child, 0)
