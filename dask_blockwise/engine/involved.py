"""Notes what pickled functions will find by name in the process that unpickles them."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from cloudpickle import list_registry_pickle_by_value

from ..recipes.by_name import Name, names_used
from ..recipes.installed import is_shared
from ..recipes.names import references

__all__ = ["Involved"]


class Involved:
    """Functions and classes of a person's own that travel by name, and modules that others use.

    An object that finds more by name once it is unpickled says so by a method ``__by_name__``,
    which gives these functions and classes, or names of them as pairs of module and name.

    Examples
    --------
    >>> Involved().names
    frozenset()
    """

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._names: set[Name] = set()

    @property
    def names(self) -> frozenset[Name]:
        """All that they lead to, but for what travels as a whole."""
        if not self._values and not self._names:
            return frozenset()
        by_value = list_registry_pickle_by_value()
        names = names_used(self._values, self._names)
        return frozenset(name for name in names if not _is_within(name[0], by_value))

    def _take(self, found: Any) -> None:
        if isinstance(found, tuple):
            self._names.add(found)
        else:
            self._values.append(found)

    def note(self, value: Any, by_name: bool) -> None:
        """Take in something that is pickled, by its name or as a whole."""
        told = getattr(type(value), "__by_name__", None)
        if told is not None:
            for each in told(value):
                self._take(each)
        elif by_name and is_shared(getattr(value, "__module__", None)):
            self._values.append(value)
        elif not by_name and isinstance(value, FunctionType):
            self._names.update(references(value))


def _is_within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
