"""How far results by blocks are from those of one piece, and from the truth.

    python benchmarks/seams.py            # on slabs that nothing was chosen on
    python benchmarks/seams.py --chosen   # on those where bias and rules' numbers were chosen
    python benchmarks/seams.py --choose   # how the bias was chosen
    python benchmarks/seams.py --time     # beside segmenting alone, by two processes

Slabs of two volumes are segmented by mutex watershed as one piece, and by blocks under every way of
putting labels together: affinities that a network predicts of the fib25 sample, as they are, with
noise, and blurred; and affinities simulated from a dense segmentation of other tissue, whose
membranes are blurred, noisy and have holes. For each way: variation of information (VOI, bits) from
the same as one piece, mean and worst over slabs; by how much it is further from the truth than one
piece, in VOI and in adapted Rand error (ARAND). The first line is the control: how far two results
in one piece lie apart on what they share when the slab is cut 8 voxels further along y or x.
patchworks is compared where it is installed. (dask-image labels masks, not affinities; volara is
compared by agglomeration.py.)
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import bioimage_cpp
import dask
import dask.array as da
import numpy as np
from distributed import Client
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import dask_blockwise as dbw
from dask_blockwise.demo import samples
from dask_blockwise.labels.scores import SegmentationScore, score_segmentation
from dask_blockwise.segmentation.watershed import segment_function

Affinities = NDArray[np.uint8]
Labels = NDArray[np.integer[Any]]

OFFSETS = samples.FIB25.channels
# Of the watershed; the bias is the best of --choose.
HOW: dict[str, Any] = {"bias": 0.5, "attract": "nearest"}
CHOSEN, SHOWN = ("0:50", "50:100"), ("100:150", "150:200")
BLOCKS = ((50, 64, 64), 16), ((25, 64, 64), 8)
SHIFTS = (0, 8, 0), (0, 0, 8)
HEADER = "VOI, mean", "worst", "truth: VOI", "worst", "ARAND", "worst"


@dataclass(frozen=True)
class Slab:
    """Affinities of a part of a volume, and its objects."""

    name: str
    affinities: Affinities
    truth: Labels

    @cached_property
    def one_piece(self) -> Labels:
        """Its segmentation."""
        return segment_function(self.affinities, offsets=OFFSETS, **HOW)

    def score(self, labels: Labels) -> SegmentationScore:
        """Against the truth."""
        return score_segmentation(self.truth, labels)


@dataclass
class Remembered:
    """A segment function that computes the same input once, for all rules."""

    results: dict[bytes, Labels] = field(default_factory=dict)

    def __call__(self, affinities: Affinities) -> Labels:
        """Labels of a block with its halo."""
        key = blake2b(np.ascontiguousarray(affinities)).digest()
        if key not in self.results:
            self.results[key] = segment_function(affinities, offsets=OFFSETS, **HOW)
        return self.results[key]


def affinities(folder: Path) -> dbw.Volume:
    """What the network predicts of the sample, made once."""
    data, path = samples.fib25(), folder / "fib25.zarr/affinities"
    if not path.exists():
        dbw.predict(data.raw, **data.network.options).to_zarr(path)
    return dbw.open_volume(path)


def fib25(folder: Path, layers: str) -> Iterator[Slab]:
    """A slab of the sample, with affinities of three qualities."""
    z = slice(*map(int, layers.split(":")))
    values, truth = affinities(folder)[:, z], samples.fib25().truth[z]
    yield Slab(f"fib25 {layers}", values, truth)
    yield Slab(f"fib25 {layers}, noise", noisy(values / 255, 1.5), truth)
    yield Slab(f"fib25 {layers}, blurred", blurred(values / 255, 2), truth)


def simulated(half: int) -> Slab:
    """Affinities as of membranes that are blurred, noisy and have holes, made of dense labels."""
    file = Path(os.environ["DASK_BLOCKWISE_DATA"]) / "connectomics_labels/labels_256.npz"
    with np.load(file) as arrays:
        whole = arrays["labels"]
    truth = np.ascontiguousarray(whole[:50, :, 128 * half : 128 * half + 128])
    clean, _ = bioimage_cpp.affinities.compute_affinities(truth.astype(np.uint64), OFFSETS)
    wide = np.stack([gaussian_filter(channel, 1) for channel in clean])
    holes = smooth_noise(truth.shape, 4, seed=1) > 2
    return Slab(f"simulated {half}", noisy(np.where(holes, wide.clip(0.8), wide), 1.0), truth)


def noisy(affinities: NDArray[np.floating[Any]], strength: float) -> Affinities:
    """With smooth noise on their logits, half of it common to all channels."""
    unit = affinities.clip(1e-3, 1 - 1e-3)
    logits = np.log(unit / (1 - unit))
    common = smooth_noise(unit.shape[1:], 2, seed=0)
    for n, channel in enumerate(logits, 1):
        channel += strength * (common + smooth_noise(unit.shape[1:], 1.5, seed=n))
    return as_bytes(1 / (1 + np.exp(-logits)))


def blurred(affinities: NDArray[np.floating[Any]], sigma: float) -> Affinities:
    """By a Gaussian of so many voxels."""
    return as_bytes(np.stack([gaussian_filter(channel, sigma) for channel in affinities]))


def smooth_noise(shape: tuple[int, ...], sigma: float, seed: int) -> NDArray[np.floating[Any]]:
    """Of deviation 1."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth: NDArray[np.floating[Any]] = gaussian_filter(noise, sigma)
    return smooth / smooth.std()


