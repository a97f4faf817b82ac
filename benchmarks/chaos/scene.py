"""What is run: a crop of FIB-25 from raw to segments, or blobs, with places in it for trouble."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import dask_blockwise as dbw
from dask_blockwise.demo import samples

from .trouble import meet

__all__ = ["MAX_RETRIES", "prepare", "segments_at"]

# A block that is killed, hangs or fails now and then must come through; it may never run more.
MAX_RETRIES = 6
_CROP = dbw.Roi((1600, 640, 640), (160, 640, 640))
_PREDICTED, _SEGMENTED = (16, 32, 64), (8, 32, 16)


@dataclass(frozen=True)
class _Troubled(dbw.Source):
    """What it is given, after whatever is to go wrong there."""

    inputs: tuple[dbw.Volume]
    name: str

    def read(self, begin: tuple[int, ...], end: tuple[int, ...]) -> NDArray[Any]:
        meet(self.name, *begin, *end)
        return self.inputs[0].source.read(begin, end)


def prepare(file: Path, small: bool) -> None:
    """Keep the lazy prediction, whose halo takes as long to find as a run of such a crop.

    Parameters
    ----------
    file
        Where.
    small
        Whether there is no network, but a filter of made-up blobs, which starts sooner.
    """
    # Workers read the module anew, as they would on another machine.
    file.write_bytes(cloudpickle.dumps(_blobs() if small else _neurons()))


def _neurons() -> tuple[dbw.Volume, Any]:
    sample = samples.fib25()
    crop = sample.raw.crop(_CROP)
    place = {"axes": ("z", "y", "x"), "voxel_size": (10, 10, 10), "unit": "nanometer"}
    raw = dbw.Volume.from_array(np.asarray(crop[:]), chunks=_PREDICTED, **place)
    options = sample.network.options | {"block_shape": _PREDICTED}
    return dbw.predict(_troubled(raw, "raw"), **options), sample.network.channels


def _blobs() -> tuple[dbw.Volume, None]:
    noise = gaussian_filter(np.random.default_rng(0).random((16, 64, 64)), 2)
    raw = dbw.Volume.from_array((255 * (noise > 0.5)).astype(np.uint8), chunks=_PREDICTED)
    return dbw.map_overlap(gaussian_filter, _troubled(raw, "raw"), halo=4, sigma=1), None


def segments_at(file: Path, place: str, limits: Mapping[str, Any]) -> dbw.Volume:
    """The lazy segments, with affinities stored on the way."""
    prediction, offsets = pickle.loads(file.read_bytes())
    kept = prediction.checkpoint(f"{place}/affinities", block_shape=_PREDICTED, **limits)
    affinities = _troubled(kept.rechunk(_SEGMENTED), "affinities")
    if offsets is None:
        return dbw.relabel(dbw.connected_components(dbw.threshold(affinities, 127)))
    fragments = dbw.watershed(affinities, offsets=offsets, bias=0.5, attract="nearest")
    return dbw.relabel(fragments, min_size=50)


def _troubled(volume: dbw.Volume, name: str) -> dbw.Volume:
    return replace(volume, source=_Troubled((volume,), name))
