"""The demo: a sample volume through its network, block by block, scored and pictured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from ..engine.progress import RunSummary, TaskSummary
from ..labels.scores import dice, score_segmentation
from ..pictures.colours import colour_segments
from ..pictures.panels import Panel, save_panels
from ..prediction.argmax import argmax
from ..prediction.predict import predict
from ..prediction.threshold import threshold
from ..relabelling.relabel import relabel
from ..segmentation.segment import connected_components, watershed
from ..volumes.opening import open_volume
from ..volumes.volume import Volume
from . import samples
from .samples import Sample

__all__ = ["DEMOS", "Demo", "Result", "run_demo"]


@dataclass(frozen=True)
class Demo:
    """How a sample is processed and shown."""

    load: Callable[[], Sample]
    # Lazy volumes by name, from the network's prediction.
    stages: Callable[[Sample, Volume], Mapping[str, Volume]]
    # Of what was stored, by name, on the part that the network was not trained on.
    scores: Callable[[Sample, Mapping[str, Volume]], dict[str, float]]
    # Where the picture cuts: voxels along z, y, x.
    section: tuple[int | slice, ...]
    # From the sections, by name.
    panels: Callable[[Mapping[str, NDArray[Any]]], list[Panel]]
    # Pixels of the picture, and what they are in the world.
    scale_bar: tuple[float, str]
    # Whether the section's first row goes to the picture's top or bottom.
    origin: Literal["upper", "lower"]


@dataclass(frozen=True)
class Result:
    """What a demo leaves behind."""

    # OME-Zarr images of raw, prediction and segments.
    container: Path
    # A PNG of a section through them.
    picture: Path
    runs: tuple[RunSummary, ...]
    # Of the part of the volume that the network was not trained on.
    scores: Mapping[str, float]

    def table(self) -> str:
        """Blocks, seconds, million voxels a second and peak memory of every stage."""
        done = [task for run in self.runs for task in run.tasks if task.completed]
        rows = [("stage", "blocks", "seconds", "Mvoxel/s", "peak MB"), *map(_row, done)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        return "\n".join(
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        )


def run_demo(name: str, output: str | PathLike[str], client: Client | None = None) -> Result:
    """Segment a sample, step by step, into an OME-Zarr container.

    Parameters
    ----------
    name : str
        One of ``DEMOS``.
    output : path
        Folder for ``demo-<name>.zarr`` and ``demo-<name>.png``; what an earlier run that was
        broken off has stored there is kept.
    client : distributed.Client, optional
        The present one, else a cluster on this machine, unless given.

    Returns
    -------
    Result
    """
    demo, container = DEMOS[name], Path(output).expanduser() / f"demo-{name}.zarr"
    runs: list[RunSummary] = []
    stored: dict[str, Volume] = {}

    def store(path: str, volume: Volume) -> Volume:
        runs.append(volume.to_zarr(container / path, client=client))
        stored[path] = open_volume(container / path)
        return stored[path]

    data = demo.load()
    raw = store("raw", data.raw)
    prediction = store("prediction", predict(raw, **data.network.options))
    for path, volume in demo.stages(data, prediction).items():
        store(path, volume)
    sections = {path: _cut(volume, demo.section) for path, volume in stored.items()}
    picture = save_panels(
        container.with_suffix(".png"),
        demo.panels(sections),
        scale_bar=demo.scale_bar,
        origin=demo.origin,
    )
    return Result(container, picture, tuple(runs), demo.scores(data, stored))


def _tissues(data: Sample, prediction: Volume) -> dict[str, Volume]:
    """Tissue classes, and the connected parts of the white matter."""
    parts = connected_components(threshold(prediction.isel(c=2), 0.85))
    return {
        "tissues": argmax(prediction),
        "segments": relabel(parts, match="touch", min_size=1000),
    }


def _neurons(data: Sample, prediction: Volume) -> dict[str, Volume]:
    """Neurons, by mutex watershed on affinities, as if it had seen all of them at once."""
    # Chosen by benchmarks/seams.py --choose, on what the network was trained on alone.
    offsets = data.network.channels
    fragments = watershed(prediction, offsets=offsets, bias=0.5, attract="nearest")
    return {"segments": relabel(fragments, min_size=200)}


def _tissue_scores(data: Sample, stored: Mapping[str, Volume]) -> dict[str, float]:
    truth, found = data.truth[data.unseen], stored["tissues"][data.unseen]
    return {
        f"Dice of {tissue}": dice(truth == number, found == number)
        for number, tissue in enumerate(data.network.channels)
        if number
    }


def _neuron_scores(data: Sample, stored: Mapping[str, Volume]) -> dict[str, float]:
    score = score_segmentation(data.truth[data.unseen], stored["segments"][data.unseen])
    return {
        "VOI split": score.voi_split,
        "VOI merge": score.voi_merge,
        "adapted Rand error": score.adapted_rand,
    }


def _cut(volume: Volume, section: tuple[int | slice, ...]) -> NDArray[Any]:
    channels = (slice(None),) if "c" in volume.axes else ()
    return volume[(*channels, *section)]


def _tissue_panels(sections: Mapping[str, NDArray[Any]]) -> list[Panel]:
    raw, segments = sections["raw"], sections["segments"]
    return [
        Panel("raw: T1", raw),
        Panel("prediction: white matter", sections["prediction"][2]),
        Panel("argmax: tissues", sections["tissues"]),
        Panel("segments: white matter", colour_segments(segments, raw)),
    ]


def _neuron_panels(sections: Mapping[str, NDArray[Any]]) -> list[Panel]:
    raw, segments = sections["raw"], sections["segments"]
    return [
        Panel("raw: FIB-SEM", raw),
        Panel("prediction: affinities z, y, x", np.moveaxis(sections["prediction"][:3], 0, -1)),
        Panel("segments: neurons", colour_segments(segments, raw)),
    ]


def _row(task: TaskSummary) -> tuple[str, ...]:
    return (
        task.name,
        str(task.blocks),
        f"{task.seconds:.1f}",
        f"{task.mvoxels_per_second or 0:.2f}",
        f"{task.peak_memory / 1e6:.0f}",
    )


DEMOS: dict[str, Demo] = {
    "fib25": Demo(
        *(samples.fib25, _neurons, _neuron_scores),
        # One that the network was not trained on.
        section=(180,),
        panels=_neuron_panels,
        scale_bar=(50, "500 nm"),
        origin="upper",
    ),
    "mni152": Demo(
        *(samples.mni152, _tissues, _tissue_scores),
        # Through cerebrum and cerebellum.
        section=(slice(None), 76),
        panels=_tissue_panels,
        scale_bar=(50, "5 cm"),
        origin="lower",
    ),
}
