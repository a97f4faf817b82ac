"""Writing what a volume was made by as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from .calls import Call, Unsaid, said
from .lines import write_document
from .reading import first_of
from .schema import key_of, parameters_of
from .stages import all_stages

__all__ = ["written"]


def written(volume: Any, store: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """A file of a volume, and the name that the volume has there.

    Parameters
    ----------
    volume
        With a ``call``, as all that it is made of.
    store : mapping, optional
        Where it is to be stored, and how.

    Raises
    ------
    ValueError
        If something can't be said in a file, with what it is.
    """
    writer = _Writer()
    name = writer.visit(volume)
    values: dict[str, Any] = {"volumes": writer.entries}
    if store is not None:
        given = {key: _stored(key, said(value)) for key, value in store.items()}
        values["store"] = {name: given["path"] if list(given) == ["path"] else given}
    return write_document(values), name


def _stored(name: str, value: Any) -> Any:
    if isinstance(value, Unsaid) or hasattr(type(value), "call"):
        what = value.words if isinstance(value, Unsaid) else repr(value)
        raise ValueError(
            f"{name} of store can't be said in a file: it is {what}. Store what has it, such as "
            "volume.masked(mask)."
        )
    return value


@dataclass
class _Writer:
    """Volumes by the names that they have in a file."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def visit(self, volume: Any) -> str:
        if id(volume) not in self.names:
            call = volume.call
            if call is None:
                raise ValueError(
                    f"{volume!r} can't be said in a file: it was not made by a stage of "
                    "dask_blockwise alone. Store it, and open what is stored."
                )
            entry = self._entry(call)
            name = self._free(_makes(call))
            self.names[id(volume)] = name
            self.entries[name] = entry
        return self.names[id(volume)]

    def _entry(self, call: Call) -> dict[str, Any]:
        """A stage and what it is given, in the stage's own order."""
        parameters = parameters_of(all_stages()[call.stage].function)
        first = first_of(parameters)
        given = dict(call.arguments)
        more = [name for name, (p, _) in parameters.items() if p.kind is p.VAR_KEYWORD]
        own = {name: value for key in more for name, value in given.pop(key, {}).items()}
        ordered = {first: given.pop(first)} | given
        entry = {
            key_of(call.stage, name, first): self._value(call, name, value)
            for name, value in ordered.items()
        }
        return entry | {n: self._value(call, n, value, tuple) for n, value in own.items()}

    def _value(self, call: Call, name: str, value: Any, of_tuple: type = list) -> Any:
        if isinstance(value, Unsaid):
            raise ValueError(
                f"{name} of {call.stage} can't be said in a file: it is {value.words}. Give what a "
                "file can say: numbers, names, paths, and functions that a module has."
            )
        if isinstance(value, dict):
            return {
                key: self._value(call, f"{name}.{key}", each, of_tuple)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            kind = of_tuple if isinstance(value, tuple) else list
            return kind(self._value(call, name, each, of_tuple) for each in value)
        return self.visit(value) if hasattr(type(value), "call") else value

    def _free(self, wanted: str) -> str:
        return next(name for name in _numbered(wanted) if name not in self.entries)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def _makes(call: Call) -> str:
    """What is opened is called as it is where it lies."""
    path = call.arguments.get("path")
    if call.stage == "open" and isinstance(path, str):
        name = PurePath(path).name.partition(".")[0]
        return name if name.isidentifier() else "volume"
    return all_stages()[call.stage].makes
