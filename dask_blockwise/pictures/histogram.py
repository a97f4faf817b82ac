"""How many things there are of which size, as SVG."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

__all__ = ["histogram_svg"]

_WIDTH, _HEIGHT, _MARGIN = 560, 150, 34


def histogram_svg(sizes: NDArray[np.int64], called: str) -> str:
    """Bars of how many there are between powers of two.

    Parameters
    ----------
    sizes : ndarray of int
        Of at least 1.
    called : str
        What they are counted in.

    Returns
    -------
    str
        SVG.

    Examples
    --------
    >>> drawn = histogram_svg(np.array([1, 3, 3, 9]), "voxels")
    >>> drawn.count("<rect"), "2 of 2 to 3 voxels" in drawn
    (4, True)
    """
    powers = np.log2(sizes).astype(int)
    counts = np.bincount(powers)[powers.min() :]
    step = (_WIDTH - 2 * _MARGIN) / len(counts)
    bars = [
        _bar(n + int(powers.min()), int(count), n * step, step, count / counts.max(), called)
        for n, count in enumerate(counts)
        if count
    ]
    ends = f"{2 ** int(powers.min()):,}", f"{int(sizes.max()):,} {called}"
    base = _HEIGHT - _MARGIN / 2
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(bars)}"
        f'<text x="{_MARGIN}" y="{base + 12}">{ends[0]}</text>'
        f'<text x="{_WIDTH - _MARGIN}" y="{base + 12}" text-anchor="end">{escape(ends[1])}</text>'
        "</svg>"
    )


def _bar(power: int, count: int, left: float, width: float, share: float, called: str) -> str:
    height = share * (_HEIGHT - 1.5 * _MARGIN)
    top = _HEIGHT - _MARGIN / 2 - height
    x = _MARGIN + left
    first, last = 2**power, 2 ** (power + 1) - 1
    between = f"{first:,} to {last:,}" if last > first else f"{first:,}"
    return (
        f'<rect x="{x:.1f}" y="{top:.1f}" width="{max(1, width - 2):.1f}" height="{height:.1f}" '
        f'fill="#5b8db8"><title>{count:,} of {escape(f"{between} {called}")}</title></rect>'
        f'<text x="{x + width / 2 - 1:.1f}" y="{top - 3:.1f}" text-anchor="middle">{count:,}</text>'
    )
