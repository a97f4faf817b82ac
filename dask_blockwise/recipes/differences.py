"""What a person is told of two recipes that aren't the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dask_blockwise.recipes.digest import Recipe, digest_of
from dask_blockwise.recipes.sentences import Lookup, is_scalars, shown, title

__all__ = ["differences"]

_MOST = 6
_MARK = "@"


def differences(old: Recipe, new: Recipe) -> list[str]:
    """What changed from one recipe to another, in short sentences for people.

    Parameters
    ----------
    old, new : Recipe
        From `recipe_of`, or read from what was stored.

    Returns
    -------
    list of str
        Empty if both have the same digest. Each sentence once; of many the first, and how many
        more there are.

    Examples
    --------
    >>> from dask_blockwise.recipes import differences, recipe_of
    >>> old = recipe_of({"threshold": 0.5, "block_shape": (64, 64)})
    >>> differences(old, recipe_of({"threshold": 0.6, "block_shape": (64, 64)}))
    ['threshold 0.5 -> 0.6']
    """
    comparison = _Comparison(Lookup(old), Lookup(new))
    said = list(dict.fromkeys(comparison.of("", old, new)))
    if not said and digest_of(old) != digest_of(new):
        said = ["changed"]
    if len(said) > _MOST:
        said = [*said[: _MOST - 1], f"and {len(said) - _MOST + 1} more"]
    return said


class _Comparison:
    """Walks two trees at once; `where` is what a person calls the place."""

    def __init__(self, old: Lookup, new: Lookup) -> None:
        self.old = old
        self.new = new
        self.done: set[tuple[str, str, str]] = set()

    def of(self, where: str, old: Any, new: Any) -> Iterator[str]:
        digests = self.old.digest(old), self.new.digest(new)
        if digests[0] == digests[1] or (where, *digests) in self.done:
            return
        self.done.add((where, *digests))
        old, new = self.old.full(old), self.new.full(new)
        if _is_cut(old) or _is_cut(new):
            apart = shown(old) != shown(new)
            yield _spaced(where, f"{shown(old)} -> {shown(new)}" if apart else "changed")
        elif isinstance(old, dict) and isinstance(new, dict) and old.get(_MARK) == new.get(_MARK):
            yield from self._of_kind(where, old, new)
        elif isinstance(old, list) and isinstance(new, list):
            yield from self._of_lists(where, old, new)
        else:
            yield _spaced(where, f"{shown(old)} -> {shown(new)}")

    def _of_kind(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        if old.get(_MARK) == "within the circle":
            return  # What it stands for is told where it stands.
        kinds: dict[str, Callable[[str, Any, Any], Iterator[str]]] = {
            "function": self._of_functions,
            "class": self._of_classes,
            "installed": self._of_installed,
            "object": self._of_objects,
            "one of a circle": self._of_circles,
            "circle": self._of_members,
            "dict": self._of_pairs,
            "dict in order": self._of_pairs,
        }
        kind = str(old.get(_MARK, ""))
        if kind in kinds:
            yield from kinds[kind](where, old, new)
        elif kind in ("partial", "method", "cached", "staticmethod", "classmethod", "property"):
            yield from self._of_keys(where, old, new, unnamed=("function", "self", "get"))
        elif not kind or kind in ("module", "enum", "singledispatch", "compiled from Python"):
            yield from self._of_keys(where, old, new, unnamed=("members", "function", "functions"))
        elif shown(old) == shown(new):
            yield _spaced(where, "values changed")
        else:
            yield _spaced(where, f"{shown(old)} -> {shown(new)}")

    def _of_keys(
        self,
        where: str,
        old: dict[str, Any],
        new: dict[str, Any],
        unnamed: tuple[str, ...] = (),
    ) -> Iterator[str]:
        """Of two dicts; the keys that a person has no use for don't become the place's name."""
        named = str(new.get("~name", "")) if _MARK not in new else ""
        before = f"{named}: " if named else ""
        for key in [*old, *(key for key in new if key not in old)]:
            if key.startswith("~") or key == _MARK:
                continue
            place = where if key in unnamed and _MARK in new else key
            yield from (before + line for line in self._of_either(place, key, old, new))

    def _of_either(
        self, where: str, key: str, old: dict[str, Any], new: dict[str, Any]
    ) -> Iterator[str]:
        if key not in new:
            yield _spaced(where, f"{shown(self.old.full(old[key]))} removed")
        elif key not in old:
            yield _spaced(where, f"{shown(self.new.full(new[key]))} added")
        else:
            yield from self.of(where, old[key], new[key])

    def _of_lists(self, where: str, old: list[Any], new: list[Any]) -> Iterator[str]:
        if len(old) != len(new) or (is_scalars(old) and is_scalars(new)):
            yield _spaced(where, f"{shown(old)} -> {shown(new)}")
            return
        for n, (left, right) in enumerate(zip(old, new)):
            yield from self.of(f"{where}[{n}]", left, right)

    def _of_pairs(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        left, right = ({shown(key): item for key, item in each["items"]} for each in (old, new))
        for key in [*left, *(key for key in right if key not in left)]:
            yield from self._of_either(f"{where}[{key}]", key, left, right)
        if list(left) != list(right) and left.keys() == right.keys():
            yield _spaced(where, "in another order")

    def _of_installed(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        if old["name"] != new["name"]:
            yield _spaced(where, f"{old['name']} -> {new['name']}")
        elif (old["from"], old["version"]) != (new["from"], new["version"]):
            yield f"{old['from']} {old['version']} -> {_other(old, new)}{new['version']}"
        else:
            rest = [{k: v for k, v in each.items() if k != "name"} for each in (old, new)]
            if old.get("body") != new.get("body"):
                yield f"{old['name']}: body changed"
            inner = ("closure", "function", "defaults", "arguments")
            for key in inner:
                yield from self._of_either(where, key, *rest) if key in rest[0] else ()

    def _of_objects(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        yield from self.of(where, old["class"], new["class"])
        for key in ("made by", "name", "arguments", "state", "list", "dict", "code", "token"):
            if key in old or key in new:
                yield from self._of_either(where or str(new["~name"]), key, old, new)

    def _of_circles(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        said = list(self.of(where, old["circle"], new["circle"]))
        yield from said or [_spaced(where, f"{shown(old)} -> {shown(new)}")]

    def _of_members(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        left, right = ({shown(item): item for item in each["items"]} for each in (old, new))
        for name in [*left, *(name for name in right if name not in left)]:
            yield from self._of_either(
                "" if name in left and name in right else where, name, left, right
            )

    def _of_functions(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        if old["python"] != new["python"]:
            yield f"Python {old['python']} -> {new['python']}"
        elif old["body"] != new["body"]:
            yield f"{_called('function', where, new)}: body changed"
        yield from self._of_defaults(where, old, new)
        yield from self._of_names("closure value", "closure", where, old, new)
        yield from self._of_names("global", "globals", where, old, new)
        yield from self._of_names("attribute", "attributes", where, old, new)

    def _of_defaults(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        left, right = old.get("defaults", {}), new.get("defaults", {})
        for name in [*left, *(name for name in right if name not in left)]:
            place = f"{_called('function', where, new)}: default of {name}"
            yield from self._of_either(place, name, left, right)

    def _of_names(
        self, kind: str, key: str, where: str, old: dict[str, Any], new: dict[str, Any]
    ) -> Iterator[str]:
        """Names that both use; a name more or less is mostly a body that changed."""
        left, right = old.get(key, {}), new.get(key, {})
        for name in [*left, *(name for name in right if name not in left)]:
            if name not in left or name not in right:
                if old["body"] == new["body"]:
                    yield from self._of_either(
                        f"{kind} {name} of {title('', new)}", name, left, right
                    )
            elif _is_code(self.new.full(right[name])) and _is_code(self.old.full(left[name])):
                outer = where.partition(": ")[0] if _in_code(where) else title("function", new)
                yield from self.of(f"{outer}: helper", left[name], right[name])
            else:
                yield from self.of(f"{kind} {name} of {title('', new)}", left[name], right[name])

    def _of_classes(self, where: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
        named = _called("class", where, new)
        yield from self.of(f"{named}: base", old["bases"], new["bases"])
        for key in ("metaclass", "values", "defaults"):
            if key in old or key in new:
                yield from self._of_either(f"{named}: {key}", key, old, new)
        left, right = old["members"], new["members"]
        for name in [*left, *(name for name in right if name not in left)]:
            yield from self._of_class_members(named, name, left, right)

    def _of_class_members(
        self, named: str, name: str, left: dict[str, Any], right: dict[str, Any]
    ) -> Iterator[str]:
        member = self.new.full(right.get(name, left.get(name)))
        kind = "method" if _is_code(member) else "attribute"
        if name not in left or name not in right:
            yield f"{named}: {kind} {name} {'added' if name in right else 'removed'}"
        elif kind == "method" and _is_code(self.old.full(left[name])):
            lines = self.of(f"{named}: method", left[name], right[name])
            yield from (
                line.replace(f"method {name}: body changed", f"method {name} changed")
                for line in lines
            )
        else:
            yield from self.of(f"{named}: {kind} {name}", left[name], right[name])


def _is_cut(tree: Any) -> bool:
    """Whether a recipe was too long or deep to be written."""
    return isinstance(tree, dict) and "again" in tree


def _other(old: dict[str, Any], new: dict[str, Any]) -> str:
    return "" if old["from"] == new["from"] else f"{new['from']} "


def _called(kind: str, where: str, tree: dict[str, Any]) -> str:
    """A function or class by its part in what is around it, else by its kind."""
    outer, _, part = where.rpartition(": ")
    if _in_code(where):
        return f"{outer}: {title(part, tree, file=part == 'helper')}"
    return title(kind, tree)


def _in_code(where: str) -> bool:
    return where.rpartition(": ")[2] in ("method", "helper")


def _is_code(tree: Any) -> bool:
    if not isinstance(tree, dict):
        return False
    kinds = ("function", "class", "one of a circle", "staticmethod", "classmethod", "property")
    return tree.get(_MARK) in kinds


def _spaced(where: str, text: str) -> str:
    return f"{where} {text}" if where else text
