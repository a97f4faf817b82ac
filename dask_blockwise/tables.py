"""Tables, for terminals and notebooks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["Table", "by_axis", "html_columns", "html_table", "text_columns", "without_columns"]

# Names of columns, and rows of them.
Table = tuple[Sequence[str], Sequence[Sequence[str]]]
# Else a notebook breaks names into several lines; what is too wide, it scrolls.
_WHOLE = "white-space:nowrap"


def html_table(rows: Mapping[str, Any]) -> str:
    """Rows of a name and a value.

    Examples
    --------
    >>> html_table({"axes": "<y, x>"})
    '<table><tr><th>axes</th><td style="text-align:left">&lt;y, x&gt;</td></tr></table>'
    """
    cells = (
        f'<tr><th>{name}</th><td style="text-align:left">{escape(str(value))}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table>{''.join(cells)}</table>"


def by_axis(axes: Sequence[str], values: Sequence[Any], unit: str = "") -> str:
    """Values with the names of their axes.

    Examples
    --------
    >>> by_axis(("y", "x"), (4, 8), "nanometer")
    'y 4, x 8 nanometer'
    """
    listed = ", ".join(f"{axis} {value}" for axis, value in zip(axes, values, strict=True))
    return f"{listed} {unit}".rstrip()


def without_columns(
    left_out: Collection[str], names: Sequence[str], rows: Sequence[Sequence[str]]
) -> Table:
    """Columns and rows without those that say nothing.

    Examples
    --------
    >>> without_columns(["y"], ("x", "y"), [("1", "2")])
    (['x'], [['1']])
    """
    kept = [n for n, column in enumerate(names) if column not in left_out]
    return [names[n] for n in kept], [[row[n] for n in kept] for row in rows]


def text_columns(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows below the names of their columns, the first of text, the others of numbers.

    Examples
    --------
    >>> print(text_columns(("task", "blocks"), [("smooth", "8"), ("label", "16")]))
    task    blocks
    ------  ------
    smooth       8
    label       16
    """
    widths = [max(map(len, column)) for column in zip(names, *rows)]
    lines = [_aligned(row, widths) for row in (names, *rows)]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def html_columns(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same for notebooks."""
    head = "".join(f'<th style="{_WHOLE}">{escape(name)}</th>' for name in names)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    numbers = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))
    return "  ".join([row[0].ljust(widths[0]), *numbers]).rstrip()


def _cells(row: Sequence[str]) -> str:
    name, *numbers = (escape(cell) for cell in row)
    first = f'<td style="text-align:left;{_WHOLE}">{name}</td>'
    return first + "".join(f'<td style="{_WHOLE}">{number}</td>' for number in numbers)
