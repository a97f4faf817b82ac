"""Ids of objects that were labelled anew, as they were before as far as that can be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["keep_ids", "shared_voxels"]

Ids = NDArray[np.uint64]


def shared_voxels(new: NDArray[np.integer], old: NDArray[np.integer]) -> Ids:
    """How many voxels each pair of labels shares.

    Parameters
    ----------
    new, old : ndarray of int, of the same shape
        0 is background.

    Returns
    -------
    ndarray of uint64, shape (pairs, 3)
        New label, old label and voxels; none of background in both.

    Examples
    --------
    >>> shared_voxels(np.array([1, 1, 0, 2]), np.array([5, 5, 0, 0]))
    array([[1, 5, 2],
           [2, 0, 1]], dtype=uint64)
    """
    pairs = np.stack([new.ravel(), old.ravel()], 1).astype(np.uint64)
    found, voxels = np.unique(pairs[pairs.any(1)], axis=0, return_counts=True)
    return np.column_stack([found, voxels.astype(np.uint64)])


def keep_ids(shared: Ids) -> tuple[Ids, Ids]:
    """Give each object the id that most of it had, which no other may take then.

    Parameters
    ----------
    shared : ndarray of uint64, shape (pairs, 3)
        New label, old id and voxels that both share, each pair once or more often; new labels are
        1..n, and 0 is background.

    Returns
    -------
    ids : ndarray of uint64, shape (n + 1,)
        Of each new label; those that have none yet go on from the largest that there was.
    changed : ndarray of uint64, shape (changes, 3)
        Old id, the other id that voxels of it have now, 0 for background, and how many these are.

    Examples
    --------
    Of object 7 a part was cut off, and object 9 has become a part of 8:

    >>> shared = np.array([[1, 7, 60], [2, 7, 40], [3, 8, 50], [3, 9, 20]], np.uint64)
    >>> ids, changed = keep_ids(shared)
    >>> ids, changed.tolist()
    (array([ 0,  7, 10,  8], dtype=uint64), [[7, 10, 40], [9, 8, 20]])
    """
    pairs, place = np.unique(shared[:, :2], axis=0, return_inverse=True)
    voxels = np.zeros(len(pairs), np.uint64)
    np.add.at(voxels, place.ravel(), shared[:, 2])
    new, old = pairs.T if len(pairs) else np.zeros((2, 0), np.uint64)
    ids = np.zeros(int(new.max(initial=0)) + 1, np.uint64)
    _take(ids, new, old, voxels)
    without = np.flatnonzero(ids == 0)[1:]
    ids[without] = old.max(initial=0) + np.arange(1, without.size + 1, dtype=np.uint64)
    differs = (old > 0) & (ids[new.astype(np.intp)] != old)
    changed = np.column_stack([old, ids[new.astype(np.intp)], voxels])[differs]
    return ids, changed[np.lexsort(changed.T[1::-1])]


def _take(ids: Ids, new: Ids, old: Ids, voxels: Ids) -> None:
    """The largest part first."""
    both = np.flatnonzero((new > 0) & (old > 0))
    order = both[np.lexsort((new[both], old[both], -voxels[both].astype(np.int64)))]
    taken: set[int] = set()
    for label, known in zip(new[order].tolist(), old[order].tolist()):
        if not ids[label] and known not in taken:
            ids[label] = known
            taken.add(known)
