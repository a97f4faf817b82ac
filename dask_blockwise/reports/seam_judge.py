"""From windows of one piece to how far stored labels are from it, and where they went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import fastremap
import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from ..volumes.reach import Halo
from ..volumes.volume import Volume
from .seam_claims import Claims, Ranked, agrees, box_around
from .seam_contrast import Verdict, verdict_of
from .seam_estimate import Estimate, Links, estimated, fused_bits
from .seam_measures import counted
from .seam_meets import Kind, Meet, Section, meet
from .seam_mends import Mend, mends
from .seam_remake import Remake, halo_of, seen_by
from .seam_tiles import Tile, affordable, drawn_order, spent, tiles
from .seam_work import Work, all_of, together

__all__ = ["Found", "Judge", "WrongPlace", "verdict_on"]

# Tiles without which nothing is clean, if there are more.
_FEWEST = 4

# What tiles take of the budget where second looks and mends follow, and these before mends.
_TILES, _LOOKS = 0.8, 0.55
# Voxels that are worth a task.
_OF_A_TASK = 1 << 15
# Voxels around a window, at least.
_CONTEXT = 2
# Voxels at a face in which labels that meet there do meet.
_CONTACT = 4
_PLACES = 10
# Looks at once, after which claims are ranked anew; and bits that are worth one, or keeping some of
# the budget for.
_AT_ONCE, _LEAST, _WORTH = 2, 2e-3, 0.02


# Of a tile: pairs of labels that meet, shape (2, k), labels, and how many voxels they have there.
Met = tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]]


@dataclass(frozen=True)
class WrongPlace:
    """Where labels were stored apart that are one object in one piece, or the other way round."""

    # In voxels.
    at: Index
    # Of the nearest face, which lies across it.
    axis: int
    kind: Kind
    # Both that are split, or the one that is merged.
    labels: tuple[int, ...]
    # By which the whole differs for it.
    bits: float
    # Whether a second window, with the place in its middle, said the same; None without one.
    confirmed: bool | None
    section: Section


@dataclass(frozen=True)
class Found:
    """All that windows of one piece say of stored labels."""

    estimate: Estimate
    worst: tuple[WrongPlace, ...]
    mends: tuple[Mend, ...]
    # Tiles that were computed again, of so many in which something meets.
    tiles: tuple[int, int]
    # Voxels that were computed again, as a share of those that the run computed.
    cost: float


def verdict_on(estimate: Estimate, tiles: tuple[int, int], tolerance: float) -> Verdict:
    """What an estimate says, by so many tiles of those in which something meets."""
    verdict, (seen, every) = verdict_of(estimate.interval, tolerance), tiles
    return "unclear" if verdict == "clean" and seen < min(_FEWEST, every) else verdict


@dataclass(frozen=True)
class Judge:
    """Computes windows again as one piece, within a budget, and says what they show.

    Parameters
    ----------
    pipeline
        What ``relabel`` returned.
    labels
        What is stored of it.
    block
        Voxels of a block.
    budget
        Voxels that may be computed again, as a share of those that the run has computed.
    tolerance
        Bits of VOI that are allowed.
    """

    pipeline: Volume
    labels: Volume
    block: Index
    budget: float
    tolerance: float = 0.05

    def to_meet(self) -> Work:
        """What has to be known of each tile before some are drawn."""
        return Work(self._met, self.tiles, self._at_once)

    def found(
        self, met: Sequence[Met], halos: Sequence[int] | None, rng: np.random.Generator
    ) -> Found:
        """Draw tiles, look again at what they claim, and try to mend the worst places.

        ``met`` is what came of ``to_meet``.
        """
        links = self._bits(met)
        weight = np.array([bits.sum() for bits in links])
        # Nothing can be wrong where nothing meets.
        order = drawn_order(weight, rng)[: np.count_nonzero(weight)]
        cost = np.array([self.tiles[n].cost for n in order], float)
        drawn = [links[n] for n in order]
        most = self.budget * self.run
        count = max(1, affordable(cost, _TILES * most))
        claims = self._claims([None] * len(self.tiles), order[:count])
        if all(one.bits < _WORTH for one in claims.ranked):
            # Then little is to be looked at again, or to be mended.
            more = max(count, affordable(cost, most))
            estimate = self._estimate(claims, drawn, count, rng)
            if verdict_on(estimate, (count, len(order)), self.tolerance) != "clean":
                claims = self._claims(claims.found, order[count:more])
                count = more
        claims, left = self._looked_again(claims, most - cost[:count].sum())
        worst = self._worst(claims)
        tried, left = mends(self.remake, worst, self.block, self.halo, halos, left)
        return Found(
            self._estimate(claims, drawn, count, rng),
            tuple(self._place(claims, one) for one in worst[:_PLACES]),
            tried,
            (min(count, len(order)), len(order)),
            (most - left) / self.run,
        )

    def _estimate(
        self,
        claims: Claims,
        links: Sequence[NDArray[np.float64]],
        count: int,
        rng: np.random.Generator,
    ) -> Estimate:
        """By links of tiles, of which so many were computed again."""
        wrong = np.array([one.bits for one in self._worst(claims)])
        unseen = np.concatenate([wrong[:0], *links[count:]])
        seen = Links(sum(map(len, links[:count])), wrong, unseen, count)
        return estimated(claims.shares, claims.trust(), seen, rng)

    @property
    def halo(self) -> Index:
        """Of blocks, along all axes."""
        return tuple(max(pair) for pair in self._of_all_axes(halo_of(self.pipeline)))

    def _of_all_axes(self, halo: Halo) -> Halo:
        return ((0, 0),) * (self.labels.ndim - len(halo)) + halo

    @cached_property
    def run(self) -> int:
        """Voxels that all blocks saw."""
        return spent(self.labels.shape, self.block, self._of_all_axes(seen_by(self.pipeline)))

    @cached_property
    def remake(self) -> Remake:
        """What computes boxes again."""
        return Remake(self.pipeline, self.labels)

    @cached_property
    def tiles(self) -> list[Tile]:
        """All of the volume."""
        stitched = tuple(axis != "t" for axis in self.labels.axes)
        most = _TILES * self.budget * self.run
        # Of what is exact, a part of a window tells as much as all of it.
        count = _FEWEST if self.remake.exact else 1
        return tiles(self.labels.shape, self.block, stitched, self._context, most, count)

    @property
    def _at_once(self) -> int:
        """Tiles that one task looks at, where they are small."""
        return max(1, _OF_A_TASK // max(tile.cost for tile in self.tiles))

    @property
    def voxels(self) -> int:
        """Of the volume."""
        return int(np.prod(self.labels.shape))

    @property
    def _moving(self) -> Index:
        return tuple(n for n, axis in enumerate(self.labels.axes) if axis != "t")

    @property
    def _context(self) -> Index:
        """Voxels that are seen around a window; few for connected components."""
        more = 0 if self.remake.exact else 8
        axes = zip(self.labels.axes, self.block, strict=True)
        return tuple(0 if axis == "t" else max(_CONTEXT, more and b // more) for axis, b in axes)

    def _met(self, tile: Tile) -> Met:
        """Pairs of labels that meet at a tile's faces, or are the same on both sides; and sizes."""
        layers = ((axis, self.labels[box]) for axis, box in tile.layers())
        pairs = [np.moveaxis(layer, axis, 0).reshape(2, -1) for axis, layer in layers]
        labels, (one, other), _ = counted(np.concatenate(pairs, 1))
        keys, _, contact = counted(one * len(labels) + other)
        met = np.stack([labels[n] for n in np.divmod(keys, len(labels))])
        some = met[:, (met > 0).all(0) & (contact >= _CONTACT)]
        return some, *fastremap.unique(self.labels[tile.box], return_counts=True)

    def _bits(self, met: Sequence[Met]) -> list[NDArray[np.float64]]:
        """By how much it would change the whole if links were wrong, for each tile."""
        links, named, voxels = zip(*met, strict=True)
        labels, dense = np.unique(np.concatenate(named), return_inverse=True)
        sizes = np.where(labels > 0, np.bincount(dense, weights=np.concatenate(voxels)), 0)
        pairs = np.searchsorted(labels, np.concatenate(links, 1))
        alike = pairs[0] == pairs[1]
        # The more links hold an object together, the less hangs on one of them.
        held = np.bincount(pairs[0][alike], minlength=len(labels))
        share = np.where(alike, 1 / (held[pairs[0]] + 1), 1)
        one, other = sizes[pairs]
        rest = np.where(alike, other * (1 - share), other)
        bits = fused_bits(one * share, rest, self.voxels)
        return np.split(bits, np.cumsum([link.shape[1] for link in links])[:-1])

    def _claims(self, found: Sequence[Meet | None], chosen: NDArray[np.intp]) -> Claims:
        """What all tiles show, after some more were computed as one piece."""
        some = set(chosen.tolist())
        # Those that take longest first, as workers would else wait for the last of them.
        some_first = sorted(some, key=lambda n: -self.tiles[n].cost)
        to_see = [*some_first, *(n for n, m in enumerate(found) if m is None and n not in some)]
        items = [(self.tiles[n], n in some) for n in to_see]
        (made,) = together(Work(self._meet, items, self._at_once))
        meets = {n: meet for n, meet in enumerate(found) if meet is not None}
        meets |= dict(zip(to_see, made))
        return Claims([meets[n] for n in range(len(found))], self.tiles, self._moving, self.voxels)

    def _meet(self, one: tuple[Tile, bool]) -> Meet:
        tile, chosen = one
        seen = self.remake.one_piece(tile.seen) if chosen else None
        return meet(self.labels[tile.box], seen, tile)

    def _looked_again(self, claims: Claims, left: float) -> tuple[Claims, float]:
        """Compute windows around the worst places, as long as there are some and a budget."""
        kept = left * (1 - _LOOKS)
        left -= kept
        size = tuple(b + 2 * c for b, c in zip(self.block, self._context, strict=True))
        while True:
            some = self._worst(claims, unseen=True)[:_AT_ONCE]
            boxes = [box_around(one.claim.place, size, self.labels.shape) for one in some]
            paid = list(accumulate(int(np.prod([s.stop - s.start for s in b])) for b in boxes))
            pairs = [pair for pair, all_in in zip(zip(some, boxes), paid) if all_in <= left]
            if not pairs:
                return claims, left + kept
            left -= paid[len(pairs) - 1]
            said = all_of(self._look, pairs)
            looks = {(one.tile, one.number): same for (one, _), same in zip(pairs, said)}
            claims = claims.after(looks)

    def _look(self, one: tuple[Ranked, Any]) -> bool:
        ranked, box = one
        return agrees(ranked.claim, self.remake.one_piece(box), box)

    def _worst(self, claims: Claims, unseen: bool = False) -> list[Ranked]:
        """The worst place of each subject; or of those that weren't looked at."""
        worst: dict[Any, Ranked] = {}
        for one in claims.ranked:
            if one.bits > 0 and (
                one.subject not in worst or (one.tile, one.number) in claims.looks
            ):
                worst[one.subject] = one
        some = list(worst.values())
        if unseen:
            return [s for s in some if s.bits > _LEAST and s.subject not in claims.confirmed]
        return some

    def _place(self, claims: Claims, one: Ranked) -> WrongPlace:
        said = claims.looks.get((one.tile, one.number))
        claim = one.claim
        return WrongPlace(
            claim.place, claim.face[0], claim.kind, one.labels, one.bits, said, claim.section
        )
