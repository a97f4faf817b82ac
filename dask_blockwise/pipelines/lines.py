"""YAML with the line of each key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

__all__ = ["Document", "FileError", "read_document", "write_document"]

Path = tuple[Any, ...]
# How what isn't YAML is mended, by far most often.
_MEND = (
    "Behind a name stand ': ', with a space, and its value; what belongs together begins in the "
    "same column, after spaces rather than tabs; brackets and quotes are closed."
)
# What a function of one's own is given may be a tuple, which isn't a list to it.
_TUPLE = "!tuple"


class _Loader(yaml.SafeLoader):
    """Plain values and tuples."""


class _Dumper(yaml.SafeDumper):
    """The same."""


def _tuple(loader: _Loader, node: Any) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


def _as_tuple(dumper: _Dumper, value: tuple[Any, ...]) -> yaml.Node:
    return dumper.represent_sequence(_TUPLE, value, flow_style=True)


_Loader.add_constructor(_TUPLE, _tuple)
_Dumper.add_representer(tuple, _as_tuple)


def write_document(values: Any) -> str:
    """Plain values, and tuples, as YAML.

    Examples
    --------
    >>> print(write_document({"a": {"b": [1, 2], "c": (3, 4)}}), end="")
    a:
      b: [1, 2]
      c: !tuple [3, 4]
    """
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100)


class FileError(ValueError):
    """What is wrong in a file, with the lines and keys."""


@dataclass(frozen=True)
class Document:
    """What a file says."""

    # As people call it.
    name: str
    values: Any
    lines: dict[Path, int]

    def place(self, path: Path) -> str:
        """Line and key of a value, or of the nearest around it."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        dotted = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
        return f"{self.name}:{self.lines.get(known, 1)}: {dotted}".rstrip(" ")


def read_document(text: str, name: str) -> Document:
    """Read YAML: plain values alone, no key twice.

    Raises
    ------
    FileError
        If it isn't YAML, or has tags, or a key twice.

    Examples
    --------
    >>> read_document("a: 1\\nb: {c: [2, 3]}", "it.yaml").place(("b", "c", 1))
    'it.yaml:2: b.c[1]'
    >>> read_document("a: 1\\na: 2", "it.yaml")
    Traceback (most recent call last):
    dask_blockwise.pipelines.lines.FileError: it.yaml:2: a is there twice, first in line 1.
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            values = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        tag = isinstance(error, yaml.constructor.ConstructorError)
        mend = f"No tag but {_TUPLE} is read." if tag else _MEND
        raise FileError(f"{name}:{line}: this isn't plain YAML: {error.problem}. {mend}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FileError(f"{name}: this isn't plain YAML: {error}.") from None
    return Document(name, values, {} if node is None else dict(_lines(node, (), name, set())))


def _lines(node: yaml.Node, path: Path, name: str, met: set[int]) -> Iterator[tuple[Path, int]]:
    if id(node) in met:  # An alias, which may lead in a circle, or to more than any memory holds.
        return
    met.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: dict[Any, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise FileError(
                    f"{name}:{line}: {key.value} is there twice, first in line {seen[key.value]}."
                )
            seen[key.value] = line
            yield (*path, key.value), line
            yield from _lines(value, (*path, key.value), name, met)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield (*path, number), item.start_mark.line + 1
            yield from _lines(item, (*path, number), name, met)
