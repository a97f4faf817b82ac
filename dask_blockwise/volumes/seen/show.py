"""Sections of a volume in matplotlib."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ...geometry.blocks import Roi
from ...pictures.panels import draw_bar
from ...pictures.scale_bar import bar_of
from ..source import Voxels
from .sections import Section, section, sections

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["show"]


def show(volume: Voxels, /, roi: Roi | None = None, axis: str | None = None) -> Figure:
    """Draw the middle sections of a region with matplotlib; a lazy volume computes these alone.

    Labels have a colour each, the same in every picture; of channels the first three are red,
    green and blue; of times the middle one is shown.

    Parameters
    ----------
    roi : Roi, optional
        In world units, along all axes but "c"; all of the volume unless given.
    axis : str, optional
        The axis of space along which the section is, ``"z"``; each of three unless given.

    Returns
    -------
    matplotlib.figure.Figure
        Which a notebook shows; ``.savefig(path)`` stores it.

    Raises
    ------
    ImportError
        If matplotlib isn't installed: it comes with ``dask_blockwise[notebooks]``.
    ValueError
        If the region isn't within the volume, or the axis isn't one that it can be cut along.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Roi, Volume
    >>> volume = Volume.from_array(np.arange(60).reshape(3, 4, 5), voxel_size=(40, 4, 4))
    >>> figure = volume.show(Roi((0, 0, 4), (80, 16, 12)), axis="z")
    >>> figure.axes[0].get_title()
    'y, x at z = 40'
    """
    figures = _figures()
    begin, end = volume.frame.voxels(volume.frame.roi if roi is None else roi)
    _check_axis(volume, axis)
    planes = [section(volume, begin, end, axis)] if axis else sections(volume, begin, end)
    figure = figures(figsize=(4.5 * len(planes), 4.5), dpi=100, layout="constrained")
    for axes, plane in zip(figure.subplots(1, len(planes), squeeze=False)[0], planes, strict=True):
        _draw(axes, plane, volume.frame.unit)
    return figure


@cache
def _figures() -> type[Figure]:
    """Figures that notebooks show, also where nothing of matplotlib was imported before."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "volume.show draws with matplotlib, which isn't installed: "
            'pip install "dask_blockwise[notebooks]".'
        ) from error

    class ShownFigure(Figure):
        def _repr_png_(self) -> bytes:
            file = BytesIO()
            self.savefig(file, format="png")
            return file.getvalue()

    return ShownFigure


def _draw(axes: Any, plane: Section, unit: str) -> None:
    """The section, with ticks in world units."""
    height, width = plane.size
    top, left = plane.offset
    extent = (left, left + width, top + height, top)
    axes.imshow(plane.image, extent=extent, interpolation="nearest")
    axes.set_title(plane.title, fontsize=10)
    axes.set_ylabel(", ".join(filter(None, (plane.axes[0], unit))))
    axes.set_xlabel(", ".join(filter(None, (plane.axes[1], unit))))
    length, caption = bar_of(plane.width, plane.unit)
    draw_bar(axes, float(length / plane.width * width), caption)


def _check_axis(volume: Voxels, axis: str | None) -> None:
    space = [name for name in volume.frame.placement.block_axes if name != "t"]
    if len(space) < 2:
        raise ValueError(f"show draws volumes of two or three axes of space, got {volume!r}.")
    cut = space if len(space) > 2 else []
    if axis is not None and axis not in cut:
        raise ValueError(
            f"axis is one of {', '.join(map(repr, cut)) or 'none'} for a volume of the axes "
            f"{volume.frame.axes}, got {axis!r}: leave it out for each."
        )
