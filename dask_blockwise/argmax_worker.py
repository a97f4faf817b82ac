"""Argmax over channels: the most probable class of each voxel."""

from __future__ import annotations

from collections.abc import Callable

from .geometry.blocks import Block
from .prediction.argmax import argmax
from .volumes.opening import open_volume

__all__ = ["argmax", "fit", "read_write_conflict", "spawn_worker"]


fit = "shrink"


read_write_conflict = False


def spawn_worker(input_path: str, output_path: str) -> Callable[[Block], None]:
    """A function that writes the classes of one block.

    Parameters
    ----------
    input_path, output_path : path or URL
        Of stored volumes, the input with channels and the output without.
    """
    classes, output = argmax(open_volume(input_path)), open_volume(output_path)

    def process(block: Block) -> None:
        output[block.write_roi] = classes[block.write_roi]

    return process
