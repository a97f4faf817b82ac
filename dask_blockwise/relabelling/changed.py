"""Which ids a repair has changed: a table beside the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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

    DataFrame(changed, columns=_COLUMNS).to_csv(path, index=False)


def read_changed(path: str) -> DataFrame:
    """Read the table."""
    from pandas import read_csv

    return read_csv(path, dtype=dict.fromkeys(_COLUMNS, np.uint64))
