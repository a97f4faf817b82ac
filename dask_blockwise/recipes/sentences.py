"""How parts of recipes read to people."""

from __future__ import annotations

from typing import Any

from dask_blockwise.recipes.digest import Recipe, digest_of, merkle

__all__ = ["Lookup", "is_scalars", "shown", "title"]

_LONGEST = 60


class Lookup:
    """The parts of a recipe by their digests, so that what is said once is found again."""

    def __init__(self, recipe: Recipe) -> None:
        self._digests: dict[int, bytes] = {}
        self._known: dict[str, Any] = {}
        merkle(recipe, lambda leaf: b"", self._digests)
        self._collect(recipe)

    def digest(self, tree: Any) -> str:
        """As `digest_of`, of a part without a walk through it."""
        known = self._digests.get(id(tree))
        return digest_of(tree) if known is None else known.hex()

    def full(self, tree: Any) -> Any:
        """What stands behind a digest, where the recipe has it."""
        if not isinstance(tree, dict) or "again" not in tree:
            return tree
        return self._known.get(tree["again"], tree)

    def _collect(self, tree: Any) -> None:
        if isinstance(tree, dict | list) and not (isinstance(tree, dict) and "again" in tree):
            self._known[self.digest(tree)] = tree
            for item in tree.values() if isinstance(tree, dict) else tree:
                self._collect(item)


def title(kind: str, tree: dict[str, Any], *, file: bool = True) -> str:
    """Such as "function smooth in filters.py"."""
    words = [kind, str(tree.get("~name", ""))]
    if file and "~file" in tree:
        words += ["in", str(tree["~file"])]
    return " ".join(word for word in words if word)


def is_scalars(values: list[Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)


def shown(tree: Any) -> str:
    """A value in a few words."""
    if isinstance(tree, dict):
        return _cut(_path_of(tree) or _shown_dict(tree))
    if isinstance(tree, list):
        if len(tree) > 12:
            return f"{len(tree)} values"
        inner = ", ".join(map(shown, tree))
        return _cut(f"({inner},)" if len(tree) == 1 else f"({inner})")
    return _cut(tree if isinstance(tree, str) and tree else repr(tree))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _path_of(tree: dict[str, Any]) -> str:
    """Where an array lies that is read from a store; nothing of what is no such array."""
    array = tree.get("stored", tree)
    return str(array.get("~path", "")) if isinstance(array, dict) and "@" not in tree else ""


def _shown_dict(tree: dict[str, Any]) -> str:
    kind = str(tree.get("@", ""))
    if kind in ("array", "tensor"):
        return f"{kind} {shown(tree['shape'])} {tree['dtype']}"
    if kind == "installed":
        return str(tree["name"])
    if "~name" in tree:
        return title(kind if kind in ("function", "class") else "", tree)
    for key in ("value", "name"):
        if kind and key in tree:
            return shown(tree[key])
    if "again" in tree:
        return str(tree.get("~begins", f"{tree.get('~length', 'many')} values"))
    if kind in ("dict", "dict in order"):
        return f"{{{', '.join(f'{shown(key)}: {shown(value)}' for key, value in tree['items'])}}}"
    if kind in ("set", "frozenset"):
        return f"{{{', '.join(sorted(map(shown, tree['items'])))}}}"
    if kind:
        return kind
    return f"{{{', '.join(f'{key}: {shown(value)}' for key, value in tree.items())}}}"
