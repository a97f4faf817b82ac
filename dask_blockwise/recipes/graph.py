"""From nodes that refer to each other to one tree: circles named, what comes again said once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dask_blockwise.recipes.digest import UNORDERED, Recipe, merkle

__all__ = ["Ref", "digested", "written"]

_ROUNDS = 8
# Beyond these, a recipe holds digests alone: JSON cannot nest without end, nor metadata grow so.
_DEEPEST = 100
_LONGEST = 1000
_WORTH = 64


@dataclass(frozen=True)
class Ref:
    """Stands for a node in another node's tree."""

    index: int


def written(root: Any, nodes: list[Any]) -> Recipe:
    """The tree of all that root refers to."""
    nodes = list(nodes)
    notes: dict[int, bytes] = {}
    digests = digested(nodes, notes)
    merkle(root, lambda ref: digests[ref.index], notes)
    recipe: Recipe = _Writing(nodes, digests, notes).write(root, 0)
    return recipe


def digested(nodes: list[Any], notes: dict[int, bytes] | None = None) -> dict[int, bytes]:
    """The digests of nodes by their indices; nodes of circles are put in other words in place."""
    digests: dict[int, bytes] = {}
    for circle in _circles(nodes):
        if _in_circle(circle, nodes):
            _open_circle(circle, nodes, digests, notes)
        for index in circle:
            digests[index] = merkle(nodes[index], lambda ref: digests[ref.index], notes)
    return digests


def _refs(tree: Any) -> Iterator[int]:
    if isinstance(tree, Ref):
        yield tree.index
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from _refs(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from _refs(item)


def _in_circle(circle: list[int], nodes: list[Any]) -> bool:
    return len(circle) > 1 or circle[0] in _refs(nodes[circle[0]])


def _circles(nodes: list[Any]) -> Iterator[list[int]]:
    """Nodes that reach each other, those first that others refer to (Tarjan 1972)."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()
    for start in range(len(nodes)):
        path = [] if start in order else [_enter(start, nodes, order, low, stack, waiting)]
        while path:
            node, edges = path[-1]
            for below in edges:
                if below not in order:
                    path.append(_enter(below, nodes, order, low, stack, waiting))
                    break
                if below in waiting:
                    low[node] = min(low[node], order[below])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == order[node]:
                    yield _taken(node, stack, waiting)


def _enter(
    node: int,
    nodes: list[Any],
    order: dict[int, int],
    low: dict[int, int],
    stack: list[int],
    waiting: set[int],
) -> tuple[int, Iterator[int]]:
    order[node] = low[node] = len(order)
    stack.append(node)
    waiting.add(node)
    return node, _refs(nodes[node])


def _taken(node: int, stack: list[int], waiting: set[int]) -> list[int]:
    circle = [stack.pop()]
    while circle[-1] != node:
        circle.append(stack.pop())
    waiting.difference_update(circle)
    return circle


def _open_circle(
    circle: list[int],
    nodes: list[Any],
    digests: dict[int, bytes],
    notes: dict[int, bytes] | None,
) -> None:
    """Within a circle nodes refer to each other by labels, which no way in has a part in.

    A label is a node's digest with its neighbours' labels in place of them, made anew some times
    (Weisfeiler and Leman 1968).
    """
    labels = dict.fromkeys(circle, b"")
    for _ in range(min(len(circle), _ROUNDS)):
        labels = _relabelled(circle, nodes, {**digests, **labels})
    members = {i: _labelled(nodes[i], labels) for i in circle}
    if len(circle) == 1:
        nodes[circle[0]] = members[circle[0]]
        return
    whole = len(nodes)
    ordered = sorted(circle, key=labels.__getitem__)
    nodes.append({"@": "circle", "items": [members[i] for i in ordered]})
    digests[whole] = merkle(nodes[whole], lambda ref: digests[ref.index], notes)
    for i in circle:
        people = _people(members[i])
        nodes[i] = {
            "@": "one of a circle",
            **people,
            "which": labels[i].hex(),
            "circle": Ref(whole),
        }


def _relabelled(circle: list[int], nodes: list[Any], known: dict[int, bytes]) -> dict[int, bytes]:
    return {index: merkle(nodes[index], lambda ref: known[ref.index]) for index in circle}


def _people(tree: Any) -> dict[str, Any]:
    pairs = tree.items() if isinstance(tree, dict) else ()
    return {key: value for key, value in pairs if key.startswith("~")}


def _labelled(tree: Any, labels: dict[int, bytes]) -> Any:
    if isinstance(tree, Ref) and tree.index in labels:
        return {"@": "within the circle", "which": labels[tree.index].hex()}
    if isinstance(tree, dict):
        return {key: _labelled(item, labels) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_labelled(item, labels) for item in tree]
    return tree


@dataclass
class _Writing:
    """Writes a tree once; what came already is a digest."""

    nodes: list[Any]
    digests: dict[int, bytes]
    notes: dict[int, bytes]

    def __post_init__(self) -> None:
        self.seen: set[bytes] = set()

    def write(self, tree: Any, depth: int) -> Any:
        while isinstance(tree, Ref):
            tree = self.nodes[tree.index]
        if not isinstance(tree, dict | list):
            return _short(tree)
        digest = self.notes[id(tree)]
        if isinstance(tree, dict) and "again" in tree:
            return tree
        if digest in self.seen:
            return {"again": digest.hex()}
        if depth > _DEEPEST:
            return {"again": digest.hex()} | _people(tree)
        if _size(tree) > _LONGEST:
            return {"again": digest.hex(), "~length": _size(tree)}
        result = self._each(tree, depth + 1)
        if _worth(result):
            self.seen.add(digest)
        return result

    def _each(self, tree: Any, depth: int) -> Any:
        if isinstance(tree, list):
            return [self.write(item, depth) for item in tree]
        result = {}
        for key, item in tree.items():
            if key.startswith("~"):
                result[key] = item
            elif key == "items" and tree.get("@") in UNORDERED:
                ordered = sorted(item, key=self._digest)
                result[key] = [self.write(each, depth + 1) for each in ordered]
            else:
                result[key] = self.write(item, depth)
        return result

    def _digest(self, tree: Any) -> bytes:
        return merkle(tree, lambda ref: self.digests[ref.index])


def _size(tree: Any) -> int:
    items = tree.get("items") if isinstance(tree, dict) and "@" in tree else tree
    return len(items) if isinstance(items, dict | list) else len(tree)


def _short(scalar: Any) -> Any:
    if isinstance(scalar, str) and len(scalar) > _LONGEST:
        digest = merkle(scalar, lambda ref: b"").hex()
        return {"again": digest, "~length": len(scalar), "~begins": scalar[:40]}
    return scalar


def _worth(tree: Any) -> bool:
    """Whether a written tree is longer than what would stand for it."""
    return _length(tree, _WORTH) >= _WORTH


def _length(tree: Any, enough: int) -> int:
    if isinstance(tree, str):
        return len(tree)
    if not isinstance(tree, dict | list):
        return 6
    total = 0
    for item in (*tree, *tree.values()) if isinstance(tree, dict) else tree:
        total += 2 + _length(item, enough)
        if total >= enough:
            break
    return total
