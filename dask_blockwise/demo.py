"""The demo: a sample volume through its network, block by block, scored and pictured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from . import components_function, sample
from .argmax_worker import argmax
from .map_overlap import map_overlap
from .picture import Panel, colour_segments, save_panels
from .predict_worker import predict
from .progress import RunSummary
from .relabel_worker import relabel
from .sample import Sample
from .scores import dice, score_segmentation
from .segment_worker import segment, watershed
from .threshold_worker import threshold
from .volume import Volume, open_volume

__all__ = ["DEMOS", "Result", "run_demo"]


@dataclass(frozen=True)
class Result:
    """What a demo leaves behind."""

    # An OME-Zarr container of raw, prediction and segments.
    container: Path
    # A PNG of a section through them.
    picture: Path
    runs: tuple[RunSummary, ...]
    # Of the part of the volume that the network was not trained on.
    scores: Mapping[str, float]

    def table(self) -> str:
        """Blocks, seconds, million voxels a second and peak memory of every stage."""
        rows = [("stage", "blocks", "seconds", "Mvoxel/s", "peak MB")]
        rows += [
            (
                task.task_id,
                str(task.blocks),
                f"{task.seconds:.1f}",
                f"{task.mvoxels_per_second or 0:.2f}",
                f"{task.peak_memory / 1e6:.0f}",
            )
            for run in self.runs
            for task in run.tasks
        ]
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join(
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        )


def run_demo(name: str, output: Path, client: Client | None = None) -> Result:
    """Run a demo; what an earlier, broken-off run has stored in the output is kept."""
