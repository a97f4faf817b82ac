"""Properties of segments, as Neuroglancer shows them beside their ids, from a table of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .object_ids import ID, ids_in

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["segment_properties"]

# Columns that are the same for all, or say nothing in numbers.
_UNIT = "unit"


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
    TypeError
        If it is no table.
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
    ids = [str(n) for n in ids_in(table)]
    units = [str(unit) for unit in dict.fromkeys(table.get(_UNIT, ())) if unit]
    in_unit = f", in {' or '.join(units)}" if units else ""
    columns = [name for name in table.columns if name not in (ID, _UNIT)]
    properties = [_property(str(name), table[name].to_numpy(), in_unit) for name in columns]
    return {
        "@type": "neuroglancer_segment_properties",
        "inline": {"ids": ids, "properties": properties},
    }


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
