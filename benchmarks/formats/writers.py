"""What other tools write, by name: each function writes into a folder, and returns what to open."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["WRITERS", "writer"]

Writer = Callable[[str], str]
WRITERS: dict[str, Writer] = {}


def writer(name: str) -> Callable[[Writer], Writer]:
    """Keep a function under a name."""

    def keep(function: Writer) -> Writer:
        WRITERS[name] = function
        return function

    return keep
