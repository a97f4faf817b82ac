"""How far results by blocks are from those of one piece, and from the truth.

    python benchmarks/seams.py            # on slabs that nothing was chosen on
    python benchmarks/seams.py --chosen   # on those that numbers were chosen on
    python benchmarks/seams.py --choose   # how bias and sigma were chosen
    python benchmarks/seams.py --time     # beside segmenting alone, here and by mwatershed

Neurons (mutex watershed of affinities) and nuclei (watershed from distance seeds of brightness, and
connected components) of seam_slabs.py are segmented as one piece, and by blocks in every way of
seam_ways.py. For each way: variation of information (VOI, bits) from the same method as one piece,
mean and worst over slabs; by how much it is further from the truth than that, in VOI and in adapted
Rand error (ARAND). The first line is the control: how far two results in one piece lie apart on
what they share when the slab is cut 8 voxels further along y or x.

Rivals are compared where they are installed (``pip install patchworks mwatershed python-elf
dask-image``); volara with ``--volara PYTHON``, that of an environment of its own that has it:
``python -m venv volara && volara/bin/pip install volara``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import dask
import numpy as np
from distributed import Client
from seam_slabs import Bytes, Labels, Slab, neurons, nuclei
from seam_ways import (
    DISTANCE,
    MUTEX,
    Way,
    installed,
    mwatershed,
    of_neurons,
    of_nuclei,
    volume,
)

import dask_blockwise as dbw
from dask_blockwise.labels.scores import score_segmentation
from dask_blockwise.segmentation.watershed import segment_function

SHIFTS = (0, 8, 0), (0, 0, 8)
HEADER = "VOI, mean", "worst", "truth: VOI", "worst", "ARAND", "worst"


@dataclass(frozen=True)
class Tissue:
    """Slabs of one kind, and how they are segmented."""

    # Those on which numbers were chosen, or else the others.
    slabs: Callable[[bool], Iterator[Slab]]
    ways: Callable[[], Mapping[str, Way]]
    # Of a block, and its halo.
    blocks: tuple[tuple[tuple[int, ...], int], ...]
    # What is chosen among.
    choices: tuple[dict[str, Any], ...]


def tissues(folder: Path, volara_python: str | None) -> dict[str, Tissue]:
    """By name."""
    biases = product((0.3, 0.4, 0.5, 0.6), (0.4, 0.5, 0.6, 0.7))
    return {
        "neurons": Tissue(
            partial(neurons, folder),
            partial(of_neurons, volara_python),
            (((50, 64, 64), 16), ((25, 64, 64), 8)),
            tuple({**MUTEX, "bias": [near] * 3 + [far] * 6} for near, far in biases),
        ),
        "nuclei": Tissue(
            nuclei,
            of_nuclei,
            (((50, 50, 50), 16), ((25, 50, 50), 8)),
            # A bias of 0.5 is as bright as what lies around.
            tuple({**DISTANCE, "sigma": sigma} for sigma in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)),
        ),
    }


def apart(labels: Labels, others: Labels) -> float:
    """VOI of labels from others, background being one more object."""
    return score_segmentation(others + 1, labels + 1).voi


def control(slab: Slab, way: Way) -> list[float]:
    """VOI between two results in one piece, on what they share."""
    distances = []
    for shift in SHIFTS:
        part = tuple(slice(step, None) for step in shift)
        other = way.one_piece(slab.values[(slice(None), *part)])
        distances.append(apart(other, way.one_piece(slab.values)[part]))
    return distances


def compared(
    tissue: Tissue, slabs: Sequence[Slab], names: Sequence[str]
) -> Iterator[tuple[str, list[float]]]:
    """Rows of the table: the control, and ways with one of some names in theirs."""
    ways = tissue.ways()
    first = next(iter(ways.values()))
    if not names:
        near = [distance for slab in slabs for distance in control(slab, first)]
        yield "control: cut 8 voxels further", [float(np.mean(near)), max(near)]
    for name, way in ways.items():
        if names and not any(some in name for some in names):
            continue
        figures = []
        for slab, (block, halo) in product(slabs, tissue.blocks):
            labels, whole = way.by_blocks(slab.values, block, halo), way.one_piece(slab.values)
            score, one = (score_segmentation(slab.truth, each) for each in (labels, whole))
            more = score.voi / one.voi - 1, score.adapted_rand - one.adapted_rand
            figures.append((apart(labels, whole), *more))
        mean, worst = np.mean(figures, axis=0), np.max(figures, axis=0)
        yield name, [figure for pair in zip(mean, worst) for figure in pair]


def show(tissue: Tissue, seen: bool, names: Sequence[str]) -> None:
    """Print a line as soon as it is known."""
    slabs, (first, *_) = list(tissue.slabs(seen)), tissue.ways().values()
    for slab in slabs if not names else ():
        score = score_segmentation(slab.truth, first.one_piece(slab.values))
        print(f"{slab.name:32} one piece: VOI {score.voi:.3f}, ARAND {score.adapted_rand:.3f}")
    print(f"\n{'':32}", *(f"{title:>11}" for title in HEADER))
    for name, figures in compared(tissue, slabs, names):
        formats = ("11.3f", "11.3f", "+11.1%", "+11.1%", "+11.3f", "+11.3f")
        print(f"{name:32}", *(f"{f:{s}}" for f, s in zip(figures, formats)), flush=True)
    print()


def choose(tissue: Tissue) -> None:
    """Print the scores of parameters, in one piece, on slabs as they are."""
    slabs = [slab for slab in tissue.slabs(True) if "," not in slab.name and "sim" not in slab.name]
    for options in tissue.choices:
        scores = [score_segmentation(slab.truth, in_one(slab.values, options)) for slab in slabs]
        told = {name: options[name] for name in ("bias", "sigma") if name in options}
        print(f"{told}: VOI {np.mean([s.voi for s in scores]):.3f}")


def in_one(values: Bytes, options: dict[str, Any]) -> Labels:
    """As one piece."""
    return segment_function(values if len(values) > 1 else values[0], **options)


def timed(slab: Slab, folder: Path) -> None:
    """Print what stored objects cost, as multiples of what labels of single blocks cost."""
    block, halo = (50, 64, 64), 16
    path = folder / "timed.zarr"
    with (
        # Before the cluster, whose settings for workers it would inherit.
        get_context("spawn").Pool(2) as pool,
        dbw.local_cluster(n_workers=2) as cluster,
        Client(cluster),
    ):
        volume(slab.values, block).to_zarr(path / "affinities", overwrite=True, progress=False)
        labels = dbw.watershed(dbw.open_volume(path / "affinities"), halo=halo, **MUTEX)
        made = {
            f"segmented, halo {halo}": labels,
            'match="mutex"': dbw.relabel(labels),
            'match="iou"': dbw.relabel(labels, match="iou"),
        }
        # The first round in a process compiles, and others may be at work on the machine too.
        rounds = [[stored(each, path / "objects") for each in made.values()] for _ in range(8)]
        best = np.min(rounds[1:], axis=0)
        for name, seconds in zip(made, best):
            print(f"{name:32}{seconds / best[0]:6.2f} times ({seconds:.1f} s, the best of 7)")
        if not installed("mwatershed"):
            print("mwatershed isn't installed")
            return
        boxes = list(seen(slab.values.shape[1:], block, halo))
        halves = [[slab.values[(..., *box)] for box in boxes[n::2]] for n in range(2)]
        theirs = min(max(pool.map(bare, halves)) for _ in range(2))
        print(f"mwatershed, the same boxes in memory, by two processes: {theirs:.1f} s")
        print(f'    match="mutex" is {theirs / best[1]:.2f} times as fast')


def seen(shape: Sequence[int], block: Sequence[int], halo: int) -> Iterator[tuple[slice, ...]]:
    """What blocks see, with a halo."""
    sides = (
        [slice(max(0, at - halo), min(at + size + halo, n)) for at in range(0, n, size)]
        for n, size in zip(shape, block)
    )
    return product(*sides)


def bare(arrays: Sequence[Bytes]) -> float:
    """Seconds that mwatershed takes for arrays, one after the other."""
    begin = time.perf_counter()
    for array in arrays:
        mwatershed(array)
    return time.perf_counter() - begin


def stored(labels: dbw.Volume, path: Path) -> float:
    """Seconds that storing takes."""
    begin = time.perf_counter()
    labels.to_zarr(path, overwrite=True, resume=False, progress=False)
    return time.perf_counter() - begin


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chosen", action="store_true")
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--of", nargs="+", choices=("neurons", "nuclei"))
    parser.add_argument("--ways", nargs="+", default=(), help="words in the names of rows")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--volara", metavar="PYTHON")
    given = parser.parse_args()
    if given.time:
        timed(next(neurons(given.cache, False)), given.cache)
        return
    with dask.config.set(num_workers=2):
        for name, tissue in tissues(given.cache, given.volara).items():
            if name not in (given.of or (name,)):
                continue
            print(f"{name}:\n")
            if given.choose:
                choose(tissue)
            else:
                show(tissue, given.chosen, given.ways)


if __name__ == "__main__":
    main()
