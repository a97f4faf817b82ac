"""How far results by blocks are from those of one piece, and from the truth.

    python benchmarks/seams.py            # affinities of the fib25 sample, cut in blocks
    python benchmarks/seams.py --choose   # how parameters and rules were chosen

Crops of the fib25 sample are segmented as one piece, and by blocks of several shapes and halos
under every rule that puts labels together. The network was trained on z < 160; z >= 160 is scored.
``--choose`` looks at z < 160 alone. patchworks is compared where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import numpy as np
from numpy.typing import NDArray

import dask_blockwise as dbw
from dask_blockwise.demo import samples
from dask_blockwise.labels.scores import SegmentationScore, score_segmentation
from dask_blockwise.segmentation.watershed import segment_function

Affinities = NDArray[np.uint8]
Labels = NDArray[np.integer[Any]]
Options = Mapping[str, Any]
Box = tuple[slice, slice, slice]
Run = Callable[..., Labels]

TRAINED_BELOW_Z = 160
HALVES = slice(0, 125), slice(125, 250)
SEEN: list[Box] = [
    (slice(0, TRAINED_BELOW_Z), *halves) for halves in itertools.product(HALVES, repeat=2)
]
# With some layers before those that are scored.
UNSEEN: list[Box] = [(slice(104, 200), slice(0, 250), half) for half in HALVES]
MIN_SIZE = 200
# The best on z < 160, by --choose, of those to which a halo of 16 shows all that seeds depend on.
MUTEX: Options = {"bias": 0.5, "attract": "nearest"}
DISTANCE: Options = {"seeds": "distance", "bias": 0.5, "sigma": 1.0, "max_distance": 3.0}
FRAGMENTS: Options = {"seeds": "distance", "bias": 0.85, "sigma": 1.0}
RULES: dict[str, Options] = {
    "iou": {"match": "iou"},
    "fraction": {"match": "fraction"},
    # That of dacapo: whatever touches across a face, in one voxel, is one object.
    "touch": {"match": "touch"},
}
HEADER = "VOI split", "VOI merge", "VOI", "ARAND", "of one piece", "VOI from it", "at most"


@dataclass
class Remembered:
    """A segment function that computes the same input once, for all rules."""

    options: Options
    results: dict[bytes, Labels] = field(default_factory=dict)

    def __call__(self, affinities: Affinities) -> Labels:
        """Labels of a block with its halo."""
        key = blake2b(np.ascontiguousarray(affinities)).digest()
        if key not in self.results:
            labels = segment_function(affinities, offsets=samples.FIB25.channels, **self.options)
            self.results[key] = labels.astype(np.uint32)
        return self.results[key]


@dataclass(frozen=True)
class Crop:
    """A part of the sample."""

    affinities: Affinities
    truth: Labels
    # The layers that are scored.
    scored: slice

    @classmethod
    def of(cls, affinities: Affinities, truth: Labels, box: Box) -> Crop:
        """Of which the layers are scored that the network wasn't trained on, or else all."""
        begin, end = box[0].start, box[0].stop
        first = TRAINED_BELOW_Z - begin if end > TRAINED_BELOW_Z else 0
        return cls(affinities[(slice(None), *box)], truth[box], slice(first, None))

    def score(self, labels: Labels) -> SegmentationScore:
        """Against the truth."""
        return score_segmentation(self.truth[self.scored], labels[self.scored])

    def apart(self, labels: Labels, others: Labels) -> float:
        """VOI of labels from others, background being one more object."""
        return score_segmentation(others[self.scored] + 1, labels[self.scored] + 1).voi


@dataclass(frozen=True)
class Method:
    """A watershed, and what puts its labels together."""

    options: Options
    # Called with affinities and the watershed.
    as_one_piece: Run
    # Called with a block's and a halo's voxels too, by name.
    by_blocks: Mapping[str, Run]


def affinities(folder: Path) -> dbw.Volume:
    """The network's prediction, made once."""
    data = samples.fib25()
    path = folder / "fib25.zarr/affinities"
    dbw.predict(data.raw, **data.network.options).to_zarr(path)
    return dbw.open_volume(path)


def without_small(labels: Labels) -> Labels:
    """Set objects to 0 that are smaller than the demo keeps."""
    _, dense, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return np.where(sizes[dense].reshape(labels.shape) >= MIN_SIZE, labels, 0)


def watershed_alone(values: Affinities, function: Remembered) -> Labels:
    """As one piece."""
    return function(values)


def stitched(
    values: Affinities, function: Remembered, block: int, halo: int, **rule: Any
) -> Labels:
    """By blocks, put together by what they see at their faces."""
    volume = dbw.Volume.from_array(values, chunks=(len(values), *(block,) * 3))
    fragments = dbw.segment(volume, function, halo=halo)
    return np.asarray(dbw.relabel(fragments, **rule).data.compute(scheduler="threads"))


def agglomerated(
    values: Affinities, function: Remembered, block: int = 1 << 10, halo: int = 0
) -> Labels:
    """By blocks, or as one piece, and put together by the mean affinity between fragments."""
    sides = (min(block, n) for n in values.shape[1:])
    volume = dbw.Volume.from_array(values, chunks=(len(values), *sides))
    fragments = dbw.segment(volume, function, halo=halo)
    joined = dbw.agglomerate(fragments, volume, offsets=samples.FIB25.channels)
    return np.asarray(joined.data.compute(scheduler="threads"))


