"""How well ``seams`` knows the distance from one piece, and what it costs.

    python benchmarks/seam_report.py --picture calibration.png

Slabs of the fib25 sample's affinities, as they are, under noise, blurred and with membranes that
vanish in places, are segmented by mutex watershed in blocks, put together by several rules, and as
one piece. Printed for each are the report's estimate and interval beside the true distance, the
verdict, and the report's voxels, seconds of the wall and seconds of processors as a share of the
run's: others at work on the machine stretch the former. The picture shows the estimates over the
truth.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
from numpy.typing import NDArray
from seam_slabs import affinities, as_bytes, blurred, noisy, smooth_noise

import dask_blockwise as dbw
from dask_blockwise.demo import samples
from dask_blockwise.labels.scores import score_segmentation
from dask_blockwise.segmentation.watershed import segment_function

Affinities = NDArray[np.uint8]
Labels = NDArray[np.integer[Any]]

MUTEX: dict[str, Any] = {"bias": 0.5, "attract": "nearest"}
LAYERS = 50
SLABS = 0, 50, 75, 100, 150
BLOCKS = ((50, 64, 64), 16), ((25, 64, 64), 8)
RULES = "mutex", "iou", "fraction", "touch"
BITS = 0.05, 0.1, 0.2, 0.5, 1, 2, 5
HEADER = "estimate", "95 %", "truth", "verdict", "tiles", "voxels", "seconds", "share", "work"


def with_holes(values: NDArray[np.floating[Any]], level: float) -> Affinities:
    """Without membranes where a smooth noise is above a level."""
    hole = smooth_noise(values.shape[1:], 4, seed=0) > level
    return as_bytes(np.where(hole, np.maximum(values, 0.85), values))


WORLDS: dict[str, tuple[Callable[[NDArray[np.floating[Any]], float], Affinities], float]] = {
    "plain": (blurred, 0),
    "noise 0.7": (noisy, 0.7),
    "noise 1.5": (noisy, 1.5),
    "blur 1": (blurred, 1),
    "blur 2": (blurred, 2),
    "holes 1.8": (with_holes, 1.8),
}


@dataclass(frozen=True)
class Case:
    """A result, the same as one piece, and what was said of it."""

    name: str
    report: dbw.SeamReport
    truth: float
    # Of the wall and of processors, for the report and for the run.
    report_took: tuple[float, float]
    run_took: tuple[float, float]

    def row(self) -> tuple[str, ...]:
        """A line of the table."""
        found = self.report.found
        assert found is not None
        low, high = found.estimate.interval
        (mine, work), (run, run_work) = self.report_took, self.run_took
        return (
            f"{found.estimate.bits:.3f}",
            f"{low:.3f} .. {high:.3f}",
            f"{self.truth:.3f}",
            self.report.verdict,
            "{} of {}".format(*found.tiles),
            f"{found.cost:.2f}",
            f"{mine:.1f} / {run:.1f}",
            f"{mine / run:.2f}",
            f"{work / run_work:.2f}",
        )


def cases(
    values: Affinities, slabs: Sequence[int], worlds: Sequence[str], rules: Sequence[str]
) -> Iterator[Case]:
    """Every slab of every world, by blocks of each shape and each rule."""
    for first in slabs:
        for world in worlds:
            make, level = WORLDS[world]
            slab = make(values[:, first : first + LAYERS] / 255, level)
            whole = segment_function(slab, offsets=samples.FIB25.channels, **MUTEX)
            for block, halo in BLOCKS:
                for rule in rules:
                    name = f"z {first}, {world}, {block[0]} x 64 x 64, halo {halo}, {rule}"
                    yield case(name, slab, whole, block, halo, rule)


def case(
    name: str, slab: Affinities, whole: Labels, block: tuple[int, ...], halo: int, rule: Any
) -> Case:
    """One result, and the report on it."""
    volume = dbw.Volume.from_array(slab, chunks=(len(slab), *block), stands_for=(0, 1))
    offsets = samples.FIB25.channels
    lazy = dbw.relabel(dbw.watershed(volume, offsets=offsets, halo=halo, **MUTEX), match=rule)
    labels, run = taken(lambda: np.asarray(lazy.data.compute(scheduler="threads")))
    report, mine = taken(lambda: dbw.seams(lazy, dbw.Volume.from_array(labels, chunks=block)))
    # Equal labels are some 1e-17 bits apart.
    truth = round(score_segmentation(whole + 1, labels + 1).voi, 9)
    return Case(name, report, truth, mine, run)


def taken(work: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    """A result, and the seconds of the wall and of processors that it took."""
    wall, processors = time.perf_counter(), time.process_time()
    made = work()
    return made, (time.perf_counter() - wall, time.process_time() - processors)


def draw(found: Sequence[Case], path: Path) -> None:
    """Estimates and intervals over the truth."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(6, 6), dpi=120, layout="constrained")
    axes = figure.subplots()
    colours = {"seams": "tab:red", "unclear": "tab:orange", "clean": "tab:green"}
    for one in found:
        estimate = one.report.estimate
        assert estimate is not None
        low, high = estimate.interval
        colour = colours[one.report.verdict]
        axes.plot([one.truth] * 2, [low, high], color=colour, alpha=0.25)
        axes.plot(one.truth, estimate.bits, "o", color=colour, ms=4, alpha=0.7, clip_on=False)
    most = 2 * max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot([0, most], [0, most], color="grey", linestyle="--")
    ticks = (0, *(bits for bits in BITS if bits < most))
    # Up to the first of these bits as they are, so that 0 has its place.
    axes.set_xscale("symlog", linthresh=BITS[0])
    axes.set_yscale("symlog", linthresh=BITS[0])
    axes.set(xlim=(0, most), ylim=(0, most))
    axes.set_xticks(ticks, list(map(str, ticks)), minor=False)
    axes.set_yticks(ticks, list(map(str, ticks)), minor=False)
    axes.set_xlabel("VOI from one piece, bits")
    axes.set_ylabel("the report's estimate, and where it says that it lies with 95 %")
    axes.legend(
        [Line2D([], [], marker="o", linestyle="", color=c) for c in colours.values()], colours
    )
    figure.savefig(path)


def main() -> None:
    """Print a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--slabs", type=int, nargs="+", default=list(SLABS))
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--rules", nargs="+", default=list(RULES))
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    values = affinities(arguments.cache)[:]
    found = []
    print(f"{'':54}", *(f"{name:>15}" for name in HEADER))
    with dask.config.set(num_workers=2, scheduler="threads"):
        for one in cases(values, arguments.slabs, arguments.worlds, arguments.rules):
            print(f"{one.name:54}", *(f"{cell:>15}" for cell in one.row()), flush=True)
            found.append(one)
    inside = [
        low <= one.truth <= high
        for one in found
        if (made := one.report.estimate) is not None
        for low, high in [made.interval]
    ]
    print(f"{sum(inside)} of {len(inside)} intervals hold the truth.")
    if arguments.picture:
        draw(found, arguments.picture)


if __name__ == "__main__":
    main()
