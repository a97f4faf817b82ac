"""Objects as a person has corrected them, without segmenting anything again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from bioimage_cpp.utils import UnionFind
from numpy.typing import NDArray

from ..geometry.boxes import Index
from ..labels.corrections import Groups, groups_of
from ..volumes.source import Source, Voxels
from ..volumes.volume import Volume
from .fragment_graph import kept_table, mapped, supervoxel_ids

__all__ = ["correct"]


def correct(
    stored: str | os.PathLike[str], *, merge: Groups | None = None, split: Groups | None = None
) -> Volume:
    """Apply corrections to stored objects, by the fragments that were kept beside them.

    All other objects keep their ids: of merged ones the smallest stays, what is split off gets ids
    after the largest.

    Parameters
    ----------
    stored : path or URL
        Of what ``relabel`` or ``agglomerate`` made with ``keep_scratch=True``.
    merge : lists of ids, or path, optional
        Ids of objects, each group of which is one object; in the rows of a CSV file, or as
        ``equivalences`` in a JSON state of Neuroglancer.
    split : lists of ids, or path, optional
        Ids of supervoxels, as ``fragment_graph(...).fragments`` has them: each group becomes an
        object of its own. In the rows of a CSV file. Splits come before merges.

    Returns
    -------
    Volume of uint64
        Lazy; ``to_zarr(path)`` stores it.

    Raises
    ------
    FileNotFoundError
        If the fragments weren't kept.
    ValueError
        If there is no such object or supervoxel, one is in several groups that are split off, a
        group is of several objects, or something else was stored there since.

    Examples
    --------
    >>> from dask_blockwise import connected_components, relabel
    >>> mask = Volume.from_array(np.array([[1, 1, 0, 1, 0, 1]], np.uint8), chunks=(1, 2))
    >>> objects = relabel(connected_components(mask), match="touch", keep_scratch=True)
    >>> _ = objects.to_zarr("out.zarr/objects", progress=False)
    >>> correct("out.zarr/objects", merge=[(1, 3)])[:]
    array([[1, 1, 0, 2, 0, 1]], dtype=uint64)
    """
    fragments, starts, objects = kept_table(stored)
    ids = supervoxel_ids(starts)
    corrected = objects.copy()
    _split(corrected, ids, groups_of(split, "split"))
    _merge(corrected, objects, groups_of(merge, "merge"))
    frame = replace(fragments.frame.with_values(np.uint64), names=True)
    return Volume(frame, Corrected((fragments,), starts, corrected))


@dataclass(frozen=True, eq=False)
class Corrected(Source):
    """Kept fragments with the ids of objects by a table."""

    inputs: tuple[Voxels]
    # Where each block's pieces begin in the table.
    starts: NDArray[np.int64]
    table: NDArray[np.uint64]

    kind = "CorrectedVolume"

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """See `Source.read`."""
        return mapped(self.inputs[0].source.read(begin, end), self.starts, self.table)


def _split(
    corrected: NDArray[np.uint64], ids: NDArray[np.uint64], groups: Sequence[tuple[int, ...]]
) -> None:
    """Give groups of supervoxels ids of their own."""
    taken: set[int] = set()
    new = int(corrected.max(initial=0))
    for group in groups:
        wanted = np.array(sorted(set(group)), np.uint64)
        at = np.searchsorted(ids, wanted)
        there = (
            (at < ids.size) & (ids[np.minimum(at, ids.size - 1)] == wanted) if ids.size else at > 0
        )
        _check_known(wanted[~there], "supervoxel", "fragment_graph(...).supervoxels")
        of = np.unique(corrected[at])
        if taken & set(wanted.tolist()) or of.size != 1 or not of[0]:
            raise ValueError(
                f"split has the group {group[:5]}, which must be of one object, and in no other "
                f"group; it is of {of[:5].tolist()}."
            )
        taken |= set(wanted.tolist())
        new += 1
        corrected[at] = new


def _merge(
    corrected: NDArray[np.uint64], objects: NDArray[np.uint64], groups: Sequence[tuple[int, ...]]
) -> None:
    """Make each group of objects one, by its smallest id."""
    wanted = np.unique(np.array([one for group in groups for one in group], np.uint64))
    _check_known(np.setdiff1d(wanted, objects), "object", "what is stored")
    if not wanted.size:
        return
    union = UnionFind(wanted.size)
    for group in groups:
        first, *others = np.searchsorted(wanted, np.array(group, np.uint64)).tolist()
        for other in others:
            union.merge(first, other)
    roots = np.array([union.find(n) for n in range(wanted.size)])
    _, inverse = np.unique(roots, return_inverse=True)
    smallest = np.full(inverse.max() + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, inverse, wanted)
    at = np.minimum(np.searchsorted(wanted, corrected), wanted.size - 1)
    is_merged = wanted[at] == corrected
    corrected[is_merged] = smallest[inverse[at[is_merged]]]


def _check_known(lacking: NDArray[np.uint64], what: str, where: str) -> None:
    if lacking.size:
        raise ValueError(f"There is no {what} {lacking[:5].tolist()}: take ids from {where}.")
