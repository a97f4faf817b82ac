"""Agglomeration beside volara's, on the same affinities and blocks.

    python benchmarks/agglomeration.py PYTHON

``PYTHON`` is that of an environment of its own that has volara, which needs an older daisy:
``python -m venv volara && volara/bin/pip install volara``. Both cut a crop of the fib25 sample's
affinities into fragments by mutex watershed, block by block, add up the affinities between them,
solve the graph by mutex watershed, and write segments. The network never saw z >= 160. Also
printed: what stitching and relabelling cost beside segmenting.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from seam_slabs import OFFSETS, affinities
from volara_blocks import by_volara

import dask_blockwise as dbw
from dask_blockwise.demo import samples
from dask_blockwise.engine.cluster import local_cluster
from dask_blockwise.labels.scores import score_segmentation
from dask_blockwise.segmentation.watershed import segment_function

Labels = NDArray[np.integer[Any]]

BLOCK, HALO = 64, 16
BIAS = 0.5
CROP = (slice(104, 200), slice(0, 160), slice(0, 160))
TRAINED_BELOW_Z = 160
MIN_SIZE = 200


def compare(python: str) -> None:
    """Print both, and how far they are apart."""
    values = affinities(Path(tempfile.gettempdir()))[(slice(None), *CROP)]
    truth = samples.fib25().truth[CROP]
    results = {"one piece": (segment_function(values, offsets=OFFSETS, bias=BIAS), 0.0)}
    results["volara"] = by_volara(python, values, OFFSETS, (BLOCK,) * 3, HALO, BIAS)
    with tempfile.TemporaryDirectory() as name, local_cluster(n_workers=2) as cluster:
        folder = Path(name)
        raw = dbw.Volume.from_array(values, chunks=(len(values), *(BLOCK,) * 3))
        raw.to_zarr(folder / "ours.zarr/affinities", client=(client := cluster.get_client()))
        stored = dbw.open_volume(folder / "ours.zarr/affinities")
        fragments = dbw.watershed(stored, offsets=OFFSETS, bias=BIAS, halo=HALO)
        rivals = {
            f'match="{rule}"': dbw.relabel(fragments, match=rule) for rule in ("mutex", "iou")
        }
        for method in "mutex", "mean":
            joined = dbw.agglomerate(fragments, stored, offsets=OFFSETS, method=method)
            rivals[f"agglomerate, {method}"] = joined
        for rival, volume in rivals.items():
            path, begin = folder / f"ours.zarr/{rival}", time.perf_counter()
            summary = volume.to_zarr(path, client=client)
            seconds = time.perf_counter() - begin
            results[rival] = dbw.open_volume(path)[:], seconds
            segmenting, *after = (task.busy_seconds for task in summary.tasks)
            print(
                f"{rival}: what follows segmenting takes {sum(after) / segmenting:.1%} of its time"
            )
    unseen = slice(TRAINED_BELOW_Z - CROP[0].start, None)
    kept = {name: without_small(labels) for name, (labels, _) in results.items()}
    header = "", "VOI split", "VOI merge", "VOI", "ARAND", "VOI from one piece", "from volara", "s"
    print("{:20}{:>10}{:>10}{:>10}{:>10}{:>20}{:>12}{:>8}".format(*header))
    for name, labels in kept.items():
        score = score_segmentation(truth[unseen], labels[unseen])
        apart = (score_segmentation(kept[o] + 1, labels + 1).voi for o in ("one piece", "volara"))
        figures = *score[:2], score.voi, score.adapted_rand, *apart, results[name][1]
        print("{:20}{:10.3f}{:10.3f}{:10.3f}{:10.3f}{:20.3f}{:12.3f}{:8.1f}".format(name, *figures))


def without_small(labels: Labels) -> Labels:
    """Set objects to 0 that are smaller than the demo keeps."""
    _, dense, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return np.where(sizes[dense].reshape(labels.shape) >= MIN_SIZE, labels, 0)


if __name__ == "__main__":
    compare(sys.argv[1])