def as_bytes(affinities: NDArray[np.floating[Any]]) -> Affinities:
    """In steps of 1/255."""
    return np.rint(255 * affinities).clip(0, 255).astype(np.uint8)


def volume(values: Affinities, block: Sequence[int]) -> dbw.Volume:
    """Affinities in blocks."""
    return dbw.Volume.from_array(values, chunks=(len(values), *block), stands_for=(0, 1))


def computed(labels: dbw.Volume) -> Labels:
    """All of it, in threads."""
    return np.asarray(labels.data.compute(scheduler="threads"))


def relabelled(values: Affinities, _: Remembered, block: Any, halo: int, **rule: Any) -> Labels:
    """By the rule that is the default for a mutex watershed."""
    labels = dbw.watershed(volume(values, block), offsets=OFFSETS, halo=halo, **HOW)
    return computed(dbw.relabel(labels, **rule))


def stitched(values: Affinities, once: Remembered, block: Any, halo: int, **rule: Any) -> Labels:
    """Put together by what blocks see at their faces."""
    return computed(dbw.relabel(dbw.segment(volume(values, block), once, halo=halo), **rule))


def agglomerated(values: Affinities, once: Remembered, block: Any, halo: int, way: Any) -> Labels:
    """Put together by the affinities between fragments."""
    some = volume(values, block)
    fragments = dbw.segment(some, once, halo=halo)
    return computed(dbw.agglomerate(fragments, some, offsets=OFFSETS, method=way))


def patchworks(values: Affinities, once: Remembered, block: Any, halo: int, way: str) -> Labels:
    """By tiles; patchworks has no channels, so tiles tell which voxels they are."""
    from patchworks import tile_process

    def look(voxels: NDArray[np.int64]) -> NDArray[np.int32]:
        return once(values.reshape(len(values), -1)[:, voxels]).astype(np.int32)

    shape = values.shape[1:]
    voxels = da.from_array(np.arange(np.prod(shape)).reshape(shape), chunks=block)
    with tempfile.TemporaryDirectory() as folder:
        options = {"overlap": halo, "stitch": way, "progress": False}
        return np.asarray(tile_process(voxels, look, write_to=f"{folder}/out.zarr", **options))


def ways() -> Mapping[str, Callable[..., Labels]]:
    """What puts labels of blocks together, by name."""
    found: dict[str, Callable[..., Labels]] = {
        'match="mutex" (default)': relabelled,
        'match="iou"': partial(stitched, match="iou"),
        'match="fraction"': partial(stitched, match="fraction"),
        'match="touch", as dacapo': partial(stitched, match="touch"),
        "agglomerate, mean": partial(agglomerated, way="mean"),
        "agglomerate, mutex": partial(agglomerated, way="mutex"),
    }
    if importlib.util.find_spec("patchworks"):
        found |= {f"patchworks, {w}": partial(patchworks, way=w) for w in ("iou", "touch")}
    return found


