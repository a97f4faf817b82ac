"""Corrections of objects: groups of ids, as a person lists them, or keeps in CSV or a viewer."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

__all__ = ["Groups", "groups_of"]

# Lists of ids; or a file that has them.
Groups = Iterable[Iterable[int]] | str | os.PathLike[str]

# Of a column; a first row that is none, such as "3;7", holds ids that would be lost.
_NAME = re.compile(r"[#\s]*[^\W\d]")


def groups_of(given: Groups | None, what: str) -> list[tuple[int, ...]]:
    """Groups of ids.

    Parameters
    ----------
    given : lists of int, or path
        Of a CSV file, which has a group in each row (a first row of names is skipped), or of a JSON
        state of Neuroglancer, whose segmentation layers have merged segments as ``equivalences``.
    what : str
        What it is called in errors.

    Raises
    ------
    ValueError
        If a file isn't understood, or an id isn't a positive whole number.

    Examples
    --------
    >>> groups_of([(3, 7), [8]], "merge")
    [(3, 7), (8,)]
    """
    if given is None:
        return []
    if isinstance(given, str | os.PathLike):
        path = Path(given).expanduser()
        read = _of_state if path.suffix.lower() == ".json" else _of_csv
        return [_checked(group, f"{what} in {path}") for group in read(path)]
    return [_checked(group, what) for group in given]


def _of_csv(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [[cell.strip() for cell in row if cell.strip()] for row in csv.reader(file)]
    if rows and all(map(_NAME.match, rows[0])):
        rows = rows[1:]
    return [row for row in rows if row]


def _of_state(path: Path) -> list[Any]:
    try:
        state = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} isn't a JSON state of Neuroglancer: {error}.") from error
    layers = state.get("layers") if isinstance(state, Mapping) else None
    if not isinstance(layers, list):
        raise ValueError(
            f"{path} isn't a state of Neuroglancer, which has a list of layers: save what its "
            "{} button shows."
        )
    return [group for layer in layers for group in layer.get("equivalences") or ()]


def _checked(group: Any, what: str) -> tuple[int, ...]:
    ids = tuple(map(_id, group)) if isinstance(group, Iterable) and group else ()
    if not ids or any(one is None for one in ids):
        raise ValueError(
            f"{what} is groups of ids, positive whole numbers such as (3, 7), got {group!r:.80}."
        )
    return tuple(one for one in ids if one is not None)


def _id(given: Any) -> int | None:
    if isinstance(given, str) and given.strip().isdecimal():
        given = int(given)
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    return int(given) if whole and 0 < int(given) < 2**64 else None
