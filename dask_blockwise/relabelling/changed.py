"""Which ids a repair has changed: a table beside the output."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..storage.documents import put, read_surely
from ..storage.location import location_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["changed_path", "read_changed", "write_changed"]

_COLUMNS = ["old", "new", "voxels"]


def changed_path(output: str) -> str:
    """Where the table of an output lies."""
    return f"{output}.changed.csv"


def write_changed(path: str, changed: NDArray[np.uint64]) -> None:
    """Write a table of old id, new id and voxels, as `keep_ids` has them."""
    from pandas import DataFrame

    put(*_place(path), DataFrame(changed, columns=_COLUMNS).to_csv(index=False).encode())


def read_changed(path: str) -> DataFrame:
    """Read the table."""
    from pandas import read_csv

    table = BytesIO(read_surely(*_place(path)))
    return read_csv(table, dtype=dict.fromkeys(_COLUMNS, np.uint64))


def _place(path: str) -> tuple[str, str]:
    """The folder, or URL, and the name in it."""
    folder, _, name = location_of(path).rpartition("/")
    return folder, name
