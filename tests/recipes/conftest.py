"""Modules of a person's own, written for a test."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module, invalidate_caches
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

Write = Callable[..., ModuleType]
NUMBERS = count()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes files into a folder of their own and imports the first; forgets those before it."""
    written: set[str] = set()

    def write(source: str, **others: str) -> ModuleType:
        folder = tmp_path / f"copy{next(NUMBERS)}"
        files = {"filters": source} | others
        for name, text in files.items():
            file = folder / f"{name.replace('__', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
        forget()
        written.update(name.partition("__")[0] for name in files)
        monkeypatch.syspath_prepend(folder)
        invalidate_caches()
        return import_module("filters")

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] in written]:
            del sys.modules[name]

    yield write
    forget()
