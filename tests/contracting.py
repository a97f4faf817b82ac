"""A mutex watershed's merges of edges that are all known at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dask_blockwise.segmentation.contraction import Contraction


def contracted(
    nodes: int, one: NDArray[np.integer], other: NDArray[np.integer], attracts: NDArray[np.bool_]
) -> NDArray[np.integer]:
    """A node of the cluster that each node is in; ends from ``nodes`` on lie outside."""
    contraction = Contraction(nodes, max(nodes, *(1 + int(e.max(initial=0)) for e in (one, other))))
    contraction.take(one, other, attracts)
    return contraction.clusters()[:nodes]
