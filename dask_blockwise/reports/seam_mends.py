"""Whether another halo or rule mends places that are wrong, tried on crops around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..geometry.boxes import Box, Index
from .seam_claims import Ranked, agrees, box_around
from .seam_meets import Claim
from .seam_remake import Remake
from .seam_work import all_of

__all__ = ["Mend", "mends"]

_PLACES = 3


@dataclass(frozen=True)
class Mend:
    """What the worst places become by a rule and a halo."""

    rule: str
    halo: int
    # Places that are as in one piece, of so many.
    mended: int
    tried: int
    # Whether it is what the stored labels were made by.
    own: bool


def mends(
    remake: Remake,
    worst: Sequence[Ranked],
    block: Index,
    halo: Index,
    halos: Sequence[int] | None,
    left: float,
) -> tuple[tuple[Mend, ...], float]:
    """Put two blocks together anew at the worst places, by each rule and ever larger halos.

    Parameters
    ----------
    remake : Remake
    worst : sequence of Ranked
    block, halo : tuple of int
        Of the run, in voxels.
    halos : sequence of int, optional
        Those to try; that of the run and twice as much unless given.
    left : float
        Voxels that may be computed; what would take more isn't tried.

    Returns
    -------
    mends : tuple of Mend
    left : float
        Of the voxels.
    """
    rules, own = list(remake.rules), max(halo)
    to_try = sorted({own, *(halos if halos is not None else (2 * own or max(block) // 4,))})
    tries: list[_Try] = []
    for claim in [one.claim for one in worst[:_PLACES]] if rules else ():
        box, axis = _crop(claim, block, remake.segments.shape), claim.face[0]
        for size in to_try if _holds(box, claim) else ():
            cost = remake.cost_of_two(box, axis, size)
            if cost <= left:
                left -= cost
                tries.append(_Try(claim, box, axis, size))
    counts: dict[tuple[int, str], list[bool]] = {}
    for one, said in zip(tries, all_of(partial(_tried, remake), tries)):
        for rule, mended in said.items():
            counts.setdefault((one.halo, rule), []).append(mended)
    made = [
        Mend(rule, size, sum(said), len(said), (size, rule) == (own, rules[0]))
        for (size, rule), said in counts.items()
    ]
    return tuple(made), left


@dataclass(frozen=True)
class _Try:
    """A place that two blocks are put together at, with a halo."""

    claim: Claim
    box: Box
    axis: int
    halo: int


def _tried(remake: Remake, one: _Try) -> dict[str, bool]:
    """Whether the place is as in one piece, by each rule."""
    made = remake.two_blocks(one.box, one.axis, one.halo)
    return {rule: agrees(one.claim, labels, one.box) for rule, labels in made.items()}


def _crop(claim: Claim, block: Index, shape: Index) -> Box:
    """Two halves of blocks on either side of the face that is nearest to a place."""
    axis, first = claim.face
    box = list(box_around(claim.place, block, shape))
    half = max(1, min(block[axis] // 2, first, shape[axis] - first))
    box[axis] = slice(first - half, first + half)
    return tuple(box)


def _holds(box: Box, claim: Claim) -> bool:
    """Whether both sides of a claim's place lie in a box."""
    sides = (tuple(voxels[0]) for voxels in claim.witnesses)
    return all(s.start <= i < s.stop for side in sides for s, i in zip(box, side, strict=True))
