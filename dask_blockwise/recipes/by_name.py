"""What code finds by name in a person's own modules, and whether that is the same elsewhere.

Functions of modules travel to other processes by name alone. Which names they lead to, and what
stands under each of them here, can be told and compared there.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, TypeAlias

from dask_blockwise.recipes.describe import Graph
from dask_blockwise.recipes.digest import merkle
from dask_blockwise.recipes.graph import Ref, digested
from dask_blockwise.recipes.installed import distribution_of, is_shared, named
from dask_blockwise.recipes.names import references, without_imports
from dask_blockwise.recipes.tree import keyed

__all__ = ["MISSING", "Name", "Standing", "names_used", "standing_of", "value_of"]

Name: TypeAlias = tuple[str, str]
"""A module, and the dotted name of something in it; with an empty one all of the module."""

MISSING = object()
_NAMED = (FunctionType, type, type(functools.lru_cache(abs)))
# Said of a global whose value is none of a function's.
_NO_VALUES = ("missing", "assigned by the code")


@dataclass(frozen=True)
class Standing:
    """What stands under a name."""

    digest: str
    """Of all that it is, where what has a name of its own counts by that."""
    code: str
    """Of its functions' code alone, whatever the values are that they work with."""


def names_used(values: Iterable[Any], names: Iterable[Name] = ()) -> frozenset[Name]:
    """All names in a person's own modules that functions and classes lead to.

    Parameters
    ----------
    values
        Functions and classes.
    names
        Names that are known already.

    Examples
    --------
    >>> import math
    >>> names_used([math.hypot])
    frozenset()
    """
    found = {each for name in names for each in _ways(*name)}
    with without_imports():
        graph = Graph()
        for value in (*values, *map(value_of, found)):
            graph.place(value)
        graph.finish()
        for value, node in zip(graph.values, graph.nodes):
            found.update(_own_name(value), _names_in(node), _names_beside(value))
    return frozenset(name for name in found if value_of(name) is not MISSING)


def standing_of(names: Iterable[Name]) -> dict[Name, Standing]:
    """What stands under names in this process; those that it hasn't are left out."""
    graph, places = Graph(), {}
    with without_imports():
        for name in names:
            value = value_of(name)
            if value is not MISSING:
                whole = isinstance(value, ModuleType) and not name[1]
                tree = graph.place(value) if whole else _placed(graph, name[1], value)
                places[name] = tree
        graph.finish()
    own = [next(_own_name(value), None) for value in graph.values]
    nodes = [_simple(node, own) for node in graph.nodes]
    digests = digested(list(nodes))
    standing = {}
    for name, tree in places.items():
        is_own = isinstance(tree, Ref) and (own[tree.index] == name or not name[1])
        tree = tree if is_own else _simple(tree, own)
        digest = merkle(tree, lambda ref: digests[ref.index])
        code = merkle(sorted(set(_code(tree, nodes, set()))), lambda ref: b"")
        standing[name] = Standing(digest.hex(), code.hex())
    return standing


def value_of(name: Name) -> Any:
    """What stands under a name in this process, or MISSING."""
    module, path = name
    if not path:
        return sys.modules.get(module, MISSING)
    value: Any = sys.modules.get(module, MISSING)
    for part in path.split("."):
        value = getattr(value, part, MISSING)
    return value


def _placed(graph: Graph, path: str, value: Any) -> Any:
    if isinstance(value, ModuleType):
        return {"@": "module", "name": value.__name__}
    tree = keyed(path, value)
    return graph.place(tree.value) if hasattr(tree, "value") else tree


def _own_name(value: Any) -> Iterator[Name]:
    """The name under which other processes find a function, a class or a module."""
    if isinstance(value, ModuleType):
        if is_shared(value.__name__):
            yield value.__name__, ""
    elif isinstance(value, _NAMED):
        name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if isinstance(name[0], str) and is_shared(name[0]) and named(*name) is value:
            yield name[0], str(name[1])


def _names_in(tree: Any) -> Iterator[Name]:
    """What the functions in a tree load from their modules."""
    if isinstance(tree, list):
        for item in tree:
            yield from _names_in(item)
    if not isinstance(tree, dict):
        return
    for key, item in tree.items():
        if key == "globals" and "~module" in tree:
            for path, value in item.items():
                if not (isinstance(value, dict) and value.get("@") in _NO_VALUES):
                    yield from _ways(tree["~module"], path)
        yield from _names_in(item)


def _names_beside(value: Any) -> Iterator[Name]:
    """What functions look at that are in no module that others can import."""
    inner = vars(value).values() if isinstance(value, type) else (value,)
    for function in inner:
        if isinstance(function, FunctionType) and not distribution_of(
            function.__globals__.get("__name__"), function.__globals__.get("__file__")
        ):
            for module, path in references(function):
                yield from _ways(module, path)


def _ways(module: str, path: str) -> Iterator[Name]:
    """The names that lead to something, each within one module of a person's own."""
    value: Any = sys.modules.get(module, MISSING)
    parts = path.split(".") if path else []
    if parts and not hasattr(value, parts[0]):
        # As an import within a function has it.
        module, parts = _of_import(parts)
        value = sys.modules.get(module, MISSING)
    while parts and is_shared(module):
        yield module, parts[0]
        value = getattr(value, parts.pop(0), MISSING)
        if not isinstance(value, ModuleType):
            return
        module = value.__name__
    if not path and is_shared(module):
        yield module, ""


def _of_import(parts: list[str]) -> tuple[str, list[str]]:
    for n in range(len(parts), 0, -1):
        if ".".join(parts[:n]) in sys.modules:
            return ".".join(parts[:n]), parts[n:]
    return "", []


def _simple(tree: Any, own: list[Name | None]) -> Any:
    """A tree where names stand for what has one, without versions of what is installed."""
    if isinstance(tree, Ref) and own[tree.index] is not None:
        return {"@": "named", "name": list(own[tree.index] or ())}
    if isinstance(tree, list):
        return [_simple(item, own) for item in tree]
    if not isinstance(tree, dict):
        return tree
    left_out = {"globals"} if "~module" in tree else set()
    left_out |= {"version", "from"} if tree.get("@") == "installed" else set()
    return {key: _simple(item, own) for key, item in tree.items() if key not in left_out}


def _code(tree: Any, nodes: list[Any], seen: set[int]) -> Iterator[str]:
    """The code and the names in a tree, without values."""
    if isinstance(tree, Ref):
        if tree.index not in seen:
            seen.add(tree.index)
            yield from _code(nodes[tree.index], nodes, seen)
    elif isinstance(tree, list):
        for item in tree:
            yield from _code(item, nodes, seen)
    elif isinstance(tree, dict):
        if tree.get("@") == "named":
            yield ".".join(tree["name"])
        elif "body" in tree:
            yield f"{tree.get('~name', '')} {tree['body']}"
        for item in tree.values():
            yield from _code(item, nodes, seen)
