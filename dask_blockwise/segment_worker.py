"""Segment: a function that labels objects, applied block by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .geometry.blocks import Block
from .labels.ids import compact
from .segmentation.function import Parameters, SegmentFunction
from .segmentation.segment import connected_components, segment, watershed
from .volumes.opening import open_volume

__all__ = [
    "connected_components",
    "fit",
    "read_write_conflict",
    "segment",
    "spawn_worker",
    "watershed",
]


fit = "shrink"


read_write_conflict = False


def spawn_worker(
    input_path: str,
    output_path: str,
    segment_function_file: str,
    parameters: Parameters | None = None,
) -> Callable[[Block], None]:
    """A function that labels what a block reads and writes its core, with ids unique to it.

    `segment_blockwise` and `relabel` put objects of several blocks together.

    Parameters
    ----------
    input_path, output_path : path or URL
        Of stored volumes; the output of uint64, without channels.
    segment_function_file : path
    parameters : mapping, or YAML: a path or an open file
    """
    function = SegmentFunction.of(segment_function_file, parameters)
    source, output = open_volume(input_path), open_volume(output_path)

    def process(block: Block) -> None:
        seen = replace(block, read_roi=block.read_roi.intersect(source.roi))
        labels = function(source[seen.read_roi], seen)
        begin = (block.write_roi.begin - seen.read_roi.begin) / source.voxel_size
        core = labels[tuple(map(slice, begin, begin + block.write_roi.shape / source.voxel_size))]
        local, _ = compact(core, (slice(None),) * core.ndim)
        first = np.uint64(block.number << 32)
        output[block.write_roi] = np.where(local > 0, local + first, np.uint64(0))

    return process
