"""A person's own modules, imported anew from their files as they are now."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType

from ...recipes.installed import distribution_of
from ...recipes.said import imports_of

__all__ = ["forget_modules", "source_of", "with_neighbours"]


def forget_modules(names: Iterable[str]) -> None:
    """Have modules imported anew when next asked; functions that somebody holds go on as before."""
    for name in names:
        module = sys.modules[name]
        cached = getattr(getattr(module, "__spec__", None), "cached", None)
        if cached:
            # It tells an edit by second and size alone.
            with suppress(OSError):
                Path(cached).unlink()
        del sys.modules[name]
    importlib.invalidate_caches()


def source_of(module: ModuleType | None) -> str:
    """The text of a module's file as it is now; empty where there is none."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return ""
    with suppress(OSError, ValueError):
        return Path(file).read_text(encoding="utf-8")
    return ""


def with_neighbours(names: set[str]) -> set[str]:
    """Modules of a person's own with those that they import and those that import any of these.

    A number that one imports doesn't tell where it came from. Modules in machine code can't be
    loaded twice, and are left out.
    """
    own = {name: _imported(module) for name, module in _own_modules().items()}
    below = _closed(names & own.keys(), lambda name: own[name] & own.keys())
    return _closed(below, lambda found: {name for name in own if _needs(name, own[name], found)})


def _closed(names: set[str], more_of: Callable[[str], set[str]]) -> set[str]:
    found, new = set(names), set(names)
    while new:
        new = set().union(*map(more_of, new)) - found
        found |= new
    return found


def _needs(name: str, imported: set[str], other: str) -> bool:
    """A package that is made anew has none of its modules."""
    return other in imported or name.startswith(f"{other}.")


def _own_modules() -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType)
        and name not in ("__main__", "__mp_main__")
        and distribution_of(name, getattr(module, "__file__", None)) is None
        and not isinstance(getattr(module, "__loader__", None), ExtensionFileLoader)
    }


def _imported(module: ModuleType) -> set[str]:
    """Modules that one imports, by its file and by what it has."""
    had = set()
    for value in list(vars(module).values()):
        name = value.__name__ if isinstance(value, ModuleType) else None
        had.add(name or getattr(type(value), "__module__", None))
        if isinstance(value, type) or callable(value):
            had.add(getattr(value, "__module__", None))
    with suppress(SyntaxError, ValueError):
        had |= imports_of(source_of(module), module.__package__ or "")
    return {name for name in had if isinstance(name, str)} - {module.__name__}