def patchworks(
    values: Affinities, function: Remembered, block: int, halo: int, stitch: str
) -> Labels:
    """By tiles, as patchworks does it: it has no channels, so tiles tell which voxels they are."""
    from patchworks import tile_process

    def look(voxels: NDArray[np.int64]) -> NDArray[np.int32]:
        return function(values.reshape(len(values), -1)[:, voxels]).astype(np.int32)

    shape = values.shape[1:]
    voxels = da.from_array(np.arange(np.prod(shape)).reshape(shape), chunks=(block,) * 3)
    with tempfile.TemporaryDirectory() as folder:
        labels = tile_process(
            voxels, look, overlap=halo, stitch=stitch, progress=False, write_to=f"{folder}/out.zarr"
        )
        return np.asarray(labels)


def stitchers() -> dict[str, Run]:
    """What puts labels together by what blocks see at their faces, by name."""
    found: dict[str, Run] = {name: partial(stitched, **rule) for name, rule in RULES.items()}
    if importlib.util.find_spec("patchworks"):
        found |= {f"patchworks, {s}": partial(patchworks, stitch=s) for s in ("iou", "touch")}
    return found


METHODS: dict[str, Method] = {
    "mutex": Method(MUTEX, watershed_alone, stitchers()),
    "distance": Method(DISTANCE, watershed_alone, stitchers()),
    "mutex, then": Method(MUTEX, agglomerated, {"agglomerate": agglomerated}),
    "distance, then": Method(FRAGMENTS, agglomerated, {"agglomerate": agglomerated}),
}


def compared(
    crops: Sequence[Crop], blocks: list[int], halos: list[int], names: list[str]
) -> Iterator[tuple[str, ...]]:
    """Rows of the table: each method as one piece, and by blocks."""
    for name in names:
        method = METHODS[name]
        function = Remembered(method.options)
        pieces = [without_small(method.as_one_piece(c.affinities, function)) for c in crops]
        yield row(name, "one piece", crops, pieces)
        for block, halo in itertools.product(blocks, halos):
            for rival, run in method.by_blocks.items():
                made = (run(c.affinities, function, block, halo) for c in crops)
                labels = [without_small(found) for found in made]
                yield row(name, f"{rival}, {block}^3, halo {halo}", crops, labels, pieces)


def row(
    name: str,
    where: str,
    crops: Sequence[Crop],
    labels: Sequence[Labels],
    pieces: Sequence[Labels] = (),
) -> tuple[str, ...]:
    """One line of the table: means over crops, and the worst of them."""
    scores = [crop.score(found) for crop, found in zip(crops, labels, strict=True)]
    mean = SegmentationScore(*np.mean(scores, axis=0))
    figures = [f"{figure:.3f}" for figure in (*mean[:2], mean.voi, mean.adapted_rand)]
    if pieces:
        voi = sum(crop.score(piece).voi for crop, piece in zip(crops, pieces, strict=True))
        apart = [c.apart(*both) for c, *both in zip(crops, labels, pieces, strict=True)]
        figures += [f"{len(crops) * mean.voi / voi - 1:+.1%}"]
        figures += [f"{figure:.3f}" for figure in (np.mean(apart), max(apart))]
    return name, where, *figures


def choose(crops: Sequence[Crop]) -> Iterator[tuple[str, ...]]:
    """Scores of parameters, in one piece, and of rules, by blocks."""
    near, far = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    mutex: list[Options] = [
        {"bias": [n] * 3 + [f] * 6, "attract": "nearest"} for n, f in itertools.product(near, far)
    ]
    sigmas, biases, most = (1.0, 2.0, 4.0, 8.0), (0.3, 0.5, 0.7, 0.85), (3.0, 5.0, None)
    distance: list[Options] = [
        {"seeds": "distance", "sigma": sigma, "bias": bias, "max_distance": limit}
        for sigma, bias, limit in itertools.product(sigmas, biases, most)
    ]
    # Half of the crops will do for what takes long.
    tried = [(watershed_alone, options, crops[::3]) for options in mutex + distance]
    tried += [(agglomerated, options, crops) for options in distance if options["sigma"] < 4]
    for run, options, some in tried:
        labels = [without_small(run(crop.affinities, Remembered(options))) for crop in some]
        told = " ".join(f"{k}={v}" for k, v in options.items())
        yield row(run.__name__, told, some, labels)
    yield from compared(crops, [64], [16], list(METHODS))


def main() -> None:
    """Print a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--blocks", type=int, nargs="+", default=[64, 96])
    parser.add_argument("--halos", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    values, truth = affinities(arguments.cache)[:], samples.fib25().truth[:]
    crops = [Crop.of(values, truth, box) for box in (SEEN if arguments.choose else UNSEEN)]
    if arguments.choose:
        rows = choose(crops)
    else:
        rows = compared(crops, arguments.blocks, arguments.halos, arguments.methods)
    with dask.config.set(num_workers=2):
        for name, where, *figures in itertools.chain([("", "", *HEADER)], rows):
            print(f"{name:16}{where:34}", *(f"{figure:>12}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
