"""The edges of a mutex watershed, as arrays of affinities have them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box

__all__ = ["Edges"]


class Edges(NamedTuple):
    """The edges of one offset, at the voxels where they begin."""

    # Of the offset in their order.
    rank: int
    # Where they begin and end in the array.
    here: Box
    there: Box
    # Of those that begin here, float32 and bool: the strongest come first, and ties or keeps apart.
    strength: NDArray[np.float32]
    attracts: NDArray[np.bool_]
    # Which are taken; all unless strides leave some out.
    taken: NDArray[np.bool_]
