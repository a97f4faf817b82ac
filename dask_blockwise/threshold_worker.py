"""Threshold: a mask of the voxels above a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Block
from .map_overlap import map_overlap
from .volume import Volume, open_volume

__all__ = ["above", "fit", "read_write_conflict", "spawn_worker", "threshold"]

fit = "shrink"
read_write_conflict = False


def above(array: NDArray[Any], threshold: float) -> NDArray[np.uint8]:
    """1 where the value is above the threshold, 0 elsewhere (and where it is NaN).

    Parameters
    ----------
    array : ndarray
    threshold : float
        In the units of the values: 0 to 255 for a prediction stored as uint8.

    Returns
    -------
    ndarray of uint8, of the same shape

    Examples
    --------
    >>> above(np.array([0.2, 0.5, 0.7, np.nan]), 0.5)
    array([0, 0, 1, 0], dtype=uint8)
    """
    return np.asarray(array > threshold).view(np.uint8)


def threshold(volume: Volume, threshold: float) -> Volume:
    """A mask of the voxels above a value, lazily.

    Parameters
    ----------
    volume : Volume
    threshold : float
        In the units of the values: 0 to 255 for a prediction stored as uint8.

    Returns
    -------
    Volume of uint8

    Examples
    --------
    >>> threshold(Volume.from_array(np.array([[0.2, 0.7]])), 0.5)[:]
    array([[0, 1]], dtype=uint8)
    """
    return map_overlap(above, volume, dtype=np.uint8, threshold=threshold)


def spawn_worker(
    input_path: str, output_path: str, threshold: float = 0.0
) -> Callable[[Block], None]:
    """A function that writes the mask of one block.

    Parameters
    ----------
    input_path, output_path : path or URL
        Of stored volumes of the same shape; the output's chunks or shards divide a block.
    threshold : float
    """
    mask = map_overlap(above, open_volume(input_path), dtype=np.uint8, threshold=threshold)
    output = open_volume(output_path)

    def process(block: Block) -> None:
        output[block.write_roi] = mask[block.write_roi]

    return process
