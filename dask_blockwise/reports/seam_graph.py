"""The objects that windows of one piece stand for, over the whole volume, and how far they are.

Nodes of all tiles are put together by a mutex watershed on their graph: what one piece joins in a
tile is joined, and nodes of one stored label where one piece goes on beyond a border of tiles,
which lies in the middle of blocks; then one piece keeps apart what it cuts; what wasn't seen, and
may be either, follows its largest contact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from bioimage_cpp.graph import UndirectedGraph, mutex_watershed
from numpy.typing import NDArray

from .seam_measures import counted
from .seam_meets import Meet, largest
from .seam_tiles import Tile

Edges = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]

__all__ = ["Edges", "Objects", "Overruled", "Share", "contacts_across", "objects_of", "shares"]

# What comes first in the watershed.
_JOINED, _SEEN, _CUT = 4.0, 3.0, 2.0
# Share of the voxels in which nodes meet at a border of tiles, where one piece goes on beyond it.
_SAME = 0.5

# Parts of one stored object in a tile that are kept apart from one another.
_MOST_CUT = 32

# Tile and claim that a second look has overruled.
Overruled = set[tuple[int, int]]


@dataclass(frozen=True)
class Objects:
    """Nodes of all tiles, and the objects that they are found to be parts of."""

    labels: NDArray[np.integer]
    sizes: NDArray[np.int64]
    # From 0.
    objects: NDArray[np.intp]
    # Where a tile's nodes begin.
    starts: NDArray[np.intp]


@dataclass(frozen=True)
class Share:
    """The bits by which one object differs from one piece."""

    bits: float
    # Else merged.
    split: bool
    # The stored label if it is merged, else the object.
    name: int


def objects_of(found: Sequence[Meet], across: Sequence[Edges], overruled: Overruled) -> Objects:
    """Put the nodes of all tiles together.

    Parameters
    ----------
    found : sequence of Meet
        Of each tile.
    across : sequence of Edges
        What `contacts_across` found between tiles.
    overruled : set of (int, int)
        Tile and number of claims that don't count.
    """
    starts = _starts(found)
    nodes = int(starts[-1])
    everything = np.concatenate([meet.labels for meet in found])
    inner = [_within(meet, _of(overruled, n)) for n, meet in enumerate(found)]
    joined = [_shifted(edges, at) for (edges, _), at in zip(inner, starts)]
    cut = np.concatenate([pairs + at for (_, pairs), at in zip(inner, starts)])
    one, other, weight = map(
        np.concatenate, zip(*joined, *across, _alike(everything, starts, found), strict=True)
    )
    pairs, strength = _strongest(one, other, weight)
    objects = mutex_watershed.mutex_watershed_clustering(
        UndirectedGraph.from_unique_edges(nodes, pairs),
        strength,
        np.sort(cut, 1).astype(np.uint64),
        np.full(len(cut), _CUT),
    )
    sizes = np.concatenate([meet.sizes for meet in found])
    dense = np.unique(np.asarray(objects), return_inverse=True)[1]
    return Objects(everything, sizes, dense, starts)


def shares(made: Objects, voxels: int) -> list[Share]:
    """By what each object differs: variation of information, in bits of the whole volume."""
    _, label = np.unique(made.labels, return_inverse=True)
    return [
        *_bits(made.objects, label, made.sizes, voxels, True),
        *_bits(label, made.objects, made.sizes, voxels, False),
    ]


def _bits(
    group: NDArray[np.intp],
    part: NDArray[np.intp],
    sizes: NDArray[np.int64],
    voxels: int,
    split: bool,
) -> Iterator[Share]:
    """The entropy of the parts of each group, weighed by its size."""
    count = part.max(initial=0) + 1
    key, dense = np.unique(group * count + part, return_inverse=True)
    size, of = np.bincount(dense, weights=sizes), key // count
    whole = np.bincount(of, weights=size)
    bits = np.bincount(of, weights=size * np.log2(whole[of] / size)) / voxels
    for name in np.flatnonzero(bits > 0):
        yield Share(float(bits[name]), split, int(name))


def _of(overruled: Overruled, tile: int) -> set[int]:
    return {number for n, number in overruled if n == tile}


def _within(meet: Meet, overruled: set[int]) -> tuple[Edges, NDArray[np.int64]]:
    """What one piece joins and cuts in a tile."""
    here, joined = np.arange(len(meet.labels)), meet.of_piece.copy()
    spared = set()
    for claim in (meet.claims[number] for number in overruled):
        joined[claim.one] = claim.one if claim.kind == "split" else claim.other
        spared |= {(claim.one, claim.other), (claim.other, claim.one)}
    cut = [pair for pair in _cuts(meet) if pair not in spared]
    weight = np.full(len(here), _JOINED)
    return (here, joined, weight), np.array(cut, np.int64).reshape(-1, 2)


def _cuts(meet: Meet) -> Iterator[tuple[int, int]]:
    """Pairs of nodes of one stored object that one piece keeps apart, of the largest ones."""
    cut = np.flatnonzero(meet.cut)
    for main in np.unique(meet.of_stored[cut]):
        some = cut[meet.of_stored[cut] == main]
        some = [main, *some[np.argsort(-meet.sizes[some], kind="stable")][:_MOST_CUT]]
        for one, other in combinations(map(int, some), 2):
            if meet.of_piece[one] != meet.of_piece[other]:
                yield one, other


def contacts_across(
    found: Sequence[Meet], tiles: Sequence[Tile], moving: Iterable[int]
) -> Iterator[Edges]:
    """Contacts of nodes of the same label at borders of tiles, whatever is said of claims.

    Parameters
    ----------
    found : sequence of Meet
        Of each tile.
    tiles : sequence of Tile
    moving : iterable of int
        Axes along which labels of neighbours belong together.
    """
    starts, labels = _starts(found), np.concatenate([meet.labels for meet in found])
    firm = np.concatenate([[False], *(meet.firm for meet in found)])
    named = np.concatenate([np.zeros(1, labels.dtype), labels])
    corners = {_corner(tile): n for n, tile in enumerate(tiles)}
    for axis in moving:
        for n, tile in enumerate(tiles):
            beside = corners.get(_corner(tile, axis))
            if beside is None:
                continue
            sides = found[n].borders[axis, True], found[beside].borders[axis, False]
            one, other = (
                np.where(side.nodes > 0, side.nodes + starts[m], 0).ravel()
                for m, side in zip((n, beside), sides)
            )
            alike = firm[one] & firm[other] & (named[one] == named[other])
            goes_on = (sides[0].goes_on & sides[1].goes_on).ravel()[alike]
            keys, which, contact = counted((one * len(named) + other)[alike])
            sure = np.bincount(which, goes_on, len(keys)) >= _SAME * contact
            pairs = np.stack(np.divmod(keys, len(named)))
            yield *(pairs - 1), np.where(sure, _SEEN, contact / (contact + 1))


def _alike(labels: NDArray[np.integer], starts: NDArray[np.intp], found: Sequence[Meet]) -> Edges:
    """The last to be joined: all nodes of a label, which the stored labels hold together."""
    sizes = np.concatenate([meet.sizes for meet in found])
    # What is no more than an uncertain border of another label doesn't tell.
    tells = [m.firm | (m.labels == m.labels[m.of_piece]) for m in found]
    main = np.concatenate([meet.of_stored + at for meet, at in zip(found, starts)])
    some = np.flatnonzero(np.concatenate(tells) & np.concatenate(tells)[main])
    one = np.concatenate([some, some])
    other = np.concatenate([main[some], some[largest(labels[some], sizes[some])]])
    return one, other, np.repeat([1e-3, 1e-6], len(some))


def _strongest(
    one: NDArray[np.int64], other: NDArray[np.int64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Each pair once, in sorted order."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((-weight, high, low))
    order = order[low[order] != high[order]]
    pairs = np.stack([low, high], 1)[order]
    first = np.ones(len(pairs), bool)
    first[1:] = (np.diff(pairs, axis=0) != 0).any(1)
    return pairs[first].astype(np.uint64), weight[order][first]


def _starts(found: Sequence[Meet]) -> NDArray[np.intp]:
    """Where nodes of each tile begin among all."""
    return np.concatenate([[0], np.cumsum([len(meet.labels) for meet in found])])


def _corner(tile: Tile, axis: int | None = None) -> tuple[int, ...]:
    """Where a tile begins, or where the next one along an axis does."""
    return tuple(s.stop if n == axis else s.start for n, s in enumerate(tile.box))


def _shifted(edges: Edges, start: int) -> Edges:
    one, other, weight = edges
    return one + start, other + start, weight
