"""What a tile shows: where stored objects meet those of one piece, and what contradicts them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index, within
from .seam_measures import Labels, counted, parts
from .seam_tiles import Tile

Kind = Literal["split", "merge"]
# Voxels of two nodes.
Ends = tuple[NDArray[np.int64], NDArray[np.int64]]
Contacts = dict[tuple[int, int], NDArray[np.int64]]

__all__ = ["Claim", "Kind", "Meet", "Section", "largest", "meet"]

# Claims of a tile, those of the largest nodes; and how far from its place voxels bear witness.
_MOST_CLAIMS, _NEAR = 32, 4
# Voxels of a node that are looked at where it touches nothing.
_SOME = 4000
# Voxels around a place that are shown.
_AROUND = 48
# Of a tile's voxels, and of those that a stored object has in it: what meets in fewer is an
# uncertain border, and joins nothing.
_LEAST_OF_TILE = 1e-3
_LEAST_OF_OBJECT = 0.05


@dataclass(frozen=True)
class Section:
    """Labels in a plane across a face."""

    # Shape (others, along the axis across the face).
    stored: Labels
    # The same computed as one piece; None where it can't be.
    one_piece: Labels | None
    # Before which column the face lies.
    face: int


@dataclass(frozen=True)
class Claim:
    """Two nodes of a tile about which the stored labels and one piece disagree."""

    kind: Kind
    # Positions of the nodes in the tile's meet.
    one: int
    other: int
    # Voxels of the volume nearest to where they meet, shape ``(k, axes)``.
    witnesses: tuple[NDArray[np.int64], NDArray[np.int64]]
    # Axis and first layer of the face that is nearest.
    face: tuple[int, int]
    section: Section

    @property
    def place(self) -> Index:
        """The voxel of the one that is nearest to the other."""
        return tuple(map(int, self.witnesses[0][0]))


@dataclass(frozen=True)
class Border:
    """A layer at a tile's border."""

    # From 1; 0 is background.
    nodes: NDArray[np.int64]
    # Whether one piece is the same beyond the border.
    goes_on: NDArray[np.bool_]


Borders = dict[tuple[int, bool], Border]


@dataclass(frozen=True)
class Meet:
    """The nodes of a tile: voxels of one connected part of a stored object and one of one piece.

    Parameters
    ----------
    labels, sizes
        For each node the stored label, and its voxels.
    firm
        Whether it is large enough to tell what belongs together.
    of_stored, of_piece
        For each node, that with the most voxels of the same part of the stored object, and of the
        same object of one piece.
    borders
        By axis, and whether it is the last layer along that or the first.
    claims
        Where the tile contradicts the stored labels.
    seen
        Whether it was computed as one piece.
    """

    labels: NDArray[np.integer]
    sizes: NDArray[np.int64]
    firm: NDArray[np.bool_]
    of_stored: NDArray[np.intp]
    of_piece: NDArray[np.intp]
    borders: Borders
    claims: tuple[Claim, ...]
    seen: bool

    @property
    def split(self) -> NDArray[np.bool_]:
        """Which nodes one piece joins to one of another label."""
        differ: NDArray[np.bool_] = self.labels != self.labels[self.of_piece]
        return differ & self.firm & self.firm[self.of_piece]

    @property
    def cut(self) -> NDArray[np.bool_]:
        """Which nodes one piece keeps apart from another part of their stored object."""
        apart: NDArray[np.bool_] = self.of_piece != self.of_piece[self.of_stored]
        return apart & self.seen & self.firm & self.firm[self.of_stored]


