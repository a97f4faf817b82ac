"""How far results by blocks are from those of the whole volume, and from the truth.

    python benchmarks/seams.py            # affinities of the fib25 sample, cut in blocks
    python benchmarks/seams.py --choose   # how the watersheds' parameters were chosen

A crop of the fib25 sample is segmented as one piece, and by blocks of several shapes and halos
under every rule that puts labels together. The network was trained on z < 160; z >= 160 is scored.
``--choose`` looks at z < 160 alone. patchworks is compared where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping
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
from dask_blockwise import sample
from dask_blockwise.scores import SegmentationScore, score_segmentation
from dask_blockwise.watershed_function import segment_function

Labels = NDArray[np.integer[Any]]
Options = Mapping[str, Any]

TRAINED_BELOW_Z = 160
CROP = (slice(104, 200), slice(0, 160), slice(0, 160))
MIN_SIZE = 200
# The best on z < 160, by --choose.
CHOSEN: dict[str, Options] = {
    "mutex": {"bias": 0.5, "attract": "nearest"},
    "distance": {"seeds": "distance", "bias": 0.85, "sigma": 8.0},
}
RULES: dict[str, Options] = {
    "iou": {"match": "iou"},
    "fraction": {"match": "fraction"},
    # That of dacapo: whatever touches across a face, in one voxel, is one object.
    "touch": {"match": "touch"},
}


@dataclass
class Remembered:
    """A segment function that computes the same input once, for all rules."""

    options: Options
    results: dict[bytes, Labels] = field(default_factory=dict)

    def __call__(self, affinities: NDArray[np.uint8]) -> Labels:
        """Labels of a block with its halo."""
        key = blake2b(np.ascontiguousarray(affinities)).digest()
        if key not in self.results:
            offsets = sample.FIB25.channels
            self.results[key] = segment_function(affinities, offsets=offsets, **self.options)
        return self.results[key]


def affinities(folder: Path) -> dbw.Volume:
    """The network's prediction, made once."""
    data = sample.fib25()
    path = folder / "fib25.zarr/affinities"
    dbw.predict(data.raw, **data.network.options).to_zarr(path)
    return dbw.open_volume(path)


def without_small(labels: Labels) -> Labels:
    """Set objects to 0 that are smaller than the demo keeps."""
    _, dense, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return np.where(sizes[dense].reshape(labels.shape) >= MIN_SIZE, labels, 0)


def ours(
    values: NDArray[np.uint8], function: Remembered, block: int, halo: int, **rule: Any
) -> Labels:
    """By blocks, as dask_blockwise does it."""
    volume = dbw.Volume.from_array(values, chunks=(len(values), *(block,) * 3))
    fragments = dbw.segment(volume, function, halo=halo)
    return np.asarray(dbw.relabel(fragments, **rule).data.compute(scheduler="threads"))


def agglomerated(values: NDArray[np.uint8], function: Remembered, block: int, halo: int) -> Labels:
    """By blocks, and put together by the mean affinity over faces."""
    volume = dbw.Volume.from_array(values, chunks=(len(values), *(block,) * 3))
    fragments = dbw.segment(volume, function, halo=halo)
    joined = dbw.agglomerate(fragments, volume, offsets=sample.FIB25.channels)
    return np.asarray(joined.data.compute(scheduler="threads"))


