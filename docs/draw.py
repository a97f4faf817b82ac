"""Draws the pictures of concepts.md: ``python docs/draw.py`` writes them beside this file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

BLOCK, HALO, EDGE = 120, 28, 20
INK, CORE, MARGIN = "#37474f", "#26a69a", "#b2dfdb"
COLOURS = ("#ef6c00", "#5e35b1", "#1e88e5")


def picture(width: int, height: int, parts: Iterator[str]) -> str:
    """An SVG on white, which reads on light and dark pages."""
    style = "text { font: 13px sans-serif; fill: #37474f; }"
    frame = f'<rect width="{width}" height="{height}" fill="white"/>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    return "\n".join([head, f"<style>{style}</style>", frame, *parts, "</svg>", ""])


def box(x: int, y: int, width: int, height: int, fill: str, dashed: bool = False) -> str:
    """A rectangle."""
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{fill}" '
        f'stroke="{INK}"{dashes}/>'
    )


def text(x: int, y: int, words: str) -> str:
    """Words about a point."""
    return f'<text x="{x}" y="{y}" text-anchor="middle">{words}</text>'


def grid(columns: int, rows: int, fill: str = "none") -> Iterator[str]:
    """The faces of blocks."""
    for row in range(rows):
        for column in range(columns):
            yield box(EDGE + column * BLOCK, EDGE + row * BLOCK, BLOCK, BLOCK, fill)


def blocks() -> Iterator[str]:
    """Nine blocks, of which one shows what it reads and what it writes."""
    yield from grid(3, 3)
    at = EDGE + BLOCK
    yield box(at - HALO, at - HALO, BLOCK + 2 * HALO, BLOCK + 2 * HALO, MARGIN, dashed=True)
    yield box(at, at, BLOCK, BLOCK, CORE)
    yield text(at + BLOCK // 2, at + BLOCK // 2 + 4, "writes this")
    yield text(at + BLOCK // 2, at - HALO // 2 + 4, "halo: read, then trimmed")
    yield text(at + BLOCK // 2, at + BLOCK + HALO // 2 + 4, "reads all within dashes")


def relabelled() -> Iterator[str]:
    """An object over three blocks: three parts, and one object."""
    gap = 3 * BLOCK + 2 * EDGE + 40
    for shift, colours, words in (
        (0, COLOURS, "each block labels what it sees"),
        (gap, (CORE,) * 3, "relabel: one id for one object"),
    ):
        yield f'<g transform="translate({shift} 0)">'
        yield from grid(3, 1)
        for number, colour in enumerate(colours):
            x = EDGE + number * BLOCK
            begin = x + 40 if number == 0 else x
            end = x + BLOCK - 40 if number == 2 else x + BLOCK
            yield box(begin, EDGE + 40, end - begin, 40, colour)
        yield text(EDGE + 3 * BLOCK // 2, EDGE + BLOCK + 24, words)
        yield "</g>"


def pictures() -> dict[str, str]:
    """What the files hold, by name."""
    side, wide = 3 * BLOCK + 2 * EDGE, 6 * BLOCK + 4 * EDGE + 40
    return {
        "blocks.svg": picture(side, side, blocks()),
        "relabel.svg": picture(wide, BLOCK + 2 * EDGE + 24, relabelled()),
    }


if __name__ == "__main__":
    for name, content in pictures().items():
        Path(__file__).with_name(name).write_text(content)
