"""Properties of segments, as Neuroglancer shows them beside their ids, from a table of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["segment_properties"]

_MOST_IDS = 2**64
_ID = "id"
# Columns that are the same for all, or say nothing in numbers.
_UNIT = "unit"
_TIME = "t"


def segment_properties(table: DataFrame) -> dict[str, Any]:
    """All columns of a table of objects, by id.

    Numbers become ``number`` properties, whole ones that fit int32 or uint32 exactly and all others
    as float32, which is what the format has; texts become ``string`` properties, or the ``label``
    and ``description`` of those names.

    Parameters
    ----------
    table : DataFrame
        As ``volume.objects()`` gives it, or any with a column ``id``.

    Returns
    -------
    dict
        What ``segment_properties/info`` holds.

    Raises
    ------
    ValueError
        If there is no column ``id`` of different whole numbers from 0 on, or a column ``t``, or a
        column is of neither numbers nor texts.

    References
    ----------
    Neuroglancer's precomputed segment property format.

    Examples
    --------
    >>> from pandas import DataFrame
    >>> table = DataFrame({"id": [4, 7], "volume": [2.5, 8.0], "unit": ["nanometer"] * 2})
    >>> made = segment_properties(table)["inline"]
    >>> made["ids"], made["properties"][0]["values"], made["properties"][0]["description"]
    (['4', '7'], [2.5, 8.0], 'volume, in nanometer')
    """
    ids = _ids_of(table)
    units = [str(unit) for unit in dict.fromkeys(table.get(_UNIT, ())) if unit]
    in_unit = f", in {' or '.join(units)}" if units else ""
    columns = [name for name in table.columns if name not in (_ID, _UNIT)]
    properties = [_property(str(name), table[name].to_numpy(), in_unit) for name in columns]
    return {
        "@type": "neuroglancer_segment_properties",
        "inline": {"ids": ids, "properties": properties},
    }


def _ids_of(table: DataFrame) -> list[str]:
    if _TIME in table:
        raise ValueError(
            "The table has a column 't': precomputed data have no time, so give the rows of one "
            "time point, table[table['t'] == 0].drop(columns='t')."
        )
    ids = [] if _ID not in table else table[_ID].tolist()
    whole = all(isinstance(n, int) and 0 <= n < _MOST_IDS for n in ids)
    if _ID not in table or not whole or len(set(ids)) != len(ids):
        raise ValueError(
            "A table of objects has a column 'id' of whole numbers from 0 on, each once, as "
            f"volume.objects() makes it; this one has the columns {', '.join(map(str, table))}."
        )
    return [str(n) for n in ids]


def _property(name: str, values: NDArray[Any], in_unit: str) -> dict[str, Any]:
    if values.dtype.kind in "biuf":
        kind, numbers = _numbers(name, values)
        return {
            "id": name,
            "type": "number",
            "data_type": kind,
            "description": name + in_unit * _has_unit(name),
            "values": numbers,
        }
    texts = values.tolist()
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"The column {name!r} has neither numbers nor texts alone: drop it.")
    return {
        "id": name,
        "type": name if name in ("label", "description") else "string",
        "values": texts,
    }


def _has_unit(name: str) -> bool:
    """Whether it is a column of lengths, as tables of objects call them."""
    return name == "volume" or name.split("_")[0] in ("begin", "end", "centroid")


def _numbers(name: str, values: NDArray[Any]) -> tuple[str, list[Any]]:
    """The narrowest of the format's types that holds the numbers, and these."""
    if values.dtype.kind in "biu":
        low, high = (int(end) for end in (values.min(initial=0), values.max(initial=0)))
        for kind in ("uint8", "int8", "uint16", "int16", "uint32", "int32"):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return kind, [int(n) for n in values]
    if not np.isfinite(values.astype(np.float64)).all():
        raise ValueError(
            f"The column {name!r} has values that are no finite numbers, of which JSON knows none: "
            "fill or drop them."
        )
    return "float32", [float(n) for n in values.astype(np.float32)]
