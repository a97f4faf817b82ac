"""Tables of objects: what each block counts of its labels, joined to one row an object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .ids import check_labels

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["check_names", "count_objects", "finish", "join", "names_of"]

_HOW = {"begin": "min", "end": "max"}


def names_of(name: str, channels: int | None) -> list[str]:
    """How means of a volume are called: by its name, and by number where it has channels.

    Examples
    --------
    >>> names_of("raw", None), names_of("raw", 2)
    (['raw'], ['raw_0', 'raw_1'])
    """
    return [name] if channels is None else [f"{name}_{n}" for n in range(channels)]


def check_names(measured: Mapping[str, int | None]) -> None:
    """Refuse volumes, by name and with how many channels, of which two means would be called alike.

    Raises
    ------
    ValueError
    """
    names = [one for name, channels in measured.items() for one in names_of(name, channels)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"Two columns of the table would be called mean_{twice[0]}, as channels are numbered: "
            "give one of the volumes another name."
        )


def count_objects(
    labels: NDArray[np.integer],
    values: Mapping[str, NDArray[Any]],
    begin: Sequence[int],
    axes: Sequence[str],
) -> DataFrame:
    """Voxels, extent and sums of the labels of one block, exact for integers up to 32 bits.

    Parameters
    ----------
    labels : ndarray of int
        0 is background. Along an axis "t", each time point has objects of its own.
    values : mapping of str to ndarray, of the same shape
        What is to be summed over each label, by name.
    begin : sequence of int
        The block's first voxel in the volume.
    axes : sequence of str
        Their names.

    Returns
    -------
    DataFrame
        A row a label (and time point, ``t``): ``id``, ``voxels``, along each axis of space
        ``begin_``, ``end_`` (one past the last) and ``sum_`` of its voxels' positions, and
        ``total_`` of each of the values.

    Raises
    ------
    TypeError, ValueError
        If the labels aren't integers, or one is negative.

    Examples
    --------
    >>> labels, grey = np.array([[0, 7, 7], [5, 7, 0]]), np.array([[9, 1, 2], [3, 4, 9]], np.uint8)
    >>> count_objects(labels, {"grey": grey}, (10, 0), ("y", "x")).to_dict("list")
    {'id': [5, 7], 'voxels': [1, 3], 'begin_y': [11, 10], 'end_y': [12, 12], 'sum_y': [11, 31],
     'begin_x': [0, 1], 'end_x': [1, 3], 'sum_x': [0, 4], 'total_grey': [3, 7]}
    """
    from pandas import DataFrame

    check_labels(labels)
    # Neighbouring voxels mostly have the same label, so runs along the last axis are counted.
    starts = _starts(labels)
    ids, length = labels.reshape(-1)[starts], np.diff(starts, append=labels.size)
    position = np.unravel_index(starts, labels.shape)
    columns = {"id": ids.astype(np.uint64), "voxels": length}
    for axis, here, first in zip(axes, position, begin, strict=True):
        low = here + first
        high = low + (length if axis == axes[-1] else 1)
        extent = {"begin": low, "end": high, "sum": (low + high - 1) * length // 2}
        columns |= {f"{name}_{axis}": value for name, value in extent.items()}
    for name, value in values.items():
        columns[f"total_{name}"] = _run_sums(value, starts)
    runs = DataFrame(columns)
    return _by_object(runs[runs["id"] > 0])


def join(parts: Iterable[DataFrame], rows: int = 1 << 22) -> DataFrame:
    """One row an object, from those that blocks counted.

    Parameters
    ----------
    parts : iterable of DataFrame
        As from `count_objects`.
    rows : int
        Parts are put together by so many rows, so that all of them never are in memory.
    """
    from pandas import concat

    held: list[DataFrame] = []
    for part in parts:
        held.append(part)
        if len(held) > 1 and sum(map(len, held)) > rows:
            held = [_by_object(concat(held))]
    return _by_object(concat(held))


def finish(
    counted: DataFrame,
    axes: Sequence[str],
    voxel_size: Sequence[float],
    offset: Sequence[float],
    unit: str,
    parts: int = 1,
) -> DataFrame:
    """Positions and sizes in the given unit, and means, from voxels and sums.

    Voxel size and offset are so many parts of the unit, so that positions are as exact as floats.

    Examples
    --------
    >>> counted = count_objects(np.array([[4, 4, 0]]), {}, (0, 0), ("y", "x"))
    >>> print(finish(counted, ("y", "x"), (10, 5), (0, 100), "nanometer").T[0].to_string())
    id                    4
    voxels                2
    volume            100.0
    begin_y               0
    begin_x             100
    end_y                10
    end_x               110
    centroid_y          5.0
    centroid_x        105.0
    unit          nanometer
    """
    from pandas import DataFrame

    place = list(zip(axes, voxel_size, offset, strict=True))
    space = [(axis, size, at) for axis, size, at in place if axis != "t"]
    voxels = counted["voxels"]
    columns: dict[str, Any] = {"id": counted["id"]}
    if "t" in axes:
        columns["t"] = _in_units(counted["begin_t"] * voxel_size[0] + offset[0], parts)
    volume = voxels * prod(float(size) for _, size, _ in space)
    columns |= {"voxels": voxels, "volume": volume / float(parts) ** len(space)}
    for side in "begin", "end":
        ends = {f"{side}_{a}": counted[f"{side}_{a}"] * size + at for a, size, at in space}
        columns |= {name: _in_units(values, parts) for name, values in ends.items()}
    for axis, size, at in space:
        # A voxel's middle is half a voxel after where it begins.
        columns[f"centroid_{axis}"] = ((counted[f"sum_{axis}"] / voxels + 0.5) * size + at) / parts
    for name in counted.filter(regex="^total_"):
        columns[name.replace("total_", "mean_", 1)] = counted[name] / voxels
    return DataFrame(columns | {"unit": unit})


def _in_units(values: Any, parts: int) -> Any:
    return values if parts == 1 else values / parts


def _by_object(rows: DataFrame) -> DataFrame:
    keys = [name for name in ("begin_t", "id") if name in rows]
    how = {name: _HOW.get(name.split("_")[0], "sum") for name in rows if name not in keys}
    table = rows.groupby(keys, as_index=False).agg(how)
    # Pandas sums what isn't NaN; of the rest the mean would be too small.
    totals = rows.filter(regex="^total_").select_dtypes("floating")
    if totals.isna().any(axis=None):
        unknown = totals.isna().groupby([rows[key] for key in keys]).any()
        table[totals.columns] = table[totals.columns].mask(unknown.to_numpy())
    return table


def _starts(labels: NDArray[np.integer]) -> NDArray[np.intp]:
    """Where runs of one label along the last axis start, in the flattened labels."""
    changes = np.ones(labels.shape, bool)
    np.not_equal(labels[..., 1:], labels[..., :-1], out=changes[..., 1:])
    return np.flatnonzero(changes)


def _run_sums(values: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[Any]:
    # Sums of 64-bit integers would overflow.
    wide = np.float64 if values.dtype.kind == "f" or values.dtype.itemsize == 8 else np.int64
    return np.add.reduceat(values.reshape(-1), starts, dtype=wide)
