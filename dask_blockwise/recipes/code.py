"""Code objects by what they do: instructions, constants and names, wherever they were written."""

from __future__ import annotations

import dis
import inspect
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any, TypeAlias

from dask_blockwise.recipes.digest import content_digest

__all__ = ["Code", "Import", "Load", "read_code"]

# Left in by the compiler for line numbers, or said by what follows.
_IDLE = {"NOP", "EXTENDED_ARG", "CACHE", "RESUME"}
# Stored by the body of a class, of where it stands or for people.
_OF_PLACE = {"__module__", "__qualname__", "__doc__", "__firstlineno__", "__static_attributes__"}
_CONSTANTS = frozenset(dis.hasconst)
_NAMES = frozenset(dis.hasname)
_JUMPS = frozenset((*dis.hasjrel, *dis.hasjabs))
_FLAGS = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)
_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_LOCAL = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF")
_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD"}


@dataclass(frozen=True)
class Import:
    """What an import within a function gives: a module, or a name of it."""

    module: str
    level: int
    name: str = ""


Root: TypeAlias = "str | Import"


@dataclass(frozen=True)
class Load:
    """A name that code loads, and the attributes that it asks of it at once."""

    root: Root
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """What a code object and those within it do."""

    body: str
    globals: tuple[Load, ...]
    """Names of the module or of builtins, and imports."""
    free: tuple[Load, ...]
    """Names of functions around it."""
    assigned: frozenset[str]
    """Globals that it sets itself."""
    kept: frozenset[str]
    """Names that a class's body has set."""


@lru_cache(maxsize=4096)
def read_code(code: CodeType) -> Code:
    """What code does, and what it takes from elsewhere."""
    steps = _steps(code)
    inner = [read_code(const) for const in code.co_consts if isinstance(const, CodeType)]
    imports = dict(_imports(steps))
    loads = list(_loads(steps, {*code.co_cellvars, *code.co_freevars}))
    around = [load for is_global, load in loads if not is_global]
    around += [load for each in inner for load in each.free]
    names = [load for is_global, load in loads if is_global]
    names += [load for each in inner for load in each.globals]
    names = [load for load in names if load.root not in imports] + [
        Load(imports[load.root], load.attributes)
        for load in (*names, *around)
        if load.root in imports
    ]
    assigned = {step.argval for step in steps if step.opname == "STORE_GLOBAL"}
    kept = {step.argval for step in steps if step.opname == "STORE_NAME"}
    return Code(
        body=content_digest(_text(code, steps).encode("utf-8", "surrogatepass")),
        globals=tuple(dict.fromkeys(names)),
        free=tuple(dict.fromkeys(load for load in around if load.root in code.co_freevars)),
        assigned=frozenset(assigned).union(*(each.assigned for each in inner)),
        kept=frozenset(kept).union(*(each.kept for each in inner)),
    )


def _steps(code: CodeType) -> list[dis.Instruction]:
    """Instructions, but for those that follow from where the code stands."""
    steps: list[dis.Instruction] = []
    for step in dis.get_instructions(code):
        if step.opname == "STORE_NAME" and step.argval in _OF_PLACE:
            steps.pop()
        elif step.opname not in _IDLE:
            steps.append(step)
    return steps


def _text(code: CodeType, steps: list[dis.Instruction]) -> str:
    offsets = [step.offset for step in steps]
    arguments = code.co_argcount + code.co_kwonlyargcount
    variadic = int(bool(code.co_flags & inspect.CO_VARARGS))
    variadic += int(bool(code.co_flags & inspect.CO_VARKEYWORDS))
    lines = [
        f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount}",
        f"{code.co_flags & _FLAGS} {code.co_varnames[: arguments + variadic]} {code.co_freevars}",
    ]
    lines += (f"{step.opname} {_operand(step, offsets)}" for step in steps)
    lines += (" ".join(map(str, line)) for line in _handlers(code, offsets))
    return "\n".join(lines)


def _operand(step: dis.Instruction, offsets: list[int]) -> Any:
    if step.opcode in _CONSTANTS:
        return _constant(step.argval)
    if step.opcode in _NAMES:
        return step.argrepr
    if step.opcode in _JUMPS:
        return bisect_left(offsets, step.argval)
    return step.arg


def _constant(value: Any) -> str:
    if isinstance(value, CodeType):
        return f"code {read_code(value).body}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_constant, value))})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(_constant, value)))}}}"
    return f"{type(value).__name__} {value!r}"


def _handlers(code: CodeType, offsets: list[int]) -> Iterator[tuple[int, ...]]:
    """Which instructions an exception leaves for which: CPython's table of exceptions."""
    numbers = list(_varints(code.co_exceptiontable))
    for start, length, target, depth in zip(*(iter(numbers),) * 4):
        ends = (2 * start, 2 * (start + length), 2 * target)
        first, last, handler = (bisect_left(offsets, end) for end in ends)
        if last > first:
            yield first, last, handler, depth


def _varints(table: bytes) -> Iterator[int]:
    number = 0
    for byte in table:
        number = number << 6 | byte & 63
        if not byte & 64:
            yield number
            number = 0


def _loads(steps: list[dis.Instruction], cells: set[str]) -> Iterator[tuple[bool, Load]]:
    """Whether a name is global, and what is loaded of it."""
    for n, step in enumerate(steps):
        is_global = step.opname in _GLOBAL
        if not is_global and not step.opname.startswith(_LOCAL):
            continue
        if step.opname == "LOAD_FAST" and step.argval in cells:
            continue  # A cell, handed on to a function within.
        names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        for name in names[:-1]:
            yield is_global, Load(name, ())
        yield is_global, Load(names[-1], _attributes(steps, n + 1))


def _attributes(steps: list[dis.Instruction], n: int) -> tuple[str, ...]:
    found = []
    while n < len(steps) and steps[n].opname in _ATTRIBUTE:
        found.append(steps[n].argval)
        n += 1
    return tuple(found)


def _imports(steps: list[dis.Instruction]) -> Iterator[tuple[Root, Import]]:
    """Local names, and what an import bound to them."""
    for n, step in enumerate(steps):
        if step.opname != "IMPORT_NAME":
            continue
        level, wanted = steps[n - 2].argval, steps[n - 1].argval
        if wanted:
            for m in range(n + 1, min(n + 1 + 2 * len(wanted), len(steps) - 1), 2):
                yield steps[m + 1].argval, Import(step.argval, level, steps[m].argval)
        else:
            yield _bound(steps, n, level)


def _bound(steps: list[dis.Instruction], n: int, level: int) -> tuple[Root, Import]:
    """Of `import a.b` the name a with a package, of `import a.b as c` the name c with a module."""
    store = next((step for step in steps[n:] if step.opname.startswith("STORE_")), steps[n])
    module = steps[n].argval
    if steps[n + 1].opname == "IMPORT_FROM" or "." not in module:
        return store.argval, Import(module, level)
    return store.argval, Import(module, level, ".")
