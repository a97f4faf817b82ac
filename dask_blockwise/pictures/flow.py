"""A drawing of what is made from what: boxes of text, from left to right, as SVG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

__all__ = ["FlowBox", "Margins", "Role", "flow_svg", "readable_width"]

Role = Literal["stored", "computed", "checkpoint", "result"]

# Voxels of a block, and around it before and after, along rows and columns.
Margins = tuple[tuple[int, int, int], tuple[int, int, int]]

_FILLS: dict[Role, str] = {
    "stored": "#dfeaf6",
    "computed": "#ffffff",
    "checkpoint": "#e2f2df",
    "result": "#fdf0d5",
}
_LETTER, _BOLD_LETTER, _LINE, _PAD, _GAP, _GLYPH = 6.2, 7.0, 15, 8, 34, 36
_MOST_LETTERS = 30
_LONG_WORD = re.compile(rf"[\s/_.]?[^\s/_.]{{1,{_MOST_LETTERS - 1}}}|.")
# Of the size in which it is drawn.
_READABLE = 0.8


@dataclass(frozen=True)
class FlowBox:
    """One box of a drawing."""

    # The first is its name; long ones are broken.
    lines: tuple[str, ...]
    role: Role
    # Which boxes before it in the drawing lead to it.
    inputs: tuple[int, ...] = ()
    # What its block sees around itself, if it looks beyond.
    sees: Margins | None = None

    @property
    def width(self) -> float:
        """In pixels."""
        widths = (len(text) * (_BOLD_LETTER if bold else _LETTER) for text, bold in self.drawn)
        return max(widths) + 2 * _PAD + (_GLYPH + _PAD if self.sees else 0)

    @property
    def height(self) -> float:
        """In pixels."""
        return max(len(self.drawn) * _LINE, _GLYPH if self.sees else 0) + 2 * _PAD

    @property
    def drawn(self) -> list[tuple[str, bool]]:
        """Its lines as they are drawn, and whether each is of the name."""
        pieces = (_broken(line) for line in self.lines)
        return [(piece, n == 0) for n, of_line in enumerate(pieces) for piece in of_line]


def flow_svg(boxes: Sequence[FlowBox]) -> str:
    """Draw boxes, each right of those that lead to it.

    Parameters
    ----------
    boxes : sequence of FlowBox
        Each after those that lead to it.

    Returns
    -------
    str
        SVG, in which texts are escaped.

    Examples
    --------
    >>> raw, mask = FlowBox(("<raw>",), "stored"), FlowBox(("threshold",), "result", (0,))
    >>> drawn = flow_svg([raw, mask])
    >>> drawn.count("<rect"), "&lt;raw&gt;" in drawn
    (3, True)
    """
    columns = _columns(boxes)
    widths = [max(boxes[n].width for n in column) for column in columns]
    tallest = max(sum(boxes[n].height + _PAD for n in column) for column in columns)
    places: dict[int, tuple[float, float]] = {}
    left = float(_PAD)
    for column, width in zip(columns, widths, strict=True):
        top = (tallest - sum(boxes[n].height + _PAD for n in column)) / 2 + _PAD
        for n in column:
            places[n] = left, top
            top += boxes[n].height + _PAD
        left += width + _GAP
    size = f"{left - _GAP + _PAD:.0f}", f"{tallest + 2 * _PAD:.0f}"
    lines = [
        _line(boxes, places, source, n, tallest + _PAD)
        for n, box in enumerate(boxes)
        for source in box.inputs
    ]
    drawn = [_box(box, *places[n]) for n, box in enumerate(boxes)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
        f'viewBox="0 0 {size[0]} {size[1]}" font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(lines + drawn)}</svg>'
    )


def readable_width(svg: str) -> int:
    """The least pixels across in which a drawing's letters can be read.

    Examples
    --------
    >>> drawn = flow_svg([FlowBox(("raw data",), "stored")])
    >>> f'width="{readable_width(drawn) / _READABLE:.0f}"' in drawn
    True
    """
    width = float(svg.partition('width="')[2].partition('"')[0])
    return round(width * _READABLE)


def _columns(boxes: Sequence[FlowBox]) -> list[list[int]]:
    """Numbers of boxes, by how many lead to them one after the other."""
    depths: list[int] = []
    for box in boxes:
        depths.append(max((depths[n] + 1 for n in box.inputs), default=0))
    return [[n for n, d in enumerate(depths) if d == depth] for depth in range(max(depths) + 1)]


def _line(
    boxes: Sequence[FlowBox],
    places: dict[int, tuple[float, float]],
    begin: int,
    end: int,
    bottom: float,
) -> str:
    """An arrow from a box to another; below those between, if there may be some."""
    left = places[begin][0] + boxes[begin].width
    right = places[end][0]
    above, below = (places[n][1] + boxes[n].height / 2 for n in (begin, end))
    middle = (left + right) / 2
    first, second = (middle, above), (middle, below)
    if right - left > 4 * _GAP:
        # Where its middle is at the bottom.
        bend = (8 * bottom - above - below) / 6
        first, second = (left + _GAP, bend), (right - _GAP, bend)
    points = " ".join(f"{x:.1f} {y:.1f}" for x, y in (first, second, (right, below)))
    arrow = (
        f"M{right - 6:.1f} {below - 4:.1f}L{right:.1f} {below:.1f}L{right - 6:.1f} {below + 4:.1f}"
    )
    return (
        f'<path d="M{left:.1f} {above:.1f}C{points}" fill="none" stroke="#777"/>'
        f'<path d="{arrow}" fill="none" stroke="#777"/>'
    )


def _box(box: FlowBox, left: float, top: float) -> str:
    begin = left + _PAD + (_GLYPH + _PAD if box.sees else 0)
    text = "".join(
        f'<text x="{begin:.1f}" y="{top + _PAD + (n + 0.8) * _LINE:.1f}"'
        f"{_style(bold)}>{escape(line)}</text>"
        for n, (line, bold) in enumerate(box.drawn)
    )
    glyph = _glyph(box.sees, left + _PAD, top + _PAD) if box.sees else ""
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="5" fill="{_FILLS[box.role]}" stroke="#777"/>{glyph}{text}'
    )


def _style(bold: bool) -> str:
    return ' font-weight="bold" fill="#111"' if bold else ' fill="#444"'


def _broken(line: str) -> list[str]:
    """A long line at spaces; a long word before what parts names and paths, or anywhere.

    Examples
    --------
    >>> _broken("watershed(bias=0.45, min_size=20)")
    ['watershed(bias=0.45,', 'min_size=20)']
    >>> _broken("out.zarr/affinities_of_the_first_network")
    ['out.zarr/affinities_of_the', '_first_network']
    """
    pieces = [""]
    for word in re.findall(r"\s*\S+", line):
        for part in _LONG_WORD.findall(word) if len(word) > _MOST_LETTERS else [word]:
            if len(pieces[-1] + part) > _MOST_LETTERS:
                pieces.append("")
            pieces[-1] += part
    return [piece.strip() for piece in pieces]


def _glyph(sees: Margins, left: float, top: float) -> str:
    """A block, and dashed around it what it sees."""
    scale = _GLYPH / max(map(sum, sees))
    (before, block, after), (before_x, block_x, after_x) = (
        tuple(n * scale for n in axis) for axis in sees
    )
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{before_x + block_x + after_x:.1f}" '
        f'height="{before + block + after:.1f}" fill="#f4e3e3" stroke="#a44" '
        'stroke-dasharray="3 2"/>'
        f'<rect x="{left + before_x:.1f}" y="{top + before:.1f}" width="{block_x:.1f}" '
        f'height="{block:.1f}" fill="#ffffff" stroke="#444"/>'
    )
