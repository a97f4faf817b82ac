"""The connected parts of labels."""

from __future__ import annotations

from typing import Literal

import cc3d
import numpy as np
from numpy.typing import NDArray

from .ids import Labels

__all__ = ["connected_parts"]

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
    flat = np.ascontiguousarray(np.atleast_2d(labels.squeeze()))
    neighbours = _NEIGHBOURS[flat.ndim][corners]
    found = cc3d.connected_components(flat, connectivity=neighbours, out_dtype=np.uint32)
    return np.asarray(found, np.uint32).reshape(labels.shape)
