"""The connected parts of labels."""

from __future__ import annotations

from typing import Literal

import cc3d
import numpy as np
from numpy.typing import NDArray

from .ids import Labels

__all__ = ["by_neighbours", "connected_parts"]

# Neighbours of a voxel across faces, and across edges and corners too, by the number of axes.
_NEIGHBOURS: dict[int, tuple[Literal[4, 6], Literal[8, 26]]] = {2: (4, 8), 3: (6, 26)}


def connected_parts(labels: Labels, corners: bool = True) -> NDArray[np.uint32]:
    """The connected parts of each label, numbered 1..n; 0 is background.

    Parameters
    ----------
    labels : ndarray of int
        Of up to three axes, and any of one voxel.
    corners : bool
        Whether voxels are neighbours across edges and corners too.

    Examples
    --------
    >>> connected_parts(np.array([[7, 0, 7], [0, 7, 8]]))
    array([[1, 0, 1],
           [0, 1, 2]], dtype=uint32)
    """
    flat = np.atleast_2d(labels.squeeze())
    return by_neighbours(flat, _NEIGHBOURS[flat.ndim][corners]).reshape(labels.shape)


def by_neighbours(labels: Labels, neighbours: Literal[4, 6, 8, 18, 26]) -> NDArray[np.uint32]:
    """The same, where each voxel has so many neighbours; of two or three axes.

    Examples
    --------
    >>> by_neighbours(np.array([[2**64 - 1, 0, 2**63]], np.uint64), 4)
    array([[1, 0, 2]], dtype=uint32)
    """
    # Of rows cc3d takes no number that has 64 bits; these differ as signed ones, too.
    values = labels.view(np.int64) if labels.dtype == np.uint64 else labels
    found = cc3d.connected_components(
        np.ascontiguousarray(values), connectivity=neighbours, out_dtype=np.uint32
    )
    return np.asarray(found, np.uint32)
