"""Colours and properties of labels, as OME-Zarr's ``image-label`` keeps them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from math import isfinite
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from .object_ids import ID, ids_in

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Colors", "colors_of", "properties_of", "with_both"]

# Of labels, and of all others for None: "#rrggbb", "#rrggbbaa", or numbers up to 255.
Colors = Mapping[int | None, str | Sequence[int]]

_LABEL, _RGBA = "label-value", "rgba"
_HEX = re.compile(r"#(?:[0-9a-fA-F]{2}){3,4}")
_NAMED = 5


def colors_of(colors: Colors) -> tuple[list[dict[str, Any]], list[int] | None]:
    """An entry for each label, in the order of labels; and the colour of all others, if given.

    Raises
    ------
    TypeError, ValueError
        If a label is no whole number, or a colour isn't understood.

    Examples
    --------
    >>> colors_of({7: "#ff0000", 2: (0, 255, 0, 128), None: "#80808080"})[0][0]
    {'label-value': 2, 'rgba': [0, 255, 0, 128]}
    """
    if not isinstance(colors, Mapping):
        raise TypeError(
            "colors has a colour for each label, such as {1: '#ff0000', 2: (0, 255, 0)}, got "
            f"{colors!r:.80}."
        )
    others = _rgba(colors[None]) if None in colors else None
    each = {_label(label): _rgba(colors[label]) for label in colors if label is not None}
    return [{_LABEL: label, _RGBA: each[label]} for label in sorted(each)], others


def properties_of(properties: DataFrame | Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """An entry for each label, in the order of labels, without what is missing or not finite.

    Raises
    ------
    TypeError, ValueError
        If it is neither a table of objects nor a mapping, or JSON can't hold a value.

    Examples
    --------
    >>> properties_of({2: {"kind": "axon", "length": float("nan")}, 1: {"length": 4.5}})
    [{'label-value': 1, 'length': 4.5}, {'label-value': 2, 'kind': 'axon'}]
    """
    rows = _rows(properties)
    for label, row in rows.items():
        try:
            json.dumps(row, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"JSON can't hold the properties of label {label}, {row}.") from error
    return [{_LABEL: label, **rows[label]} for label in sorted(rows)]


def with_both(
    colors: Sequence[Mapping[str, Any]],
    properties: Sequence[Mapping[str, Any]],
    others: list[int] | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Colours and properties of the same labels, as readers want them where there are both.

    Raises
    ------
    ValueError
        If labels have properties and no colour, and none is given for all others; or one is, and
        there are none.
    """
    colored, told = (
        {entry[_LABEL]: dict(entry) for entry in each} for each in (colors, properties)
    )
    if others is not None and not told:
        raise ValueError(
            "colors has one for None, of all other labels that have properties, and none has: give "
            "properties, or the colour of each label."
        )
    if not told or not (colored or others):
        return list(colored.values()), list(told.values())
    lacking = sorted(told.keys() - colored.keys())
    if lacking and others is None:
        named = ", ".join(map(str, lacking[:_NAMED])) + ", ..." * (len(lacking) > _NAMED)
        raise ValueError(
            f"Of the labels with properties {named} have no colour, and others do, which not all "
            "readers take: give all others one, colors={..., None: '#808080'}."
        )
    colored |= {label: {_LABEL: label, _RGBA: others} for label in lacking}
    told |= {label: {_LABEL: label} for label in colored.keys() - told.keys()}
    return [colored[n] for n in sorted(colored)], [told[n] for n in sorted(told)]


def _rows(properties: Any) -> dict[int, dict[str, Any]]:
    """What is said of each label."""
    if not isinstance(properties, Mapping):
        ids, columns = ids_in(properties), [str(c) for c in properties.columns if c != ID]
        values = zip(*(properties[column].tolist() for column in columns), strict=True)
        rows = [dict(zip(columns, row, strict=True)) for row in values] or [{} for _ in ids]
        return dict(zip(ids, map(_said, rows), strict=True))
    for label, row in properties.items():
        if not isinstance(row, Mapping):
            raise TypeError(
                "properties is a table of objects, or has names and values for each label, such "
                f"as {{1: {{'kind': 'axon'}}}}, got {row!r:.80} for label {label!r}."
            )
    return {_label(label): _said(row) for label, row in properties.items()}


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = {str(k): v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
    return {k: v for k, v in plain.items() if v is not None and not _is_no_number(v)}


def _is_no_number(value: Any) -> bool:
    return isinstance(value, float) and not isfinite(value)


def _label(given: Any) -> int:
    if not isinstance(given, Integral) or isinstance(given, bool):
        raise TypeError(f"A label is a whole number, got {given!r}.")
    return int(given)


def _rgba(given: Any) -> list[int]:
    if isinstance(given, str) and _HEX.fullmatch(given):
        numbers = list(bytes.fromhex(given[1:]))
    else:
        listed = list(given) if isinstance(given, Sequence | np.ndarray) else []
        whole = all(isinstance(n, Integral) and 0 <= int(n) <= 255 for n in listed)
        numbers = [int(n) for n in listed] if whole else []
    if len(numbers) not in (3, 4):
        raise ValueError(
            "A colour is '#rrggbb' or '#rrggbbaa', or 3 or 4 whole numbers from 0 to 255, got "
            f"{given!r}."
        )
    return [*numbers, 255][:4]
