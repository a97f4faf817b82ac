"""`recipe_of`: each value once, by the describer that knows its kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dask_blockwise.recipes.digest import Recipe
from dask_blockwise.recipes.functions import callable_tree
from dask_blockwise.recipes.graph import Ref, written
from dask_blockwise.recipes.objects import object_tree, opaque_tree
from dask_blockwise.recipes.tree import PLAIN, Part, Verbatim, mapping_tree, plain
from dask_blockwise.recipes.values import value_tree

__all__ = ["Graph", "parts_of", "recipe_of"]


def recipe_of(value: Any) -> Recipe:
    """What a value is by what it does, as a tree that JSON can hold.

    Plain values stand as they are. Arrays and tensors are known by shape, dtype and content.
    Functions and classes of a person's own are known by what they do, with all that they use,
    and never by where they stand: comments, docstrings, layout, file and place don't count. What
    is installed is known by name and version. An object with a method `__recipe__` is what that
    gives: a dict's keys that begin with "~" are for people, and all else is described in turn. A
    dict with other keys than plain text stands as pairs. What comes again is
    `{"again": digest}`, as is what is long or lies deep.

    Parameters
    ----------
    value : object
        Anything; what can't be described, such as a lock, is known by its type.

    Returns
    -------
    Recipe
        None, bool, int, float, str, and lists and dicts of these. Nodes that stand for something
        else than plain values have its kind under the key "@".

    Examples
    --------
    >>> from pathlib import Path
    >>> from dask_blockwise.recipes import digest_of, recipe_of
    >>> recipe_of({"threshold": 0.5, "shape": (2, 3), "folder": Path("raw")})
    {'threshold': 0.5, 'shape': [2, 3], 'folder': {'@': 'path', 'value': 'raw'}}

    A function is what it does:

    >>> def double(x):
    ...     "Twice as much."
    ...     return 2 * x
    >>> digest_of(recipe_of(double)) == digest_of(recipe_of(lambda x: 2 * x))
    True
    """
    graph = Graph()
    # Its own pairs are what a caller asks of, in whichever order; those of dicts within count.
    root = graph.placed(mapping_tree(value)) if type(value) is dict else graph.place(value)
    graph.finish()
    return written(root, graph.nodes)


def parts_of(value: Any, apart_from: Iterable[Any] = ()) -> list[Any]:
    """All that a value's recipe describes: itself, and what it holds and uses, however deep.

    Parameters
    ----------
    value : object
    apart_from : iterable of object
        What isn't looked into.

    Examples
    --------
    >>> from dask_blockwise.recipes import parts_of
    >>> limits = (2, 3)
    >>> limits in parts_of(lambda x: x.clip(*limits))
    True
    """
    graph = Graph()
    for other in apart_from:
        graph.place(other)
    graph.nodes = [None] * len(graph.values)
    graph.place(value)
    graph.finish()
    return graph.values


class Graph:
    """Nodes of values, each described once, however many refer to it."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.values: list[Any] = []  # Kept, so that no other value takes an identity.
        self.indices: dict[int, int] = {}

    def place(self, value: Any) -> Any:
        """What stands for a value in another's tree."""
        if type(value) in PLAIN:
            return plain(value)
        index = self.indices.setdefault(id(value), len(self.values))
        if index == len(self.values):
            self.values.append(value)
        return Ref(index)

    def finish(self) -> None:
        while len(self.nodes) < len(self.values):
            self.nodes.append(self.placed(_described(self.values[len(self.nodes)])))

    def placed(self, tree: Any) -> Any:
        """A tree with what stands for the values in it."""
        if isinstance(tree, Part):
            return self.place(tree.value)
        if isinstance(tree, dict):
            return {key: self.placed(item) for key, item in tree.items()}
        if isinstance(tree, list):
            return [self.placed(item) for item in tree]
        return tree


def _described(value: Any) -> Any:
    if type(value) is Verbatim:
        return value.recipe
    recipe = getattr(type(value), "__recipe__", None)
    if recipe is not None:
        return _own_words(recipe(value))
    try:
        for tree_of in (value_tree, callable_tree, object_tree):
            tree = tree_of(value)
            if tree is not None:
                return tree
    except Exception:  # An odd value may raise anything when it is asked.
        return opaque_tree(value)
    return opaque_tree(value)


def _own_words(given: Any) -> Any:
    """What a method `__recipe__` gave; only there keys for people are keys for people."""
    if type(given) is not dict:
        return Part(given)
    people = {key: str(text) for key, text in given.items() if str(key)[:1] == "~"}
    return people | mapping_tree({key: part for key, part in given.items() if key not in people})
