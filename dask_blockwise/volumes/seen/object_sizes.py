"""How large the objects of stored labels are, for a report."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from ...pictures.histogram import histogram_svg
from ...pictures.raster import data_url
from ...tables import html_columns
from ..source import Voxels

__all__ = ["object_sizes", "sizes_html", "sizes_in_words"]

# What more voxels than these take is a run of its own: volume.objects().
_MOST_VOXELS = 1 << 28
_LARGEST = 10


def object_sizes(volume: Voxels) -> NDArray[np.int64] | None:
    """Id and voxels of each object, the largest first; None of what are no labels, or too many.

    Returns
    -------
    ndarray of int64, shape (objects, 2)
    """
    frame = volume.frame
    # Of one byte they are classes or a mask.
    is_wide = frame.dtype.kind in "iu" and frame.dtype.itemsize > 1
    if (
        not (frame.may_be_names and is_wide and frame.channels is None)
        or prod(frame.shape) > _MOST_VOXELS
    ):
        return None
    steps = (range(0, n, b) for n, b in zip(frame.extent, frame.block_shape, strict=True))
    counted: dict[int, int] = {}
    for begin in product(*steps):
        blocks = zip(begin, frame.block_shape, frame.extent, strict=True)
        end = tuple(min(b + step, n) for b, step, n in blocks)
        ids, counts = np.unique(volume.source.read(begin, end), return_counts=True)
        for one, count in zip(ids.tolist(), counts.tolist(), strict=True):
            counted[one] = counted.get(one, 0) + count
    counted.pop(0, None)
    sizes = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return np.array(sizes, np.int64 if max(counted, default=0) < 2**63 else object).reshape(-1, 2)


def sizes_in_words(sizes: NDArray[np.int64]) -> dict[str, object]:
    """How many there are, and how large."""
    voxels = sizes[:, 1].astype(np.int64)
    if not voxels.size:
        return {"count": 0}
    largest = [{"id": int(one), "voxels": int(n)} for one, n in sizes[:_LARGEST]]
    spread = {"smallest": int(voxels[-1]), "median": float(np.median(voxels))}
    return {"count": len(sizes), "voxels": int(voxels.sum()), **spread, "largest": largest}


def sizes_html(volume: Voxels) -> str:
    """Objects by size, as a drawing and a table; nothing of what are no labels."""
    sizes = object_sizes(volume)
    if sizes is None:
        return ""
    told = sizes_in_words(sizes)
    if not len(sizes):
        return "<h3>Objects</h3><p>There are none.</p>"
    drawn = histogram_svg(sizes[:, 1].astype(np.int64), "voxels")
    rows = [(str(one), f"{int(voxels):,}") for one, voxels in sizes[:_LARGEST]]
    return (
        f"<h3>Objects</h3><p>{told['count']:,}, the smallest of {told['smallest']:,} voxels, half "
        f"of them of {told['median']:,.0f} and more.</p>"
        f'<img src="{data_url(drawn.encode(), "image/svg+xml")}" alt="objects by size">'
        f"<p>The largest:</p>{html_columns(('id', 'voxels'), rows)}"
    )