def meet(stored: Labels, seen: Labels | None, tile: Tile) -> Meet:
    """Find the nodes of a tile.

    Parameters
    ----------
    stored : ndarray of int
        Of the tile, as they are stored; 0 is background.
    seen : ndarray of int, optional
        What is seen of the tile and around it, as one piece.
    tile : Tile

    Examples
    --------
    >>> from dask_blockwise.reports.seam_tiles import tiles
    >>> (tile,) = tiles((1, 6), (1, 3), (True, True), (0, 0), 6)
    >>> found = meet(np.array([[1, 1, 1, 2, 2, 2]]), np.array([[7, 7, 7, 7, 7, 7]]), tile)
    >>> found.labels.tolist(), found.of_piece.tolist()
    ([1, 2], [0, 0])
    >>> [(claim.kind, claim.place) for claim in found.claims]
    [('split', (0, 3))]
    """
    pieces = np.zeros(stored.shape, np.int64)
    if seen is not None:
        pieces[within(tile.window, tile.box)] = seen[within(tile.window, tile.seen)]
    # Where objects touch at an edge alone, only what lies elsewhere may hold them together.
    part, inside = parts(stored, corners=False), stored > 0
    pieces_count = int(pieces.max(initial=0)) + 1
    keys = part[inside] * pieces_count + pieces[inside]
    key, node, sizes = counted(keys)
    of_part, of_piece = np.divmod(key, pieces_count)
    nodes = np.zeros(stored.shape, np.int64)
    nodes[inside] = node + 1
    labels = np.zeros(len(key), stored.dtype)
    labels[node] = stored[inside]
    known = seen is not None
    firm = _firm(labels, sizes, of_piece, stored.size) if known else np.ones(len(key), bool)
    main, joined = largest(of_part, sizes), largest(of_piece, sizes * firm)
    # What one piece has as background, or is unsure of, stays with its stored object.
    joined = np.where((of_piece > 0) & firm[joined], joined, main)
    borders = _borders(nodes, seen, tile)
    found = Meet(labels, sizes, firm, main, joined, borders, (), known)
    if not known:
        return found
    return replace(found, claims=_claims(found, nodes, np.stack([stored, pieces]), tile))


def _firm(
    labels: NDArray[np.integer],
    sizes: NDArray[np.int64],
    of_piece: NDArray[np.int64],
    voxels: int,
) -> NDArray[np.bool_]:
    _, dense = np.unique(labels, return_inverse=True)
    own = np.bincount(dense, weights=sizes)[dense]
    least = np.maximum(_LEAST_OF_TILE * voxels, _LEAST_OF_OBJECT * own)
    firm: NDArray[np.bool_] = (of_piece > 0) & (sizes >= least)
    return firm


