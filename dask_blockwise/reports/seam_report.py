"""The report on seams: comparisons, a verdict in plain words, and a picture."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..geometry.boxes import Index
from .picture import colour_segments
from .seam_windows import Window

Verdict = Literal["clean", "seams", "unclear"]

__all__ = ["FUSED", "Comparison", "Example", "SeamReport", "Verdict", "contrast"]

# The measure of objects of one block that stitching made one.
FUSED = "fused within blocks, bits"

_RESAMPLES = 2000
_FEWEST = 5
_HEADER = ("", "at faces", "elsewhere", "difference (95 %)", "allowed", "")
_WORDS = {
    "seams": "SEAMS: the result depends on where the blocks lie.",
    "clean": "CLEAN: faces of blocks look like the rest of the volume.",
    "unclear": "UNCLEAR: too few windows to tell; take more (windows=...) or a larger volume.",
}


@dataclass(frozen=True)
class Comparison:
    """A measure at faces of blocks beside the same measure elsewhere."""

    name: str
    at_faces: float
    elsewhere: float
    # Where their difference lies, with 95 % confidence.
    interval: tuple[float, float]
    # The difference that is allowed; None where the measure only informs.
    tolerance: float | None = None

    @property
    def verdict(self) -> Verdict | None:
        """Whether the whole interval lies beyond what is allowed, or within it."""
        if self.tolerance is None:
            return None
        low, high = self.interval
        return "seams" if low > self.tolerance else "clean" if high <= self.tolerance else "unclear"


@dataclass(frozen=True)
class Example:
    """A section through the window with the largest difference."""

    # Shape (others, along the axis across the face).
    labels: NDArray[np.int64]
    # The same computed as one piece; None where it can't be.
    one_piece: NDArray[np.int64] | None
    window: Window


@dataclass(frozen=True)
class SeamReport:
    """How labels depend on the blocks in which they were made.

    ``print(report)`` gives the verdict and the figures.
    """

    comparisons: tuple[Comparison, ...]
    _: KW_ONLY
    block_shape: Index
    window_shape: Index
    # Windows astride faces.
    looked_at: int
    # Objects that end flat at the faces in these windows, of so many that reach them.
    cut_flat: tuple[int, int]
    # Share of boundaries by the distance of a plane from the face, in voxels.
    profile: dict[int, float]
    example: Example
    # Windows astride faces and inside blocks that were computed again as one piece.
    remade: tuple[int, int] | None = None
    # Of the blocks, in voxels along the axes of space; None where the pipeline isn't known.
    halo: Index | None = None
    # VOI of windows put together from two blocks, beside that inside blocks, by halo.
    halos: dict[int, Comparison] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """``"seams"`` if any measure shows them, ``"clean"`` if none does, else ``"unclear"``."""
        found = {comparison.verdict for comparison in self.comparisons}
        return "seams" if "seams" in found else "unclear" if "unclear" in found else "clean"

    @property
    def enough_halo(self) -> int | None:
        """The smallest halo that was tried with which faces are clean; None if there is none."""
        return next((h for h, c in sorted(self.halos.items()) if c.verdict == "clean"), None)

    def __str__(self) -> str:
        return "\n".join([*self._words(), "", *self._table(), _LEGEND, "", *self._advice()])

    def _repr_html_(self) -> str:
        rows = [f"<tr>{_cells(row)}</tr>" for row in self._rows()]
        texts = *self._words(), _LEGEND, *self._advice()
        words = [f"<p>{escape(text)}</p>" for text in texts]
        return f"{''.join(words[:2])}<table>{''.join(rows)}</table>{''.join(words[2:])}"

    def picture(self, path: str | PathLike[str]) -> Path:
        """Write a PNG of the worst window, and of the boundaries around faces.

        Parameters
        ----------
        path : path
            An existing file is replaced.

        Returns
        -------
        Path
        """
        from matplotlib.figure import Figure

        sections = [("the worst window, as stored", self.example.labels)]
        if self.example.one_piece is not None:
            sections.append(("the same, computed as one piece", self.example.one_piece))
        figure = Figure(figsize=(4 * len(sections) + 4.5, 4), dpi=120, layout="constrained")
        *images, curve = figure.subplots(1, len(sections) + 1)
        for axes, (title, section) in zip(images, sections):
            _draw_section(axes, section, title)
        _draw_profile(curve, self.profile)
        figure.suptitle(_WORDS[self.verdict])
        figure.supxlabel("dashed: the face between two blocks; dark: background", fontsize=9)
        saved = Path(path).expanduser()
        figure.savefig(saved)
        return saved

    def _words(self) -> list[str]:
        halo = "" if self.halo is None else f" with a halo of {_times(self.halo)}"
        looked = (
            f"Blocks of {_times(self.block_shape)}{halo}; {self.looked_at} windows of "
            f"{_times(self.window_shape)} voxels astride their faces."
        )
        if self.remade:
            looked += " Computed again as one piece: {} of them, {} inside blocks.".format(
                *self.remade
            )
        return [_WORDS[self.verdict], looked]

    def _table(self) -> list[str]:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows)]
        return [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ]

    def _rows(self) -> list[tuple[str, ...]]:
        return [_HEADER, *map(_row, self.comparisons)]

    def _advice(self) -> list[str]:
        flat, objects = self.cut_flat
        lines = [f"{flat} of the {objects} objects that reach a face there are cut flat by it."]
        if self.halo is None:
            return [*lines, _NOT_AS_ONE_PIECE]
        if any(c.name == FUSED and c.verdict == "seams" for c in self.comparisons):
            return [*lines, _NO_HALO_HELPS]
        if not self.halos:
            return lines
        tried = ", ".join(map(str, sorted(self.halos)))
        if self.enough_halo is None:
            return [*lines, _NONE_IS_ENOUGH.format(tried)]
        if self.verdict == "seams" and self.enough_halo <= min(self.halo or (0,)):
            return [*lines, _NOT_THE_HALO.format(self.enough_halo, tried)]
        return [*lines, f"A halo of {self.enough_halo} would be enough (tried: {tried})."]


_LEGEND = (
    "Elsewhere: inside blocks; for boundaries and flat ends, at planes off the faces. A measure "
    "shows seams where all of its interval lies above what is allowed."
)
_NOT_AS_ONE_PIECE = (
    "How the labels were made isn't known, so nothing was computed again as one piece and no halo "
    "tried: give the lazy volume that relabel(...) returned, and stored=, to have that too."
)
_NO_HALO_HELPS = (
    "Objects that one block told apart are fused within it, through other blocks, so no halo was "
    'tried: the rule joins too much. Take match="iou" (not "touch"), a higher min_iou, or '
    "agglomerate(...); for distance seeds, max_distance."
)
_NONE_IS_ENOUGH = (
    "None of the halos that were tried ({}) is sure to be enough. More windows=... make it surer; "
    "larger blocks have fewer faces."
)
_NOT_THE_HALO = (
    "The halo isn't the cause: with one of {} (tried: {}) the same pipeline puts two blocks "
    "together well, but what is stored differs. Was it made by other steps, or by parts of two "
    "runs? Store it again with overwrite=True."
)


def contrast(
    name: str,
    at_faces: NDArray[np.float64],
    elsewhere: NDArray[np.float64],
    rng: np.random.Generator,
    tolerance: float | None = None,
    paired: bool = False,
) -> Comparison:
    """Compare means, by resampling windows (a percentile bootstrap).

    Parameters
    ----------
    name : str
    at_faces, elsewhere : ndarray
        A value a window.
    rng : Generator
    tolerance : float, optional
    paired : bool
        Whether both values of a place come from one window.

    Examples
    --------
    >>> values = np.array([0.9, 1.0, 1.1, 1.0, 1.0, 1.0])
    >>> contrast("VOI", values, values - 1, np.random.default_rng(0), 0.05, paired=True).verdict
    'seams'
    """
    if paired:
        low, high = _interval([at_faces - elsewhere], rng)
    else:
        low, high = _interval([at_faces, -elsewhere], rng)
    means = [float(v.mean()) if v.size else float("nan") for v in (at_faces, elsewhere)]
    return Comparison(name, means[0], means[1], (low, high), tolerance)


def _interval(samples: list[NDArray[np.float64]], rng: np.random.Generator) -> tuple[float, float]:
    """Where the sum of the means lies; anywhere if there are too few values."""
    if min(s.size for s in samples) < _FEWEST:
        return -np.inf, np.inf
    drawn = (s[rng.integers(0, s.size, (_RESAMPLES, s.size))].mean(1) for s in samples)
    low, high = np.quantile(sum(drawn), [0.025, 0.975])
    return float(low), float(high)


def _row(comparison: Comparison) -> tuple[str, ...]:
    # Rounded first, and then without a sign of zero.
    low, high = (round(end, 3) + 0.0 for end in comparison.interval)
    allowed = "" if comparison.tolerance is None else f"{comparison.tolerance:.3f}"
    values = f"{comparison.at_faces:.3f}", f"{comparison.elsewhere:.3f}"
    return comparison.name, *values, f"{low:+.3f} .. {high:+.3f}", allowed, comparison.verdict or ""


def _cells(row: tuple[str, ...]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in row)


def _times(numbers: Index) -> str:
    return " x ".join(map(str, numbers))


def _draw_section(axes: Any, section: NDArray[np.int64], title: str) -> None:
    grey = np.full(section.shape, 40, np.uint8)
    axes.imshow(colour_segments(section, grey, opacity=0.9), interpolation="nearest")
    axes.axvline(section.shape[1] / 2 - 0.5, color="white", linestyle="--")
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def _draw_profile(axes: Any, profile: dict[int, float]) -> None:
    axes.plot(list(profile), list(profile.values()), marker=".")
    axes.axvline(0, color="grey", linestyle="--")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("distance from the face, voxels", fontsize=9)
    axes.set_title("share of voxel pairs that are a boundary", fontsize=10)
