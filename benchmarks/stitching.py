"""What labelling and stitching cost, beside the tools one would otherwise take.

Run ``python benchmarks/stitching.py`` (a cube of 160 voxels) or with the length of its side.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import bioimage_cpp
import fastremap
import mwatershed
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.cluster.hierarchy import DisjointSet
from skimage.measure import label
from skimage.segmentation import relabel_sequential, watershed

from dask_blockwise import components_function, watershed_function
from dask_blockwise.labels.ids import apply_table, compact, merge
from dask_blockwise.prediction.argmax import argmax_channels
from dask_blockwise.prediction.threshold import above
from dask_blockwise.relabelling.matching import overlap

OFFSETS = [
    *[(-1, 0, 0), (0, -1, 0), (0, 0, -1)],
    *[(-3, 0, 0), (0, -3, 0), (0, 0, -3)],
]
Jobs = dict[str, dict[str, Callable[[], Any]]]


def cells(side: int, count: int) -> NDArray[np.uint32]:
    """Labels of touching cells: the nearest of some random points."""
    rng = np.random.default_rng(0)
    points = np.zeros((side,) * 3, np.int32)
    points[tuple(rng.integers(0, side, (3, count)))] = np.arange(1, count + 1)
    nearest = ndimage.distance_transform_edt(
        points == 0, return_distances=False, return_indices=True
    )
    return points[tuple(nearest)].astype(np.uint32)


def jobs(side: int) -> Jobs:
    """For each job, ours first and then the others."""
    rng = np.random.default_rng(0)
    labels = cells(side, side)
    table = rng.permutation(int(labels.max()) + 1).astype(np.uint64)
    slab, shifted = labels[:32], labels[4:36]
    classes = rng.random((4, *labels.shape), np.float32)
    mask = above(ndimage.gaussian_filter(classes[0], 2), 0.5)
    nodes = 30_000
    edges = rng.integers(0, nodes, (2 * nodes, 2))
    return {
        "apply a table": {
            "ours": partial(apply_table, labels, table),
            "table[labels]": lambda: table[labels],
            "fastremap.remap": partial(
                fastremap.remap, labels, dict(enumerate(table.astype(np.uint32)))
            ),
            "np.unique inverse": partial(np.unique, labels, return_inverse=True),
        },
        "number labels 1..n": {
            "ours (core first, sizes)": partial(compact, labels, (slice(8, -8),) * 3),
            "fastremap.renumber": partial(fastremap.renumber, labels),
            "skimage relabel_sequential": partial(relabel_sequential, labels),
        },
        "pairs of labels on a slab": {
            "ours": partial(overlap, slab, shifted),
            "np.unique(axis=0)": lambda: np.unique(
                np.stack([slab.ravel(), shifted.ravel()], 1), axis=0, return_counts=True
            ),
        },
        "merge pairs of labels": {
            "ours": partial(merge, nodes, [edges]),
            "scipy DisjointSet": partial(disjoint_set, nodes, edges),
        },
        "argmax of 4 channels": {
            "ours": partial(argmax_channels, classes),
            "np.argmax": partial(np.argmax, classes, 0),
        },
        "threshold": {
            "ours": partial(above, classes[0], 0.5),
            "astype(uint8)": lambda: (classes[0] > 0.5).astype(np.uint8),
        },
        "connected components": {
            "ours (cc3d)": partial(components_function.segment_function, mask),
            "scipy": partial(ndimage.label, mask),
            "skimage": partial(label, mask, connectivity=1),
        },
        **watersheds(labels[: side // 2, : side // 2, : side // 2]),
    }


def watersheds(labels: NDArray[np.uint32]) -> Jobs:
    """Mutex and seeded watershed, on an eighth of the volume."""
    rng = np.random.default_rng(0)
    affinities, _ = bioimage_cpp.affinities.compute_affinities(labels, OFFSETS)
    affinities = np.stack([ndimage.gaussian_filter(channel, 1) for channel in affinities])
    affinities += rng.normal(0, 0.05, affinities.shape).astype(np.float32)
    inside = affinities[:3].min(0)
    seeded = partial(watershed_function.segment_function, inside, seeds="distance")
    distance = ndimage.distance_transform_edt(inside > 0.5)
    return {
        "mutex watershed": {
            "ours (bioimage-cpp)": partial(
                watershed_function.segment_function, affinities, offsets=OFFSETS
            ),
            "mwatershed": partial(mwatershed.agglom, affinities.astype(np.float64) - 0.5, OFFSETS),
        },
        "distance-seeded watershed": {
            "ours (bioimage-cpp)": seeded,
            "ours, backend='skimage'": partial(seeded, backend="skimage"),
            "skimage, seeds of scipy": partial(watershed, -distance, label(distance > 3)),
        },
    }


def disjoint_set(nodes: int, edges: NDArray[np.int64]) -> DisjointSet:
    """Merge pairs one by one, as dacapo does."""
    found = DisjointSet(range(nodes))
    for one, other in edges.tolist():
        found.merge(one, other)
    return found


def best(function: Callable[[], Any], runs: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Print seconds, and how many times as long as ours each of the others takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", type=int, nargs="?", default=160)
    side = parser.parse_args().side
    for job, rivals in jobs(side).items():
        seconds = {name: best(function) for name, function in rivals.items()}
        ours = next(iter(seconds.values()))
        print(job)
        for name, taken in seconds.items():
            print(f"  {name:28} {taken * 1e3:9.1f} ms {taken / ours:8.1f} x")


if __name__ == "__main__":
    main()
