"""Threshold: a mask of the voxels above a value."""

from __future__ import annotations

from collections.abc import Callable

from .geometry.blocks import Block
from .prediction.threshold import threshold
from .volumes.opening import open_volume

__all__ = ["fit", "read_write_conflict", "spawn_worker", "threshold"]


fit = "shrink"


read_write_conflict = False


_threshold = threshold


def spawn_worker(
    input_path: str, output_path: str, threshold: float = 0.0
) -> Callable[[Block], None]:
    """A function that writes the mask of one block.

    Parameters
    ----------
    input_path, output_path : path or URL
        Of stored volumes of the same shape; the output's chunks or shards divide a block.
    threshold : float
        As for `threshold`.
    """
    mask, output = _threshold(open_volume(input_path), threshold), open_volume(output_path)

    def process(block: Block) -> None:
        output[block.write_roi] = mask[block.write_roi]

    return process
