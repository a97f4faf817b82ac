"""What holds in every file of the package, read from its code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path

import pytest

import dask_blockwise

PACKAGE = Path(dask_blockwise.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# The one file that leans on what Dask promises nothing of, and what that is.
DASKS_OWN = PACKAGE / "engine/plugins/names.py"
NOT_PUBLIC = {"WORKER_SATURATION", "periodic_callbacks", "processing_on", "queued"}
NOT_PUBLIC |= {"_broker", "run_spec", "suspicious"}
LONGEST = 300

Functions = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


def where(file: Path, node: ast.AST) -> str:
    return f"{file.relative_to(PACKAGE.parent)}:{getattr(node, 'lineno', 0)}"


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def private_in(name: str) -> bool:
    """Whether a dotted name has a part that is private."""
    return any(map(private, name.split(".")))


def imported(file: Path) -> Iterator[tuple[ast.AST, str, str]]:
    """Module and name of everything that a file imports."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name, "") for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from ((node, node.module or "", alias.name) for alias in node.names)


def test_one_file_leans_on_what_dask_promises_nothing_of() -> None:
    offenders = []
    for file in FILES:
        for node, module, name in imported(file):
            if module.split(".")[0] in ("dask", "distributed") and private_in(f"{module}.{name}"):
                offenders.append(f"{where(file, node)} {module}.{name}")
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.Attribute) and node.attr in NOT_PUBLIC:
                offenders.append(f"{where(file, node)} .{node.attr}")
    elsewhere = [line for line in offenders if str(DASKS_OWN.relative_to(PACKAGE)) not in line]
    assert not elsewhere, "\n".join(elsewhere)


@cache
def classes() -> dict[str, list[tuple[Path, ast.ClassDef]]]:
    """The package's classes by name."""
    found: dict[str, list[tuple[Path, ast.ClassDef]]] = {}
    for file in FILES:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append((file, node))
    return found


def bases(node: ast.ClassDef) -> Iterator[tuple[Path, ast.ClassDef]]:
    """The package's classes that a class is made of, however far up."""
    for base in node.bases:
        name = ast.unparse(base).partition("[")[0].rpartition(".")[2]
        for file, above in classes().get(name, []):
            yield file, above
            yield from bases(above)


def test_no_class_overrides_a_private_method_of_another_file() -> None:
    offenders = []
    for file, node in (pair for pairs in classes().values() for pair in pairs):
        hidden = {
            item.name: above.name
            for elsewhere, above in bases(node)
            if elsewhere != file
            for item in above.body
            if isinstance(item, Functions) and private(item.name)
        }
        for item in node.body:
            if isinstance(item, Functions) and item.name in hidden:
                offenders.append(f"{where(file, item)} {hidden[item.name]}.{item.name}")
    assert not offenders, "\n".join(offenders)


def defined(file: Path) -> set[str]:
    """Names that a file gives to functions, classes, fields, and attributes of self."""
    names = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, Functions | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and of_self(node):
            names.add(node.attr)
    return names


def of_self(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")


def test_no_code_reaches_into_what_is_private_elsewhere() -> None:
    offenders = []
    for file in FILES:
        names = defined(file)
        for node in ast.walk(tree(file)):
            reaches = isinstance(node, ast.Attribute) and private(node.attr) and not of_self(node)
            if reaches and file != DASKS_OWN and node.attr not in names:
                offenders.append(f"{where(file, node)} {ast.unparse(node)}")
        for node, module, name in imported(file):
            if private(name) or (private_in(module) and file != DASKS_OWN):
                offenders.append(f"{where(file, node)} {module}.{name}")
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_file_is_short(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= LONGEST


def test_every_folder_says_what_belongs_there() -> None:
    folders = {file.parent for file in FILES}
    told = {
        file.parent
        for file in FILES
        if file.name == "__init__.py" and ast.get_docstring(tree(file))
    }
    assert told == folders


def test_what_prints_as_text_is_shown_as_it() -> None:
    """At a prompt, and as the last line of a notebook's cell, too."""
    public = [getattr(dask_blockwise, name) for name in dask_blockwise.__all__]
    classes = [one for one in public if is_dataclass(one) and "__str__" in vars(one)]
    assert {one.__name__ for one in classes} >= {"RunSummary", "SeamReport", "Status", "Evaluation"}
    assert not [one for one in classes if one.__repr__ is not one.__str__]
