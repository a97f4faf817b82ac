"""Pictures of a section through volumes: grey values, probabilities and coloured segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Panel", "colour_segments", "save_panels"]

# Steps of hue, saturation and value from id to id that keep colours apart: powers of the inverse
# root of x^4 = x + 1 (Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018).
_STEPS = np.array([0.8191725134, 0.6710436067, 0.5497004779])


@dataclass(frozen=True)
class Panel:
    """One image of a picture."""

    title: str
    # (y, x) grey values, or (y, x, 3) colours in [0, 1].
    image: NDArray[Any]


def colour_segments(
    segments: NDArray[np.integer[Any]], raw: NDArray[np.uint8], opacity: float = 0.6
) -> NDArray[np.float64]:
    """Lay a colour for each segment over the grey values.

    Parameters
    ----------
    segments : ndarray of int, shape (y, x)
        0 stays grey; an id has the same colour in every picture.
    raw : ndarray of uint8, shape (y, x)
    opacity : float
        Of the colours, in [0, 1].

    Returns
    -------
    ndarray of float64, shape (y, x, 3)
        Red, green and blue in [0, 1].

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> segments, raw = np.array([[0, 7]]), np.array([[51, 51]], np.uint8)
    >>> grey, coloured = colour_segments(segments, raw)[0]
    >>> grey.tolist(), len(set(coloured.tolist()))
    ([0.2, 0.2, 0.2], 3)
    """
    if segments.shape != raw.shape:
        raise ValueError(
            f"Segments of shape {segments.shape} can't be laid over an image of shape {raw.shape}: "
            "cut both from the same region."
        )
    from matplotlib.colors import hsv_to_rgb

    least = np.array([0, 0.45, 0.75])
    colour = hsv_to_rgb(least + (1 - least) * (segments[..., None] * _STEPS % 1))
    weight = np.where(segments == 0, 0, opacity)[..., None]
    mixed: NDArray[np.float64] = (1 - weight) * (raw[..., None] / 255) + weight * colour
    return mixed


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
            _draw_bar(axes, *scale_bar)
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.4 / figure.get_figheight(), wspace=0.03)
    saved = Path(path).expanduser()
    figure.savefig(saved)
    return saved


def _draw_bar(axes: Any, pixels: float, caption: str) -> None:
    from matplotlib.patheffects import withStroke

    begin, end = 0.05, 0.05 + pixels / np.ptp(axes.get_xlim())
    edge = [withStroke(linewidth=2, foreground="black")]
    place = {"transform": axes.transAxes, "color": "white", "path_effects": edge}
    axes.plot([begin, end], [0.05, 0.05], lw=3, **place)
    axes.text((begin + end) / 2, 0.07, caption, ha="center", **place)
