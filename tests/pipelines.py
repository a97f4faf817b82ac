"""Computations by the package and in memory, and by boxes of voxels which blocks read what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import maximum_filter, uniform_filter

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume

SHAPE, CHUNK = (16, 20), (4, 5)
Index = tuple[int, ...]
Box = tuple[tuple[int, int], ...]
Read = Callable[[Box], Box]
Arrays = dict[str, np.ndarray]


def mean(array: np.ndarray, size: int) -> np.ndarray:
    # As it is rounded, it doesn't depend on where an array begins.
    return np.round(uniform_filter(array.astype(float), size), 6)


def largest(array: np.ndarray, size: int) -> np.ndarray:
    return np.round(maximum_filter(array.astype(float), size), 6)


@dataclass(frozen=True)
class Settings:
    """What a person may edit of a computation."""

    filter: Callable[..., np.ndarray] = mean
    size: int = 3
    level: float = 100.0


@dataclass(frozen=True)
class Stage:
    """What must be known of one that is stored."""

    shape: Index
    block: Index
    # Which settings its values depend on.
    of: tuple[str, ...]
    # What it reads, and the box of that which a block reads, given the block's own.
    reads: dict[str, Read]


@dataclass(frozen=True)
class Pipeline:
    """A computation, as the package does it and as numpy does."""

    # By name, the shape of each input and of its chunks.
    inputs: dict[str, tuple[Index, Index]]
    build: Callable[[Path, Settings], Volume]
    expected: Callable[[Arrays, Settings], Arrays]
    # In the order in which they are computed.
    stages: dict[str, Stage]
    options: dict[str, Any] = field(default_factory=dict)


def around(margin: int, shape: Index = SHAPE) -> Read:
    return lambda box: tuple(
        (max(0, b - margin), min(n, e + margin)) for (b, e), n in zip(box, shape, strict=True)
    )


def wrapping(margin: int, shape: Index = SHAPE) -> Read:
    """A box that leaves the volume needs all of that axis."""

    def read(box: Box) -> Box:
        wide = [((b - margin, e + margin), n) for (b, e), n in zip(box, shape, strict=True)]
        return tuple(span if span[0] >= 0 and span[1] <= n else (0, n) for span, n in wide)

    return read


def turned(margin: int) -> Read:
    return lambda box: around(margin)(box[::-1])


def moved(*begin: int) -> Read:
    return lambda box: tuple((b + o, e + o) for (b, e), o in zip(box, begin, strict=True))


def scaled(factor: int) -> Read:
    return lambda box: tuple((b * factor, e * factor) for b, e in box)


def _raw(folder: Path, name: str = "raw") -> Volume:
    return dbw.open_volume(folder / "in.zarr" / name)


def _filtered(folder: Path, its: Settings, boundary: str = "reflect") -> Volume:
    raw = _raw(folder)
    return dbw.map_overlap(its.filter, raw, halo=2, boundary=boundary, size=its.size)


def _kept(volume: Volume, folder: Path, **options: Any) -> Volume:
    return volume.checkpoint(folder / "out.zarr/kept", **options)


def _above(values: np.ndarray, its: Settings) -> np.ndarray:
    return (values > its.level).astype(np.uint8)


def _through_kept(inputs: Arrays, its: Settings) -> Arrays:
    smooth = its.filter(inputs["raw"], its.size)
    return {"kept": smooth, "result": _above(smooth, its)}


_RAW = {"raw": (SHAPE, CHUNK)}
_FILTER, _ALL = ("filter", "size"), ("filter", "size", "level")

CHAIN = Pipeline(
    _RAW,
    lambda folder, its: dbw.threshold(_kept(_filtered(folder, its), folder), its.level),
    _through_kept,
    {
        "kept": Stage(SHAPE, CHUNK, _FILTER, {"raw": around(2)}),
        "result": Stage(SHAPE, CHUNK, _ALL, {"kept": around(0)}),
    },
)
ZARR2 = Pipeline(
    _RAW,
    lambda folder, its: dbw.threshold(
        _kept(_filtered(folder, its), folder, zarr_format=2, block_shape=(8, 10)), its.level
    ),
    _through_kept,
    {
        "kept": Stage(SHAPE, (8, 10), _FILTER, {"raw": around(2)}),
        "result": Stage(SHAPE, (4, 20), _ALL, {"kept": around(0)}),
    },
    {"zarr_format": 2, "block_shape": (4, 20)},
)


def _on_a_torus(inputs: Arrays, its: Settings) -> Arrays:
    wide = its.filter(np.pad(inputs["raw"], 4, mode="wrap"), its.size)
    return {"result": _above(wide[4:-4, 4:-4], its)}


PERIODIC = Pipeline(
    _RAW,
    lambda folder, its: dbw.threshold(_filtered(folder, its, "periodic"), its.level),
    _on_a_torus,
    {"result": Stage(SHAPE, CHUNK, _ALL, {"raw": wrapping(2)})},
)


def _of_two(folder: Path, its: Settings) -> Volume:
    return _filtered(folder, its) + dbw.threshold(_raw(folder, "other"), its.level)


TWO = Pipeline(
    {**_RAW, "other": (SHAPE, (8, 20))},
    _of_two,
    lambda inputs, its: {
        "result": its.filter(inputs["raw"], its.size) + _above(inputs["other"], its)
    },
    {"result": Stage(SHAPE, CHUNK, _ALL, {"raw": around(2), "other": around(0)})},
)
TURNED = Pipeline(
    _RAW,
    lambda folder, its: dbw.threshold(_filtered(folder, its).transpose("x", "y"), its.level),
    lambda inputs, its: {"result": _above(its.filter(inputs["raw"], its.size).T, its)},
    {"result": Stage(SHAPE[::-1], (10, 4), _ALL, {"raw": turned(2)})},
    {"block_shape": (10, 4)},
)
PART = Pipeline(
    _RAW,
    lambda folder, its: dbw.threshold(_raw(folder).crop(Roi((3, 4), (10, 12))), its.level),
    lambda inputs, its: {"result": _above(inputs["raw"][3:13, 4:16], its)},
    {"result": Stage((10, 12), (4, 4), ("level",), {"raw": moved(3, 4)})},
    {"block_shape": (4, 4)},
)


def _halved(inputs: Arrays, its: Settings) -> Arrays:
    small = inputs["raw"].reshape(8, 2, 10, 2).max((1, 3))
    return {"result": its.filter(small, its.size) > its.level}


def _reads_halved(box: Box) -> Box:
    return scaled(2)(around(1, (8, 10))(box))


def _of_halves(folder: Path, its: Settings) -> Volume:
    small = _raw(folder).downsample(2, method="max")
    return dbw.map_overlap(its.filter, small, halo=1, boundary="reflect", size=3) > its.level


HALVED = Pipeline(
    _RAW,
    _of_halves,
    lambda inputs, its: _halved(inputs, Settings(its.filter, 3, its.level)),
    {"result": Stage((8, 10), (2, 5), ("filter", "level"), {"raw": _reads_halved})},
    {"block_shape": (2, 5)},
)

# Two channels, and shards of two chunks.
_DEEP, _SHARD = (256, 6, 4), (128, 3, 4)


def _of_channels(folder: Path, its: Settings) -> Volume:
    raw = _raw(folder)
    both = np.maximum(raw.isel(c=0), raw.isel(c=1)).astype(float)
    return dbw.threshold(_kept(both, folder, block_shape=_SHARD), its.level)


CHANNELS = Pipeline(
    {"raw": ((2, *_DEEP), (1, 64, 3, 4))},
    _of_channels,
    lambda inputs, its: {
        "kept": inputs["raw"].max(0).astype(float),
        "result": _above(inputs["raw"].max(0), its),
    },
    {
        "kept": Stage(_DEEP, _SHARD, (), {"raw": around(0, _DEEP)}),
        "result": Stage(_DEEP, _SHARD, ("level",), {"kept": around(0, _DEEP)}),
    },
)
PIPELINES = {
    "chain": CHAIN,
    "zarr 2": ZARR2,
    "periodic": PERIODIC,
    "two": TWO,
    "turned": TURNED,
    "a part": PART,
    "halved": HALVED,
    "channels and shards": CHANNELS,
}


def touched(box: Box, unit: Index) -> Iterable[Index]:
    """Numbers, along each axis, of the units that a box meets."""
    spans = (range(b // n, -(-e // n)) for (b, e), n in zip(box, unit, strict=True))
    return [tuple(map(int, at)) for at in np.stack(np.meshgrid(*spans), -1).reshape(-1, len(unit))]