def largest(group: NDArray[np.integer], sizes: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each node, the largest of its group."""
    order = np.lexsort((-sizes, group))
    first = np.ones(len(group), bool)
    first[1:] = np.diff(group[order]) > 0
    _, dense = np.unique(group, return_inverse=True)
    largest: NDArray[np.intp] = order[first][dense]
    return largest


def _borders(nodes: NDArray[np.int64], seen: Labels | None, tile: Tile) -> Borders:
    borders = {}
    for axis, (span, around) in enumerate(zip(tile.box, tile.seen, strict=True)):
        for last, at, beyond in ((False, span.start, -1), (True, span.stop - 1, 1)):
            plane = np.take(nodes, [at - span.start], axis)
            goes_on = np.zeros(plane.shape, bool)
            if seen is not None and around.start <= at + beyond < around.stop:
                here, there = (np.take(seen, [n - around.start], axis) for n in (at, at + beyond))
                across = tuple(
                    slice(0, 1) if n == axis else s
                    for n, s in enumerate(within(tile.window, tile.seen))
                )
                onto = tuple(
                    slice(0, 1) if n == axis else s
                    for n, s in enumerate(within(tile.window, tile.box))
                )
                goes_on[onto] = ((here == there) & (here > 0))[across]
            borders[axis, last] = Border(plane, goes_on)
    return borders


def _claims(found: Meet, nodes: NDArray[np.int64], both: Labels, tile: Tile) -> tuple[Claim, ...]:
    """Where firm nodes are joined in one piece and stored apart, or the other way round."""
    kinds: dict[Kind, tuple[NDArray[np.bool_], NDArray[np.intp]]] = {
        "split": (found.split, found.of_piece),
        "merge": (found.cut, found.of_stored),
    }
    pairs = [
        (k, int(n), int(to[n])) for k, (some, to) in kinds.items() for n in np.flatnonzero(some)
    ]
    pairs = sorted(pairs, key=lambda pair: -found.sizes[list(pair[1:])].min())[:_MOST_CLAIMS]
    begin = tuple(s.start for s in tile.box)
    met = _contacts(nodes) if pairs else {}
    made = []
    for kind, one, other in pairs:
        ends = _middle(met, one, other) or _nearest(nodes, one, other)
        near = tuple(_around(nodes, n, at) for n, at in zip((one, other), ends))
        at = tuple(map(int, ends[0]))
        face = tile.nearest_face((near[0][0] + near[1][0] + 1) / 2)
        witnesses = near[0] + begin, near[1] + begin
        made.append(Claim(kind, one, other, witnesses, face, section(both, at, begin, face)))
    return tuple(made)


def _contacts(nodes: NDArray[np.int64]) -> Contacts:
    """Voxels at which nodes touch, of the lower and of the higher node, by pair."""
    found = []
    for axis in range(nodes.ndim):
        size = nodes.shape[axis]
        sides = [np.take(nodes, range(*ends), axis) for ends in ((size - 1,), (1, size))]
        at = np.argwhere((sides[0] != sides[1]) & (sides[0] > 0) & (sides[1] > 0))
        step = np.arange(nodes.ndim) == axis
        values = np.stack([side[tuple(at.T)] for side in sides], 1) - 1
        places = np.stack([at, at + step], 1)
        swapped = values[:, 0] > values[:, 1]
        places[swapped] = places[swapped, ::-1]
        found.append((np.sort(values, 1), places))
    pairs, places = map(np.concatenate, zip(*found, strict=True))
    order = np.lexsort(pairs.T[::-1])
    names, first = np.unique(pairs[order], axis=0, return_index=True)
    parted = np.split(places[order], first[1:])
    return dict(zip(map(tuple, names.tolist()), parted))


def _middle(met: Contacts, one: int, other: int) -> Ends | None:
    """Two voxels in the middle of where nodes touch, if they do."""
    places = met.get((min(one, other), max(one, other)))
    if places is None:
        return None
    middle = ((places[:, 0] - places[:, 0].mean(0)) ** 2).sum(1).argmin()
    low, high = places[middle]
    return (low, high) if one < other else (high, low)


def _nearest(nodes: NDArray[np.int64], one: int, other: int) -> Ends:
    """Two voxels of nodes that don't touch, about where they are nearest."""
    here, there = (np.argwhere(nodes == n + 1) for n in (one, other))
    some = (voxels[:: 1 + len(voxels) // _SOME] for voxels in (here, there))
    first, second = some
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(second).query(first)
    at = int(distance.argmin())
    return first[at], second[nearest[at]]


def _around(nodes: NDArray[np.int64], node: int, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Voxels of a node around one of them, the nearest first."""
    low = np.maximum(at - _NEAR, 0)
    box = tuple(slice(b, e) for b, e in zip(low, at + _NEAR + 1))
    voxels = np.argwhere(nodes[box] == node + 1) + low
    return voxels[np.argsort(((voxels - at) ** 2).sum(1), kind="stable")]


def section(both: Labels, at: Index, begin: Index, face: tuple[int, int]) -> Section:
    """A plane across a face, near a voxel of stored labels and of those of one piece."""
    axis, first = face
    others = [(n, along) for along, n in enumerate(both.shape[1:]) if along != axis]
    along = max(others)[1] if others else axis
    spans = [slice(i, i + 1) for i in at]
    for shown in {axis, along}:
        spans[shown] = slice(max(0, at[shown] - _AROUND), at[shown] + _AROUND)
    plane = np.moveaxis(both[(slice(None), *spans)], axis + 1, -1)
    plane = plane.reshape(2, -1, plane.shape[-1]).copy()
    return Section(plane[0], plane[1], first - begin[axis] - spans[axis].start)
