"""Clusters of a mutex watershed of one array: what is sure at once, then by the order of edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .contraction import Contraction
from .edge_keys import flat
from .edge_order import EdgesInOrder, check_count, in_order
from .edges import Edges
from .first_edges import merged_along_firsts

__all__ = ["merged", "merged_and_left"]


def merged(every: Sequence[Edges], nodes: NDArray[np.int32], inside: int) -> NDArray[np.integer]:
    """Merge voxels as `dask_blockwise.segmentation.contraction.Contraction` does.

    The strong half of the edges is taken first, and the weak one put in order only where its ends
    are of different clusters then: of the long edges that keep apart most lie within an object.

    Parameters
    ----------
    every : sequence of Edges
    nodes : ndarray of int32
        A number of its own for each voxel, from ``inside`` on for those whose edges aren't all
        known; under 0 where it is of none.
    inside : int
        How many nodes have all their edges here.

    Returns
    -------
    ndarray of int
        A number of the cluster that each voxel inside is in; -1 where it is of no node.

    Raises
    ------
    ValueError
        If there are more edges than are counted.

    Examples
    --------
    >>> every = np.ones(3, bool)
    >>> strength = np.array([0.2, 0.5, 0.1], np.float32)
    >>> edges = Edges(0, (slice(0, 3),), (slice(1, 4),), strength, every, every)
    >>> merged([edges], np.array([0, 1, 2, -1], np.int32), inside=3)
    array([ 0,  0,  0, -1], dtype=int32)
    """
    for clusters, _ in _by_halves(every, nodes, inside):
        last = clusters
    return last


def merged_and_left(
    every: Sequence[Edges], nodes: NDArray[np.int32], inside: int
) -> tuple[NDArray[np.integer], EdgesInOrder]:
    """The same, and what is left between clusters inside: of each pair the first edge, in order.

    Examples
    --------
    >>> every = np.ones(3, bool)
    >>> strength = np.array([0.2, 0.5, 0.1], np.float32)
    >>> edges = Edges(0, (slice(0, 3),), (slice(1, 4),), strength, ~every, every)
    >>> clusters, left = merged_and_left([edges], np.array([0, 1, 2, -1], np.int32), inside=2)
    >>> left.voxels, left.nodes
    (array([0], dtype=uint32), array([ 0,  1, -1, -1], dtype=int32))
    """
    inner, keys = (nodes >= 0) & (nodes < inside), []
    for clusters, found in _by_halves(every, nodes, inside):
        own = np.where(inner, clusters, clusters.dtype.type(-1))
        keys.append(replace(found, nodes=own).between().keys)
    return clusters, replace(found, nodes=own, keys=np.concatenate(keys)).firsts()


def _by_halves(
    every: Sequence[Edges], nodes: NDArray[np.int32], inside: int
) -> Iterator[tuple[NDArray[np.integer], EdgesInOrder]]:
    """The clusters after each half of the edges, and these edges."""
    check_count(1 + max((edges.rank for edges in every), default=0), nodes.size)
    rows = [flat(edges, nodes.shape) for edges in every]
    clusters, count = merged_along_firsts(rows, nodes.ravel(), inside)
    contraction = Contraction(count, 1 + int(clusters.max(initial=-1)))
    strongest = max((float(edges.strength.max()) for edges in every), default=0)
    for most, least in pairwise((np.inf, strongest / 2, -np.inf)):
        found = in_order(rows, clusters.reshape(nodes.shape), over=least, up_to=most)
        contraction.take(*found.ends(), found.attracts)
        table = np.append(contraction.clusters(), -1)
        clusters = table[clusters].astype(np.int32, copy=False)
        yield clusters.reshape(nodes.shape), found
