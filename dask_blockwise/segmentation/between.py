"""What lies between the fragments of a block of a mutex watershed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box

if TYPE_CHECKING:
    # As numba takes long to import.
    from .edge_order import EdgesInOrder

__all__ = ["Between"]


class Between(NamedTuple):
    """What a block of a mutex watershed knows of its fragments beside where they are."""

    # The first edge of each pair, in an array of which the block is a part.
    edges: EdgesInOrder
    # Which part.
    core: Box
    # Of each voxel of the block, the sum of affinities over the bias; see `MutexEdges.over_bias`.
    over_bias: NDArray[np.float64]
