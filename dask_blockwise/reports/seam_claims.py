"""Claims of all tiles: their bits, which is the worst, and a second look at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Box, Index
from .seam_estimate import bits_of_splits, fused_bits
from .seam_graph import Edges, Objects, Overruled, Share, contacts_across, objects_of, shares
from .seam_measures import Labels
from .seam_meets import Claim, Kind, Meet
from .seam_tiles import Tile

__all__ = ["Claims", "Ranked", "agrees", "box_around"]

# Chances that a share is one: where a second look said so, and before any look.
_CONFIRMED, _BEFORE = 0.98, (2, 3)
# The chance, for each tile that says it isn't, that one object is joined where nothing was seen.
_JOINED = 0.2

# What a claim is about: the labels that are split, or the parts of one that are merged.
Subject = tuple[Kind, int, int]


@dataclass(frozen=True)
class Ranked:
    """A claim, and by how many bits the whole differs for what it is about."""

    bits: float
    tile: int
    number: int
    claim: Claim
    labels: tuple[int, ...]
    subject: Subject


@dataclass(frozen=True)
class Claims:
    """What all tiles claim, after second looks at some.

    Parameters
    ----------
    found
        Of each tile.
    tiles
        The same tiles.
    moving
        Axes along which labels of neighbours belong together.
    voxels
        Of the volume.
    looks
        By tile and number of a claim, whether a second look has said the same.
    across
        Contacts between tiles, where they are known already.
    """

    found: Sequence[Meet]
    tiles: Sequence[Tile]
    moving: Index
    voxels: int
    looks: dict[tuple[int, int], bool] = field(default_factory=dict)
    across: Sequence[Edges] = ()

    def after(self, looks: dict[tuple[int, int], bool]) -> Claims:
        """The same, and what more looks have said."""
        return replace(self, looks=self.looks | looks, across=self._across)

    @cached_property
    def objects(self) -> Objects:
        """Without the claims that were overruled."""
        return objects_of(self.found, self._across, self._overruled)

    @cached_property
    def _across(self) -> Sequence[Edges]:
        return self.across or list(contacts_across(self.found, self.tiles, self.moving))

    @cached_property
    def shares(self) -> list[Share]:
        """Of the distance, one for each object that differs."""
        return shares(self.objects, self.voxels)

    @cached_property
    def ranked(self) -> list[Ranked]:
        """Claims that weren't overruled, the worst first."""
        some = [
            (tile, number, claim)
            for tile, meet in enumerate(self.found)
            for number, claim in enumerate(meet.claims)
            if self.looks.get((tile, number), True)
        ]
        splits = [one for one in some if one[2].kind == "split"]
        merges = [one for one in some if one[2].kind == "merge"]
        ranked = [*self._of_splits(splits), *self._of_merges(merges)]
        return sorted(ranked, key=lambda one: (-one.bits, one.tile, one.number))

    @cached_property
    def confirmed(self) -> set[Subject]:
        """What second looks have said the same of."""
        return {one.subject for one in self.ranked if self.looks.get((one.tile, one.number))}

    def trust(self) -> list[float]:
        """The chance that one of a share's claims is true; 1 of what no claim stands for.

        What is merged by all that was seen may be one object all the same, joined where nothing
        was seen: the less so, the more was, and the more tiles say it is merged.
        """
        looked, said = len(self.looks), sum(self.looks.values())
        before = (said + _BEFORE[0]) / (looked + _BEFORE[1])
        false: dict[tuple[bool, int], dict[int, float]] = {}
        for one in self.ranked:
            if one.bits > 0:
                chance = _CONFIRMED if one.subject in self.confirmed else before
                tiles = false.setdefault((one.claim.kind == "split", self._name(one)), {})
                tiles[one.tile] = tiles.get(one.tile, 1) * (1 - chance)
        found = []
        for share in self.shares:
            tiles = false.get((share.split, share.name), {})
            joined = 0 if share.split else self._unseen[share.name] * _JOINED ** len(tiles)
            found.append((1 - prod(tiles.values())) * (1 - joined) if tiles else 1.0)
        return found

    @cached_property
    def _unseen(self) -> NDArray[np.float64]:
        """Of each label, the share that nothing was seen of."""
        seen = np.repeat([meet.seen for meet in self.found], np.diff(self.objects.starts))
        sizes = self.objects.sizes
        unseen = np.bincount(self._dense, weights=sizes * ~seen)
        return unseen / np.bincount(self._dense, weights=sizes)

    @property
    def _overruled(self) -> Overruled:
        return {at for at, said in self.looks.items() if not said}

    @cached_property
    def _dense(self) -> NDArray[np.intp]:
        dense: NDArray[np.intp] = np.unique(self.objects.labels, return_inverse=True)[1]
        return dense

    def _name(self, one: Ranked) -> int:
        node = self.objects.starts[one.tile] + one.claim.one
        return int((self.objects.objects if one.claim.kind == "split" else self._dense)[node])

    def _nodes(self, some: list[tuple[int, int, Claim]]) -> NDArray[np.intp]:
        starts = self.objects.starts
        nodes = [(starts[tile] + claim.one, starts[tile] + claim.other) for tile, _, claim in some]
        return np.array(nodes, np.intp).reshape(-1, 2)

    def _of_splits(self, some: list[tuple[int, int, Claim]]) -> list[Ranked]:
        nodes = self._nodes(some)
        sizes = np.bincount(self._dense, weights=self.objects.sizes).astype(np.float64)
        pairs = np.sort(self._dense[nodes], 1)
        bits = bits_of_splits(pairs, sizes, self.voxels)
        return [
            Ranked(float(b), t, n, claim, (int(one), int(other)), ("split", int(low), int(high)))
            for b, (t, n, claim), (low, high), (one, other) in zip(
                bits, some, pairs, self.objects.labels[nodes]
            )
        ]

    def _of_merges(self, some: list[tuple[int, int, Claim]]) -> list[Ranked]:
        nodes, objects = self._nodes(some), self.objects
        names = np.stack([self._dense, objects.objects], 1)
        _, part = np.unique(names, axis=0, return_inverse=True)
        sizes = np.bincount(part, weights=objects.sizes)
        one, other = np.sort(part[nodes], 1).T
        bits = np.where(one == other, 0, fused_bits(sizes[one], sizes[other], self.voxels))
        labels = objects.labels[nodes[:, 0]]
        return [
            Ranked(float(b), t, n, claim, (int(label),), ("merge", int(low), int(high)))
            for b, (t, n, claim), label, low, high in zip(bits, some, labels, one, other)
        ]


def box_around(at: Index, size: Index, shape: Index) -> Box:
    """A box with a voxel in its middle, moved so that it lies in a volume.

    Examples
    --------
    >>> box_around((5, 1), (4, 4), (9, 9))
    (slice(3, 7, None), slice(0, 4, None))
    """
    held = [min(n, most) for n, most in zip(size, shape, strict=True)]
    begin = [min(max(0, i - n // 2), m - n) for i, n, m in zip(at, held, shape, strict=True)]
    return tuple(slice(b, b + n) for b, n in zip(begin, held, strict=True))


def agrees(claim: Claim, labels: Labels, box: Box) -> bool:
    """Whether labels of a box, in which the claim's place lies, say the same."""
    one, other = (_most(labels, seen, box) for seen in claim.witnesses)
    return (one == other and one > 0) == (claim.kind == "split")


def _most(labels: Labels, voxels: NDArray[np.int64], box: Box) -> int:
    """The label that most voxels have."""
    begin = np.array([s.start for s in box])
    inside = ((voxels >= begin) & (voxels < [s.stop for s in box])).all(1)
    found, count = np.unique(labels[tuple((voxels[inside] - begin).T)], return_counts=True)
    return int(found[np.argmax(count)])
