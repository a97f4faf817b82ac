"""Whether a module's file itself says what stands under a name, or what runs it has a part in that.

A number in a file is the same wherever the file is imported. What is asked of the machine, such as
whether it has a GPU, is not, though the file is the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["imports_of", "is_said"]

_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
_ASSIGNMENT = (ast.Assign, ast.AnnAssign, ast.AugAssign)
_COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While)
_MAKERS = {"array", "asarray", "ones", "zeros", "full", "arange", "eye"}
_MAKERS |= {"tuple", "list", "dict", "set", "frozenset", "range", "slice", "compile"}
_FILLERS = {"append", "extend", "add", "update", "setdefault", "pop", "clear", "insert", "remove"}


def is_said(source: str, path: str, code_alone: bool) -> bool:
    """Whether a file's text alone decides what stands under a name.

    Parameters
    ----------
    source : str
        Of the module.
    path : str
        The name, dotted within classes.
    code_alone : bool
        Whether the question is only which code is under the name, not with which values.

    Examples
    --------
    >>> is_said("SIGMA = 2 * 3", "SIGMA", code_alone=False)
    True
    >>> is_said("import os; CORES = os.cpu_count()", "CORES", code_alone=False)
    False
    """
    return _Text(source).says(path, code_alone)


class _Text:
    """A module's text, and what it says."""

    def __init__(self, source: str) -> None:
        self._tree = ast.parse(source)
        # Left to circumstances, or changed as functions run.
        self._open = {name for node in ast.walk(self._tree) for name in _changed(node)}
        for statement in self._tree.body:
            if isinstance(statement, _COMPOUND):
                self._open |= {name for node in ast.walk(statement) for name in _bound(node)}

    def says(self, path: str, code_alone: bool) -> bool:
        """As `is_said`."""
        body = self._tree.body
        found: list[ast.stmt] = []
        for part in path.split("."):
            found = [statement for statement in body if part in _bound(statement)]
            if not found or (body is self._tree.body and part in self._open):
                return False
            body = found[-1].body if isinstance(found[-1], ast.ClassDef) else []
        if code_alone:
            return True
        return all(self._is_plain(statement, path) for statement in found)

    def _is_plain(self, statement: ast.stmt, name: str) -> bool:
        if isinstance(statement, _FUNCTION):
            given = [*statement.args.defaults, *statement.args.kw_defaults]
            return all(value is None or self._is_literal(value, name) for value in given)
        if isinstance(statement, ast.ClassDef):
            return all(self._is_plain(each, name) for each in statement.body)
        if isinstance(statement, _ASSIGNMENT):
            return statement.value is None or self._is_literal(statement.value, name)
        return isinstance(statement, ast.Import | ast.ImportFrom | ast.Expr | ast.Pass)

    def _is_literal(self, expression: ast.expr, of: str) -> bool:
        """Numbers, texts and collections of them, also by way of other such names of the file."""
        for node in _parts(expression):
            if isinstance(node, ast.Name):
                if node.id == of or not self.says(node.id, code_alone=False):
                    return False
            elif isinstance(node, ast.Call):
                if _called(node) not in _MAKERS:
                    return False
            elif isinstance(node, ast.Attribute):
                if ast.unparse(node).partition(".")[0] not in ("np", "numpy", "math"):
                    return False
            elif isinstance(node, ast.Await | ast.NamedExpr):
                return False
        return True


def _bound(node: ast.AST) -> set[str]:
    """Names that a statement binds by itself, none within an if or a try."""
    if isinstance(node, (*_FUNCTION, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {each.asname or each.name.partition(".")[0] for each in node.names}
    if isinstance(node, _ASSIGNMENT):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        within = (part for target in targets for part in ast.walk(target))
        return {part.id for part in within if isinstance(part, ast.Name)}
    return set()


def _changed(node: ast.AST) -> list[str]:
    """Names whose value code sets or fills after the module was made."""
    if isinstance(node, ast.Global):
        return node.names
    inner = None
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        inner = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        inner = node.func.value if node.func.attr in _FILLERS else None
    return [inner.id] if isinstance(inner, ast.Name) else []


def _parts(expression: ast.AST) -> Iterator[ast.AST]:
    """All within an expression but the names of what it calls."""
    yield expression
    for field, value in ast.iter_fields(expression):
        if isinstance(expression, ast.Call) and field == "func":
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.expr | ast.keyword):
                yield from _parts(each)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def imports_of(source: str, package: str) -> set[str]:
    """Modules that a file imports, and what may be modules.

    Examples
    --------
    >>> sorted(imports_of("import a.b; from . import c", "pack"))
    ['a', 'a.b', 'pack', 'pack.c']
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
            found.update([base, *(f"{base}.{each.name}" for each in node.names)])
    return {part for name in found for part in _with_parents(name)}


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:n]) for n in range(1, len(parts) + 1))