def patchworks(
    values: NDArray[np.uint8], function: Remembered, block: int, halo: int, stitch: str
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


def contenders() -> dict[str, Callable[..., Labels]]:
    """What puts labels together, by name."""
    found: dict[str, Callable[..., Labels]] = {
        f"ours, {name}": partial(ours, **rule) for name, rule in RULES.items()
    } | {"ours, agglomerate": agglomerated}
    if importlib.util.find_spec("patchworks"):
        found |= {f"patchworks, {s}": partial(patchworks, stitch=s) for s in ("iou", "touch")}
    return found


def compared(
    values: NDArray[np.uint8], truth: Labels, blocks: list[int], halos: list[int], names: list[str]
) -> Iterator[tuple[str, ...]]:
    """Rows of the table: against the truth, and against the same as one piece."""
    for name in names:
        function = Remembered(CHOSEN[name])
        whole = without_small(function(values))
        yield row(name, "whole volume", score(truth, whole), None)
        for block, halo in itertools.product(blocks, halos):
            for rival, run in contenders().items():
                if halo == 0 and "iou" in rival:
                    continue
                labels = without_small(run(values, function, block, halo))
                apart = score_segmentation(whole + 1, labels + 1)
                where = f"{rival}, {block}^3, halo {halo}"
                yield row(name, where, score(truth, labels), apart)


def score(truth: Labels, labels: Labels) -> SegmentationScore:
    """On the layers that the network wasn't trained on, which are the last."""
    unseen = slice(TRAINED_BELOW_Z - CROP[0].start, None)
    return score_segmentation(truth[unseen], labels[unseen])


def row(
    name: str, where: str, truth: SegmentationScore, whole: SegmentationScore | None
) -> tuple[str, ...]:
    """One line of the table."""
    figures = *truth[:2], truth.voi, truth.adapted_rand
    apart = "" if whole is None else f"{whole.voi:.3f}"
    return name, where, *(f"{figure:.3f}" for figure in figures), apart


def choose(values: NDArray[np.uint8], truth: Labels) -> Iterator[tuple[str, ...]]:
    """Scores on z < 160 of parameters, in one piece, and then of rules, by blocks."""
    grid = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    tried: list[Options] = [
        {"bias": [n] * 3 + [f] * 6, "attract": "nearest"} for n, f in itertools.product(*grid)
    ]
    tried += [
        {"seeds": "distance", "bias": bias, "sigma": sigma}
        for sigma, bias in itertools.product((2.0, 3.0, 4.0, 5.0, 6.0, 8.0), (0.3, 0.5, 0.7, 0.85))
    ]
    for options in tried:
        told = {name: np.unique(value).tolist() for name, value in options.items()}
        mean = mean_of_halves(values, truth, Remembered(options))
        yield row("z < 160", " ".join(f"{k}={v}" for k, v in told.items()), mean, None)
    for name, run in contenders().items():
        by_blocks = partial(run, function=Remembered(CHOSEN["mutex"]), block=64, halo=16)
        mean = mean_of_halves(values, truth, by_blocks)
        yield row("z < 160", f"{name}, 64^3, halo 16", mean, None)


def mean_of_halves(
    values: NDArray[np.uint8], truth: Labels, run: Callable[[NDArray[np.uint8]], Labels]
) -> SegmentationScore:
    """Scores on z < 160, the mean of two crops."""
    halves = slice(0, 125), slice(125, 250)
    crops = [(slice(0, TRAINED_BELOW_Z), half, half) for half in halves]
    scores = [
        score_segmentation(truth[c], without_small(run(values[(slice(None), *c)]))) for c in crops
    ]
    return SegmentationScore(*np.mean(scores, axis=0))


def main() -> None:
    """Print a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--blocks", type=int, nargs="+", default=[64, 96])
    parser.add_argument("--halos", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--methods", nargs="+", choices=CHOSEN, default=list(CHOSEN))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    values, truth = affinities(arguments.cache), sample.fib25().truth
    if arguments.choose:
        rows = choose(values[:], truth[:])
    else:
        crop = values[(slice(None), *CROP)]
        rows = compared(crop, truth[CROP], arguments.blocks, arguments.halos, arguments.methods)
    header = "", "", "VOI split", "VOI merge", "VOI", "ARAND", "VOI from whole"
    with dask.config.set(num_workers=2):
        for name, where, *figures in itertools.chain([header], rows):
            print(f"{name:10}{where:34}", *(f"{figure:>10}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