def control(slab: Slab) -> list[float]:
    """VOI between two results in one piece, on what they share."""
    distances = []
    for shift in SHIFTS:
        part = tuple(slice(step, None) for step in shift)
        other = segment_function(slab.affinities[(slice(None), *part)], offsets=OFFSETS, **HOW)
        distances.append(apart(other, slab.one_piece[part]))
    return distances


def apart(labels: Labels, others: Labels) -> float:
    """VOI of labels from others, background being one more object."""
    return score_segmentation(others + 1, labels + 1).voi


def compared(slabs: Sequence[Slab]) -> Iterator[tuple[str, list[float]]]:
    """Rows of the table."""
    near = [distance for slab in slabs for distance in control(slab)]
    yield "control: cut 8 voxels further", [float(np.mean(near)), max(near)]
    remembered = {slab.name: Remembered() for slab in slabs}
    for name, way in ways().items():
        figures = []
        for slab in slabs:
            one = slab.score(slab.one_piece)
            for block, halo in BLOCKS:
                labels = way(slab.affinities, remembered[slab.name], block, halo)
                score = slab.score(labels)
                more = score.voi / one.voi - 1, score.adapted_rand - one.adapted_rand
                figures.append((apart(labels, slab.one_piece), *more))
        mean, worst = np.mean(figures, axis=0), np.max(figures, axis=0)
        yield name, [figure for pair in zip(mean, worst) for figure in pair]


def choose(slabs: Sequence[Slab]) -> None:
    """Print the scores of biases, in one piece."""
    for near in (0.3, 0.4, 0.5, 0.6):
        for far in (0.4, 0.5, 0.6, 0.7):
            bias = [near] * 3 + [far] * 6
            options = {**HOW, "bias": bias, "offsets": OFFSETS}
            scores = [slab.score(segment_function(slab.affinities, **options)) for slab in slabs]
            print(f"bias {near} near, {far} far: VOI {np.mean([s.voi for s in scores]):.3f}")


def timed(slab: Slab, folder: Path) -> None:
    """Print what stored objects cost, as multiples of what labels of single blocks cost."""
    block, halo = BLOCKS[0]
    path = folder / "timed.zarr"
    with dbw.local_cluster(n_workers=2) as cluster, Client(cluster):
        volume(slab.affinities, block).to_zarr(path / "affinities", overwrite=True, progress=False)
        source = dbw.open_volume(path / "affinities")
        labels = dbw.watershed(source, offsets=OFFSETS, halo=halo, **HOW)
        made = {
            f"segmented, halo {halo}": labels,
            'match="mutex"': dbw.relabel(labels),
            'match="iou"': dbw.relabel(labels, match="iou"),
        }
        # The first round in a process compiles, and others may be at work on the machine too.
        rounds = [[stored(each, path / "objects") for each in made.values()] for _ in range(4)]
        best = np.min(rounds[1:], axis=0)
        for name, seconds in zip(made, best):
            print(f"{name:32}{seconds / best[0]:6.2f} times ({seconds:.1f} s, the best of 3)")


def stored(labels: dbw.Volume, path: Path) -> float:
    """Seconds that storing takes."""
    begin = time.perf_counter()
    labels.to_zarr(path, overwrite=True, resume=False, progress=False)
    return time.perf_counter() - begin


def main() -> None:
    """Print a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chosen", action="store_true")
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    seen = given.chosen or given.choose
    slabs = [slab for layers in (CHOSEN if seen else SHOWN) for slab in fib25(given.cache, layers)]
    if given.choose:
        choose(slabs[::3])
        return
    if given.time:
        timed(slabs[0], given.cache)
        return
    slabs.append(simulated(0 if seen else 1))
    for slab in slabs:
        score = slab.score(slab.one_piece)
        print(f"{slab.name:32} one piece: VOI {score.voi:.3f}, ARAND {score.adapted_rand:.3f}")
    print(f"\n{'':32}", *(f"{title:>11}" for title in HEADER))
    with dask.config.set(num_workers=2):
        for name, figures in compared(slabs):
            formats = ("11.3f", "11.3f", "+11.1%", "+11.1%", "+11.3f", "+11.3f")
            print(f"{name:32}", *(f"{f:{s}}" for f, s in zip(figures, formats)), flush=True)


if __name__ == "__main__":
    main()
