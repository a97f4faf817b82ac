"""Ids of a table that has a row for each object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["ID", "ids_in"]

ID = "id"
_TIME = "t"
_MOST_IDS = 2**64


def ids_in(table: DataFrame | Any) -> list[int]:
    """The ids of a table of objects, row by row.

    Raises
    ------
    TypeError
        If it is no table.
    ValueError
        If there is no column ``id`` of different whole numbers from 0 on, or a column ``t``.
    """
    if not hasattr(table, "columns"):
        raise TypeError(
            f"A table of objects is a DataFrame, as volume.objects() makes it, got {table!r:.80}."
        )
    if _TIME in table:
        raise ValueError(
            "The table has a column 't', and labels are told of once for all time points: give "
            "the rows of one, table[table['t'] == 0].drop(columns='t')."
        )
    ids = [] if ID not in table else table[ID].tolist()
    whole = all(isinstance(n, int) and 0 <= n < _MOST_IDS for n in ids)
    if ID not in table or not whole or len(set(ids)) != len(ids):
        raise ValueError(
            "A table of objects has a column 'id' of whole numbers from 0 on, each once, as "
            f"volume.objects() makes it; this one has the columns {', '.join(map(str, table))}."
        )
    return ids
