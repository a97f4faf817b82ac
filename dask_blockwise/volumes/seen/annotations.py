"""Places that a person is to look at, as a layer of points for Neuroglancer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from ...geometry.boxes import Index
from ...geometry.placement import Placement
from ...geometry.units import axis_kind, length_of
from ...storage.files_beside import file_to_write

__all__ = ["Place", "annotation_layer", "scales_of", "write_state"]

_SI = {"space": "m", "time": "s"}


@dataclass(frozen=True)
class Place:
    """A voxel, and why it is looked at."""

    # In voxels along all axes but "c".
    at: Index
    # The larger, the sooner it is looked at.
    doubt: float
    said: str
    # Labels that meet there.
    labels: tuple[int, ...] = ()


def annotation_layer(places: Iterable[Place], placement: Placement) -> dict[str, Any]:
    """A layer of points, the most doubtful first, as Neuroglancer's JSON has it.

    Examples
    --------
    >>> place = Placement(("y", "x"), (4, 4), (0, 8), "nanometer")
    >>> layer = annotation_layer([Place((1, 2), 0.5, "split")], place)
    >>> layer["annotations"][0]["point"], layer["annotations"][0]["description"]
    ([1.5, 4.5], '1: split')
    """
    scales, units = scales_of(placement)
    each = zip(placement.block_axes, scales, units, strict=True)
    dimensions = {axis: [scale, unit] for axis, scale, unit in each}
    ordered = sorted(places, key=lambda place: -place.doubt)
    return {
        "type": "annotation",
        "name": "doubts",
        "source": {
            "url": "local://annotations",
            "transform": {"outputDimensions": dimensions},
        },
        "annotationProperties": [{"id": "doubt", "type": "float32", "default": 0}],
        "annotations": [_point(n, place, placement) for n, place in enumerate(ordered, 1)],
    }


def write_state(path: str | PathLike[str], layer: Mapping[str, Any]) -> Path:
    """Write a state of Neuroglancer with a layer, to be loaded by its {} button."""
    where = file_to_write(path, "the state")
    dimensions = layer["source"]["transform"]["outputDimensions"]
    where.write_text(json.dumps({"dimensions": dimensions, "layers": [layer]}, indent=1), "utf-8")
    return where


def scales_of(placement: Placement) -> tuple[list[float], list[str]]:
    """Voxel sizes in meters and seconds, or without a unit that is known, along all but "c"."""
    written = zip(placement.as_written, placement.voxel_size, strict=True)
    scales: list[float] = []
    units: list[str] = []
    for axis, (way, size) in zip(placement.block_axes, written, strict=True):
        kind = axis_kind(axis)
        length = length_of(way.unit, kind)
        scales.append(float(way.size(size) * (length or 1)))
        units.append(_SI[kind] if length else "")
    return scales, units


def _point(number: int, place: Place, placement: Placement) -> dict[str, Any]:
    axes = zip(place.at, placement.offset, placement.voxel_size, strict=True)
    return {
        "type": "point",
        "id": str(number),
        # Its middle.
        "point": [n + offset / size + 0.5 for n, offset, size in axes],
        "description": f"{number}: {place.said}",
        "props": [place.doubt],
    }
