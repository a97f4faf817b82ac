"""Sections through the middle of a box of a volume, as images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.boxes import Index
from ...geometry.written import plain
from ...pictures.colours import painted
from ...pictures.raster import data_url, png, resized, with_bar
from ...pictures.scale_bar import bar_of
from ..frame import Frame
from ..source import Voxels

__all__ = ["Section", "data_urls", "section", "sections"]

# Rows before columns, as people are used to see them.
_ORDER = "zyx"
# Of a strip, so that it is seen at all.
_LEAST_PIXELS = 24
_WITH_CAPTION = 40


@dataclass(frozen=True)
class Section:
    """A plane through a volume."""

    # Names of rows and columns, and where it lies, such as "z = 400 nanometer".
    axes: tuple[str, str]
    at: str
    # (y, x) or (c, y, x).
    values: NDArray[Any]
    # World units a voxel, and where the first begins, along rows and columns.
    voxel_size: tuple[int, int]
    offset: tuple[int, int]
    # Width as containers write it, and its unit.
    width: Fraction
    unit: str
    # Whether values are labels.
    names: bool

    @property
    def title(self) -> str:
        """Such as "y, x at z = 400 nanometer"."""
        return " at ".join(filter(None, (", ".join(self.axes), self.at)))

    @property
    def image(self) -> NDArray[np.uint8]:
        """Red, green and blue of each voxel, shape (y, x, 3)."""
        return painted(self.values, self.names)

    @property
    def size(self) -> tuple[int, int]:
        """World units along rows and columns."""
        rows, columns = self.values.shape[-2:]
        return rows * self.voxel_size[0], columns * self.voxel_size[1]

    def drawn(self, pixels: Fraction) -> NDArray[np.uint8]:
        """The image in so many pixels a world unit, with a scale bar where there is room."""
        rows, columns = (max(_LEAST_PIXELS, round(side * pixels)) for side in self.size)
        image = resized(self.image, rows, columns)
        if min(rows, columns) < _WITH_CAPTION:
            return image
        length, caption = bar_of(self.width, self.unit)
        return with_bar(image, float(columns * length / self.width), caption)


def data_urls(shown: Sequence[Section], longest: int = 256) -> list[str]:
    """URLs that hold the sections as PNG, all in one scale."""
    pixels = Fraction(longest, max(max(section.size) for section in shown))
    return [data_url(png(section.drawn(pixels)), "image/png") for section in shown]


def sections(volume: Voxels, begin: Index, end: Index) -> list[Section]:
    """The middle sections of a box, one along each axis of space, or the plane that it is.

    Parameters
    ----------
    volume : Volume
    begin, end : tuple of int
        In voxels along all axes but "c".
    """
    space = [axis for axis in volume.frame.placement.block_axes if axis != "t"]
    return [section(volume, begin, end, axis) for axis in (space if len(space) > 2 else [""])]


def section(volume: Voxels, begin: Index, end: Index, axis: str) -> Section:
    """The middle section of a box along an axis of space, and at the middle time point.

    Parameters
    ----------
    volume : Volume
        Of two or three axes of space.
    begin, end : tuple of int
        In voxels along all axes but "c".
    axis : str
        Empty where there are two.
    """
    frame = volume.frame
    names, voxel = frame.placement.block_axes, frame.voxel_size
    cut = [n for n, name in enumerate(names) if name in ("t", axis)]
    middle = [(b + e) // 2 for b, e in zip(begin, end, strict=True)]
    low = tuple(middle[n] if n in cut else b for n, b in enumerate(begin))
    high = tuple(middle[n] + 1 if n in cut else e for n, e in enumerate(end))
    shown = sorted(set(range(len(names))) - {*cut}, key=lambda n: _ORDER.index(names[n]))
    rows, columns = shown
    written = frame.placement.as_written[columns]
    return Section(
        axes=(names[rows], names[columns]),
        at=", ".join(_said(frame, n, low) for n in cut),
        values=_plane(volume.source.read(low, high), frame, (names[rows], names[columns])),
        voxel_size=(int(voxel[rows]), int(voxel[columns])),
        offset=(_world(frame, rows, low), _world(frame, columns, low)),
        width=written.size(int((high[columns] - low[columns]) * voxel[columns])),
        unit=written.unit,
        names=frame.may_be_names,
    )


def _plane(values: NDArray[Any], frame: Frame, shown: tuple[str, str]) -> NDArray[Any]:
    """Values with the axes that are shown last."""
    kept = [axis for axis in frame.axes if axis in ("c", *shown)]
    index = tuple(slice(None) if axis in kept else 0 for axis in frame.axes)
    wanted = [axis for axis in kept if axis == "c"] + list(shown)
    return values[index].transpose([kept.index(axis) for axis in wanted])


def _world(frame: Frame, axis: int, begin: Index) -> int:
    return int(frame.offset[axis] + begin[axis] * frame.voxel_size[axis])


def _said(frame: Frame, axis: int, begin: Index) -> str:
    """Where along an axis, as containers write it."""
    placement = frame.placement
    written = placement.as_written[axis]
    number = plain(written.position(_world(frame, axis, begin)))
    return f"{placement.block_axes[axis]} = {number} {written.unit}".rstrip()
