"""What the names in a function's code stand for."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from importlib.util import resolve_name
from types import FunctionType, ModuleType
from typing import Any

from dask_blockwise.recipes.code import Code, Import, Load, read_code
from dask_blockwise.recipes.installed import distribution_of, installed_tree, may_be_imported
from dask_blockwise.recipes.tree import Part, keyed

__all__ = ["closure_trees", "global_trees", "references", "without_imports"]

_MISSING = object()
_may_import = ContextVar("_may_import", default=True)


@contextmanager
def without_imports() -> Iterator[None]:
    """Within the body, what code would import and nobody has imported yet stays so."""
    token = _may_import.set(False)
    try:
        yield
    finally:
        _may_import.reset(token)


def references(function: FunctionType) -> Iterator[tuple[str, str]]:
    """A person's own modules that a function's code looks at, and what it asks of each."""
    code, names = read_code(function.__code__), dict(function.__globals__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        with suppress(ValueError):
            names[name] = cell.cell_contents
    for load in (*code.globals, *code.free):
        if not isinstance(load.root, Import):
            value, asked = names.get(load.root), load.attributes
        else:
            module = _absolute(load.root, function.__globals__)
            value = None if may_be_imported(module) else _module(module)
            given = () if load.root.name in ("", ".") else (load.root.name,)
            asked = (*given, *load.attributes)
            if load.root.name == ".":
                value = sys.modules.get(module.partition(".")[0])
        if isinstance(value, ModuleType) and _is_own_module(value):
            yield value.__name__, ".".join(asked)


def global_trees(function: FunctionType, code: Code) -> dict[str, Any]:
    """Trees of the globals that code uses, by their names; builtins come with Python."""
    found: dict[str, Any] = {}
    for load in code.globals:
        if isinstance(load.root, Import):
            found.update(_imported(load.root, load.attributes, function.__globals__))
        else:
            found.update(_global(load, function.__globals__, code))
    return dict(sorted(found.items()))


def _global(load: Load, names: dict[str, Any], code: Code) -> Iterator[tuple[str, Any]]:
    name = str(load.root)
    if name in code.assigned:
        # What it sets itself is no part of what it is: a counter, a cache.
        yield name, {"@": "assigned by the code"}
    elif name in names:
        yield _followed(name, names[name], load.attributes)
    elif not hasattr(builtins, name) and name not in code.kept:
        yield name, {"@": "missing"}


def closure_trees(function: FunctionType, code: Code) -> dict[str, Any]:
    """Trees of the values that functions around it gave it, by their names."""
    found: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            value = cell.cell_contents
        except ValueError:
            found[name] = {"@": "empty"}
            continue
        if name == "__class__" and isinstance(value, type):
            # What super() looks at.
            found[name] = {
                "@": "own class",
                "bases": [Part(base) for base in value.__bases__ if base is not object],
            }
        elif _is_own_module(value):
            loads = [load for load in code.free if load.root == name]
            found.update(_followed(name, value, load.attributes) for load in loads)
        else:
            found[name] = keyed(name, value)
    return found


def _is_own_module(value: Any) -> bool:
    return isinstance(value, ModuleType) and distribution_of(value.__name__, _file(value)) is None


def _file(module: ModuleType) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None


def _followed(name: str, value: Any, attributes: tuple[str, ...]) -> tuple[str, Any]:
    """Of a person's own module that which the code names, with the name as the code has it."""
    for attribute in attributes:
        if not _is_own_module(value):
            break
        name = f"{name}.{attribute}"
        value = getattr(value, attribute, _MISSING)
    return name, {"@": "missing"} if value is _MISSING else keyed(name, value)


def _imported(
    root: Import, attributes: tuple[str, ...], names: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    module = _absolute(root, names)
    shown = f"{module}.{root.name}" if root.name not in ("", ".") else module
    installed = may_be_imported(module)
    if installed is not None:
        yield shown, installed_tree(shown, installed)
        return
    value = _value_of(root, module)
    if value is _MISSING:
        yield shown, {"@": "missing"}
    else:
        start = module.partition(".")[0] if root.name == "." else shown
        yield _followed(start, value, attributes)


def _absolute(root: Import, names: dict[str, Any]) -> str:
    if root.level == 0:
        return root.module
    package = names.get("__package__")
    if not isinstance(package, str):
        package = str(names.get("__name__", "")).rpartition(".")[0]
    try:
        return resolve_name("." * root.level + root.module, package)
    except ImportError:
        return root.module


def _value_of(root: Import, module: str) -> Any:
    """What the import gives, as Python would import it."""
    found = _module(module)
    if root.name == ".":
        return _module(module.partition(".")[0])
    if not root.name or found is _MISSING:
        return found
    value = getattr(found, root.name, _MISSING)
    return _module(f"{module}.{root.name}") if value is _MISSING else value


def _module(name: str) -> Any:
    if name in sys.modules:
        return sys.modules[name]
    if not _may_import.get():
        return _MISSING
    try:
        return import_module(name)
    except Exception:  # A module may raise anything as it is imported.
        return _MISSING
