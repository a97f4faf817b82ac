"""How a notebook shows a volume."""

from __future__ import annotations

from math import prod

from dask.utils import format_bytes

from ..tables import by_axis, html_table
from .source import Voxels

__all__ = ["repr_html"]


def repr_html(volume: Voxels) -> str:
    """A table of what is known of it without its values."""
    frame, axes = volume.frame, volume.frame.placement.block_axes
    spans = [f"{begin} to {end}" for begin, end in zip(frame.roi.begin, frame.roi.end)]
    rows = {
        "shape": by_axis(frame.axes, frame.shape),
        "values": f"{frame.dtype}, {format_bytes(prod(frame.shape) * frame.dtype.itemsize)}",
        "voxel size": by_axis(axes, frame.voxel_size, frame.unit),
        "region": by_axis(axes, spans, frame.unit),
        "block": by_axis(axes, frame.block_shape),
        "computed from": " + ".join(map(repr, volume.source.inputs)) or "what is stored",
    }
    return html_table(rows)
