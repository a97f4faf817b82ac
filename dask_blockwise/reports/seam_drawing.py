"""Pictures of a report on seams: the worst places beside one piece, and boundaries at faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..pictures.colours import colour_segments
from ..storage.files_beside import file_to_write
from .seam_measures import Labels, named_alike
from .seam_meets import Section

__all__ = ["draw"]


def draw(
    path: str | PathLike[str],
    title: str,
    places: Sequence[tuple[str, Section]],
    profile: Mapping[int, float],
) -> Path:
    """Write a PNG: a row for each place, stored and as one piece, and a curve of boundaries."""
    from matplotlib.figure import Figure

    saved = file_to_write(path, "the picture")
    figure = Figure(figsize=(12, 4 * max(1, len(places))), dpi=120, layout="constrained")
    rows = figure.subplots(max(1, len(places)), 3, squeeze=False)
    for axes in rows.ravel():
        axes.set_axis_off()
    for (caption, section), axes in zip(places, rows):
        _draw_place(axes, caption, section)
    rows[0, -1].set_axis_on()
    _draw_profile(rows[0, -1], profile)
    figure.suptitle(title)
    figure.supxlabel("dashed: the face between two blocks; dark: background", fontsize=9)
    figure.savefig(saved)
    return saved


def _draw_place(axes: Sequence[Any], caption: str, section: Section) -> None:
    stored = _dense(section.stored)
    if section.one_piece is not None:
        one_piece = _dense(section.one_piece)
        stored = named_alike(stored, one_piece)
        _draw_section(axes[1], one_piece, section.face, "the same, computed as one piece")
    _draw_section(axes[0], stored, section.face, caption)


def _dense(labels: Labels) -> Labels:
    """Ids from 1 on; 0 stays background, where there is any."""
    dense: Labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    return dense + int(labels.all())


def _draw_section(axes: Any, labels: Labels, face: int, title: str) -> None:
    grey = np.full(labels.shape, 40, np.uint8)
    axes.imshow(colour_segments(labels, grey, opacity=0.9), interpolation="nearest")
    axes.axvline(face - 0.5, color="white", linestyle="--")
    axes.set_title(title, fontsize=10)


def _draw_profile(axes: Any, profile: Mapping[int, float]) -> None:
    axes.plot(list(profile), list(profile.values()), marker=".")
    axes.axvline(0, color="grey", linestyle="--")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("distance from the face, voxels", fontsize=9)
    axes.set_title("share of voxel pairs that are a boundary", fontsize=10)
