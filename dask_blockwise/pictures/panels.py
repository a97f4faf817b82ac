"""Images side by side in one PNG, with titles and a scale bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Panel", "draw_bar", "save_panels"]


@dataclass(frozen=True)
class Panel:
    """One image of a picture."""

    title: str
    # (y, x) grey values, or (y, x, 3) colours in [0, 1].
    image: NDArray[Any]


def save_panels(
    path: str | PathLike[str],
    panels: Sequence[Panel],
    *,
    scale_bar: tuple[float, str] | None = None,
    origin: str = "upper",
) -> Path:
    """Write images side by side as a PNG, with a title over each.

    Parameters
    ----------
    path : path
        Of the PNG; an existing one is replaced.
    panels : sequence of Panel
    scale_bar : (float, str), optional
        Length of a bar in pixels, and its caption.
    origin : "upper" or "lower"
        Where the first row goes.

    Returns
    -------
    Path

    Examples
    --------
    >>> noise = np.random.default_rng(0).random((20, 30))
    >>> save_panels("noise.png", [Panel("noise", noise)], scale_bar=(10, "1 µm")).exists()
    True
    """
    from matplotlib.figure import Figure

    height, width = panels[0].image.shape[:2]
    inches = 4.0
    figure = Figure(figsize=(inches * len(panels), inches * height / width + 0.4), dpi=160)
    for axes, panel in zip(np.ravel(figure.subplots(1, len(panels))), panels):
        axes.imshow(panel.image, cmap="gray", origin=origin, interpolation="nearest")
        axes.set_title(panel.title, fontsize=11)
        axes.set_axis_off()
        if scale_bar is not None and panel is panels[0]:
            draw_bar(axes, *scale_bar)
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.4 / figure.get_figheight(), wspace=0.03)
    saved = Path(path).expanduser()
    figure.savefig(saved)
    return saved


def draw_bar(axes: Any, length: float, caption: str) -> None:
    """Draw a scale bar so long, in what matplotlib's axes are in, in their lower left corner."""
    from matplotlib.patheffects import withStroke

    begin, end = 0.05, 0.05 + length / np.ptp(axes.get_xlim())
    edge = [withStroke(linewidth=2, foreground="black")]
    place = {"transform": axes.transAxes, "color": "white", "path_effects": edge}
    axes.plot([begin, end], [0.05, 0.05], lw=3, **place)
    axes.text((begin + end) / 2, 0.07, caption, ha="center", **place)
