"""Tables of what a volume or a plan is, for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["by_axis", "html_table"]


def html_table(rows: Mapping[str, Any]) -> str:
    """Rows of a name and a value.

    Examples
    --------
    >>> html_table({"axes": "<y, x>"})
    '<table><tr><th>axes</th><td>&lt;y, x&gt;</td></tr></table>'
    """
    cells = (
        f"<tr><th>{name}</th><td>{escape(str(value))}</td></tr>" for name, value in rows.items()
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
