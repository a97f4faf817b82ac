"""How many bits the stored labels are from one piece, and what each claim has in that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma

import numpy as np
from numpy.typing import NDArray

from .seam_graph import Share

__all__ = ["Estimate", "Links", "bits_of_splits", "estimated", "fused_bits"]

_DRAWS = 2000
# By how much windows, which see less than all, make what is found too large or too small: the
# standard deviation of its logarithm.
_SPREAD = 0.2


@dataclass(frozen=True)
class Estimate:
    """Variation of information between stored labels and one piece, in bits."""

    bits: float
    # Where it lies, with 95 % confidence.
    interval: tuple[float, float]
    # Of the bits, for what is split and what is merged.
    split: float
    merge: float


@dataclass(frozen=True)
class Links:
    """Pairs of labels that meet at faces, and by how many bits the whole would differ for each.

    Parameters
    ----------
    seen
        How many lie where one piece was computed.
    wrong
        Bits of those that are wrong there.
    unseen
        Bits of each of the others, were it wrong.
    tiles
        Of which one piece was computed.
    """

    seen: int
    wrong: NDArray[np.float64]
    unseen: NDArray[np.float64]
    tiles: int = 0


def estimated(
    shares: Sequence[Share], trust: Sequence[float], links: Links, rng: np.random.Generator
) -> Estimate:
    """Add up what was found, and what the same share of links would be where nothing was seen.

    The interval holds 95 % of draws in which each share is true by its trust and a little larger or
    smaller; and links that weren't seen are wrong as often as those that were (by a beta
    distribution with Jeffreys' prior; where not a voxel differs, maybe no link ever is), by as many
    bits as one of those, or as one of their own.

    Parameters
    ----------
    shares : sequence of Share
    trust : sequence of float
        For each share, the chance that it is one.
    links : Links
    rng : Generator

    Examples
    --------
    >>> found, rng = [Share(0.5, True, 7)], np.random.default_rng(0)
    >>> half = Links(10, np.array([0.5]), np.full(10, 0.5))
    >>> made = estimated(found, [1.0], half, rng)
    >>> made.bits, made.split, made.interval[0] > 0.25
    (1.0, 1.0, True)
    """
    bits = np.array([share.bits for share in shares])
    split = np.array([share.split for share in shares], bool)
    true = bits * np.array(trust)
    more = links.wrong.sum() * len(links.unseen) / max(1, links.seen)
    scale = 1 + more / true.sum() if true.sum() else 1.0
    size = (_DRAWS, len(bits))
    held = rng.random(size) < np.array(trust)
    drawn = (bits * held).sum(1) * rng.lognormal(0, _SPREAD, _DRAWS) + _unseen(links, shares, rng)
    low, high = np.quantile(drawn, [0.025, 0.975])
    parts = [float(scale * true[some].sum()) for some in (split, ~split)]
    total = sum(parts)
    return Estimate(total, (min(float(low), total), max(float(high), total)), *parts)


def _unseen(links: Links, shares: Sequence[Share], rng: np.random.Generator) -> NDArray[np.float64]:
    """Bits of wrong links that weren't seen, for each draw."""
    if not len(links.unseen):
        return np.zeros(_DRAWS)
    wrong = min(len(links.wrong), links.seen)
    chance = rng.beta(wrong + 0.5, links.seen - wrong + 0.5, _DRAWS)
    if not shares:
        chance *= rng.random(_DRAWS) > _exact(links.seen, links.tiles)
    counts = rng.binomial(len(links.unseen), chance)
    own = rng.choice(links.unseen, counts.sum())
    like = rng.choice(np.append(links.wrong, 0), counts.sum())
    # The more that were found, the more is known of how large they are.
    bits = np.where(rng.random(counts.sum()) < wrong / (wrong + 1), like, own)
    draw = np.repeat(np.arange(_DRAWS), counts)
    summed = np.bincount(draw, weights=bits, minlength=_DRAWS)
    # Of few, the mean isn't known well.
    return summed * rng.lognormal(0, 1 / np.sqrt(wrong + 1) if wrong else 0, _DRAWS)


def _exact(seen: int, equal: int) -> float:
    """The chance that no link is ever wrong, an even one before.

    After so many links that aren't, and so many tiles of which not a voxel differs, as some do
    wherever a method depends on all that it sees.
    """
    # A ratio of beta functions, B(1/2, seen + 1/2) / B(1/2, 1/2).
    by_luck = exp(lgamma(seen + 0.5) - lgamma(seen + 1) - lgamma(0.5)) / (equal + 1)
    return 1 / (1 + by_luck)


def fused_bits(
    one: NDArray[np.float64], other: NDArray[np.float64], voxels: int
) -> NDArray[np.float64]:
    """By how many bits it changes the whole to fuse two objects of so many voxels, or to part them.

    Examples
    --------
    >>> fused_bits(np.array([4.0]), np.array([4.0]), 16).tolist()
    [0.5]
    """
    both = one + other
    return (_xlogx(both) - _xlogx(one) - _xlogx(other)) / voxels


def bits_of_splits(
    pairs: NDArray[np.intp], sizes: NDArray[np.float64], voxels: int
) -> NDArray[np.float64]:
    """By how many bits each link between labels changes the whole, given all of the others.

    Parameters
    ----------
    pairs : ndarray of int, shape (k, 2)
        Positions of labels that are one object.
    sizes : ndarray
        Voxels of each label.
    voxels : int

    Returns
    -------
    ndarray of float64
        0 for links without which the same labels hang together.

    Examples
    --------
    >>> bits_of_splits(np.array([[0, 1], [1, 2]]), np.array([4.0, 1.0, 4.0]), 9).round(2).tolist()
    [0.99, 0.99]
    """
    from scipy.sparse import coo_array, csgraph

    nodes = len(sizes)
    # Indices of 32 bits, as scipy before 1.17.1 asks for.
    graph = coo_array((np.ones(len(pairs)), pairs.T.astype(np.int32)), (nodes, nodes)).tocsr()
    tree = csgraph.minimum_spanning_tree(graph)
    below, total = sizes.copy(), sizes.copy()
    above = np.full(nodes, -1)
    _, group = csgraph.connected_components(tree, directed=False)
    for name in np.unique(group[pairs[:, 0]]):
        root = int(np.flatnonzero(group == name)[0])
        order, before = csgraph.breadth_first_order(tree, root, directed=False)
        for node in order[:0:-1]:
            below[before[node]] += below[node]
            above[node] = before[node]
        total[order] = below[root]
    one, other = pairs.T
    lower = np.where(above[one] == other, one, np.where(above[other] == one, other, -1))
    bits = fused_bits(below[lower], total[lower] - below[lower], voxels)
    return np.where(lower >= 0, bits, 0)


def _xlogx(values: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = values * np.log2(np.maximum(values, 1))
    return found
