"""The report on seams: an estimate, a verdict in plain words, and the worst places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from ..geometry.boxes import Index
from ..geometry.placement import Placement
from ..tables import html_columns, text_columns
from ..volumes.seen.annotations import Place, annotation_layer, write_state
from .seam_contrast import Comparison, Verdict
from .seam_drawing import draw
from .seam_estimate import Estimate
from .seam_judge import Found, WrongPlace, verdict_on
from .seam_meets import Section
from .seam_mends import Mend

__all__ = ["SeamReport"]

# Places that are drawn.
_DRAWN = 3
_MEASURES = "measure", "at faces", "elsewhere", "difference (95 %)", "allowed", ""
_PLACES = "worst", "at", "face across", "is", "labels", "bits", "looked again"
_WORDS = {
    "seams": "SEAMS: the result depends on where the blocks lay.",
    "clean": "CLEAN: the result doesn't depend on where the blocks lay.",
    "unclear": "UNCLEAR: too little was seen to tell; give a larger budget=..., or windows=...",
}


@dataclass(frozen=True, repr=False)
class SeamReport:
    """How labels depend on the blocks in which they were made.

    ``print(report)`` gives the verdict, the figures and the worst places.
    """

    comparisons: tuple[Comparison, ...]
    _: KW_ONLY
    placement: Placement
    block_shape: Index
    window_shape: Index
    # Windows astride faces in which boundaries and flat ends were looked at.
    looked_at: int
    # Objects that end flat at the faces in these windows, of so many that reach them.
    cut_flat: tuple[int, int]
    # Share of boundaries by the distance of a plane from the face, in voxels.
    profile: dict[int, float]
    # Where the face shows most of these, and the place.
    example: Section
    # What was computed again as one piece; None where the pipeline isn't known.
    found: Found | None = None
    # Of the blocks, in voxels along the axes of space; None where the pipeline isn't known.
    halo: Index | None = None
    # Bits that are allowed.
    tolerance: float = 0.05

    @property
    def verdict(self) -> Verdict:
        """``"seams"`` if anything shows them, ``"clean"`` if nothing does, else ``"unclear"``."""
        found = {comparison.verdict for comparison in self.comparisons}
        if self.found is None:
            return "seams" if "seams" in found else "unclear" if "unclear" in found else "clean"
        if "seams" in found:
            return "seams"
        return verdict_on(self.found.estimate, self.found.tiles, self.tolerance)

    @property
    def estimate(self) -> Estimate | None:
        """Bits of VOI from one piece; None where the pipeline isn't known."""
        return self.found.estimate if self.found else None

    @property
    def worst(self) -> tuple[WrongPlace, ...]:
        """Where labels are split or merged that aren't in one piece, the worst first."""
        return self.found.worst if self.found else ()

    @property
    def mends(self) -> tuple[Mend, ...]:
        """What rules and halos have made of the worst places, on crops."""
        return self.found.mends if self.found else ()

    @property
    def enough_halo(self) -> int | None:
        """That of the run if it is clean, else the smallest that mended the worst places."""
        if self.verdict == "clean" and self.halo is not None:
            return max(self.halo, default=0)
        own = {mend.rule for mend in self.mends if mend.own}
        most = max((mend.tried for mend in self.mends), default=0)
        enough = (m.halo for m in self.mends if m.rule in own and m.mended == m.tried == most)
        return min(enough, default=None)

    def __str__(self) -> str:
        tables = (text_columns(names, rows) for names, rows in self._tables())
        return "\n".join([*self._words(), "", "\n\n".join(tables), "", *self._advice()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        words, advice = (
            "".join(f"<p>{escape(text)}</p>" for text in texts)
            for texts in (self._words(), self._advice())
        )
        return words + "".join(html_columns(*table) for table in self._tables()) + advice

    def picture(self, path: str | PathLike[str]) -> Path:
        """Write a PNG of the worst places, stored beside one piece, and of boundaries at faces.

        Parameters
        ----------
        path : path
            An existing file is replaced.

        Returns
        -------
        Path
        """
        places = [(self._caption(n, place), place.section) for n, place in self._numbered()]
        shown = places[:_DRAWN] or [("where boundaries show the face most", self.example)]
        return draw(path, _WORDS[self.verdict], shown, self.profile)

    def annotations(self, path: str | PathLike[str] | None = None) -> dict[str, Any]:
        """The worst places as a layer of points for Neuroglancer, the most doubtful first.

        Parameters
        ----------
        path : path, optional
            Where a state with this layer is written, which Neuroglancer loads as JSON.

        Returns
        -------
        dict
            For ``segments.view(doubts=report.annotations())``.
        """
        places = (
            Place(place.at, place.bits, self._caption(n, place).partition(": ")[2], place.labels)
            for n, place in self._numbered()
        )
        layer = annotation_layer(places, self.placement)
        if path is not None:
            write_state(path, layer)
        return layer

    def _numbered(self) -> Iterator[tuple[int, WrongPlace]]:
        return enumerate(self.worst, 1)

    def _caption(self, number: int, place: WrongPlace) -> str:
        labels = " and ".join(map(str, place.labels))
        return f"{number}: {labels} {place.kind}, {place.bits:.3f} bits, as stored"

    def _words(self) -> list[str]:
        halo = "" if self.halo is None else f" with a halo of {_times(self.halo)}"
        looked = (
            f"Blocks of {_times(self.block_shape)}{halo}; {self.looked_at} windows of "
            f"{_times(self.window_shape)} voxels astride their faces."
        )
        if self.found is None:
            return [_WORDS[self.verdict], looked]
        made, (low, high) = self.found.estimate, self.found.estimate.interval
        seen, tiles = self.found.tiles
        return [
            _WORDS[self.verdict],
            f"From one piece: {made.bits:.3f} bits (95 %: {low:.3f} .. {high:.3f}; allowed: "
            f"{self.tolerance:.3f}), {made.split:.3f} for what is split and {made.merge:.3f} for "
            "what is merged.",
            f"{looked} Computed again as one piece: {seen} of {tiles} tiles around faces, and the "
            f"worst places; {self.found.cost:.2f} of the voxels that the run computed.",
        ]

    def _tables(self) -> Iterator[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
        if self.worst:
            yield _PLACES, [self._row(n, place) for n, place in self._numbered()]
        yield _MEASURES, list(map(_row, self.comparisons))

    def _row(self, number: int, place: WrongPlace) -> tuple[str, ...]:
        axes = zip(self.placement.block_axes, self.placement.offset, place.at, strict=True)
        world = zip(axes, self.placement.voxel_size, strict=True)
        at = ", ".join(f"{axis} {offset + size * i}" for (axis, offset, i), size in world)
        looked = {None: "no", True: "the same"}[place.confirmed or None]
        labels = " and ".join(map(str, place.labels))
        across = self.placement.block_axes[place.axis]
        return str(number), at, across, place.kind, labels, f"{place.bits:.3f}", looked

    def _advice(self) -> list[str]:
        flat, objects = self.cut_flat
        lines = [f"{flat} of the {objects} objects that reach a face there are cut flat by it."]
        if self.found is None:
            return [*lines, _NOT_AS_ONE_PIECE]
        return [*lines, *map(_tried, self.mends), *self._mend()]

    def _mend(self) -> list[str]:
        if not self.mends:
            return []
        # Of places that all were tried at.
        most = max(mend.tried for mend in self.mends)
        mended = [mend for mend in self.mends if mend.mended == mend.tried == most]
        if any(mend.own for mend in mended):
            return [_NOT_ON_CROPS]
        # The smallest halo, and the rule that it has already, as far as that will do.
        own = {mend.rule for mend in self.mends if mend.own}
        best = min(mended, key=lambda mend: (mend.halo, mend.rule not in own), default=None)
        return [_NO_MEND if best is None else f"So take {best.rule} with a halo of {best.halo}."]


_NOT_AS_ONE_PIECE = (
    "How the labels were made isn't known, so nothing was computed again as one piece: give the "
    "lazy volume that relabel(...) returned, and stored=, to have that too."
)
_NOT_ON_CROPS = (
    "The halo isn't the cause, nor the rule: on crops of two blocks the same pipeline gets these "
    "places right. Either they hang on what lies further away, or what is stored was made by other "
    "steps, or by parts of two runs: store it again with overwrite=True."
)
_NO_MEND = (
    "None of these mends all of the places, as far as the budget went; larger blocks have fewer "
    "faces, and agglomerate(...) weighs all that lies between two objects."
)


def _tried(mend: Mend) -> str:
    made = " (as it was made)" if mend.own else ""
    return (
        f"{mend.rule} with a halo of {mend.halo}{made}, on crops around the worst places: "
        f"{mend.mended} of {mend.tried} are as in one piece."
    )


def _row(comparison: Comparison) -> tuple[str, ...]:
    # Rounded first, and then without a sign of zero.
    low, high = (round(end, 3) + 0.0 for end in comparison.interval)
    allowed = "" if comparison.tolerance is None else f"{comparison.tolerance:.3f}"
    values = f"{comparison.at_faces:.3f}", f"{comparison.elsewhere:.3f}"
    return comparison.name, *values, f"{low:+.3f} .. {high:+.3f}", allowed, comparison.verdict or ""


def _times(numbers: Index) -> str:
    return " x ".join(map(str, numbers))
