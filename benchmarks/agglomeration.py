"""Agglomeration beside volara's, on the same affinities and blocks.

    python benchmarks/agglomeration.py PYTHON

``PYTHON`` is that of an environment of its own that has volara, which needs an older daisy:
``python -m venv volara && volara/bin/pip install volara``. Both cut a crop of the fib25 sample's
affinities into fragments by mutex watershed, block by block, add up the affinities between them,
solve the graph by mutex watershed, and write segments. The network never saw z >= 160. Also
printed: what stitching and relabelling cost beside segmenting.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BLOCK, HALO = 64, 16
BIAS = 0.5
CROP = (slice(104, 200), slice(0, 160), slice(0, 160))
TRAINED_BELOW_Z = 160
MIN_SIZE = 200
VOXEL = 10


def volaras(folder: Path) -> None:
    """What volara makes of ``affinities.npy``; runs where volara is installed."""
    from funlib.geometry import Coordinate, Roi
    from funlib.persistence import prepare_ds
    from volara.blockwise import AffAgglom, ExtractFrags, GraphMWS, Relabel
    from volara.datasets import Affs, Labels
    from volara.dbs import SQLite
    from volara.lut import LUT

    values = np.load(folder / "affinities.npy")
    offsets = json.loads((folder / "offsets.json").read_text())
    names = {"axis_names": ["c^", "z", "y", "x"], "units": ["nm"] * 3}
    stored = prepare_ds(
        folder / "in.zarr/affinities",
        values.shape,
        offset=(0, 0, 0),
        voxel_size=(VOXEL,) * 3,
        chunk_shape=(len(values), *(BLOCK,) * 3),
        dtype=values.dtype,
        mode="w",
        **names,
    )
    stored[:] = values
    affinities = Affs(store=folder / "in.zarr/affinities", neighborhood=offsets)
    fragments = Labels(store=folder / "out.zarr/fragments")
    scores = {"near": offsets[:3], "far": offsets[3:]}
    graph = SQLite(path=folder / "graph.sqlite", edge_attrs=dict.fromkeys(scores, "float"), ndim=3)
    table = LUT(path=folder / "lut.npz")
    block = Coordinate((BLOCK,) * 3)
    begin = time.perf_counter()
    for task in (
        ExtractFrags(
            db=graph,
            affs_data=affinities,
            frags_data=fragments,
            block_size=block,
            context=Coordinate((HALO,) * 3),
            bias=[-BIAS] * len(offsets),
            num_workers=2,
        ),
        AffAgglom(
            db=graph,
            affs_data=affinities,
            frags_data=fragments,
            block_size=block,
            context=Coordinate(np.abs(offsets).max(0)),
            scores=scores,
            num_workers=2,
        ),
        GraphMWS(
            db=graph,
            lut=table,
            weights=dict.fromkeys(scores, (1.0, -BIAS)),
            roi=Roi((0, 0, 0), Coordinate(values.shape[1:]) * VOXEL),
        ),
        Relabel(
            frags_data=fragments,
            seg_data=(segments := Labels(store=folder / "out.zarr/segments")),
            lut=table,
            block_size=block,
            num_workers=2,
        ),
    ):
        task.run_blockwise(multiprocessing=True)
    (folder / "seconds").write_text(str(time.perf_counter() - begin))
    np.save(folder / "volara.npy", segments.array("r")[:])


def compare(python: str) -> None:
    """Print both, and how far they are apart."""
    from seams import affinities, without_small

    import dask_blockwise as dbw
    from dask_blockwise.demo import samples
    from dask_blockwise.engine.cluster import local_cluster
    from dask_blockwise.labels.scores import score_segmentation
    from dask_blockwise.segmentation.watershed import segment_function

    values = affinities(Path(tempfile.gettempdir()))[(slice(None), *CROP)]
    truth, offsets = samples.fib25().truth[CROP], samples.FIB25.channels
    results = {"one piece": (segment_function(values, offsets=offsets, bias=BIAS), 0.0)}
    with tempfile.TemporaryDirectory() as name, local_cluster(n_workers=2) as cluster:
        folder = Path(name)
        np.save(folder / "affinities.npy", values)
        (folder / "offsets.json").write_text(json.dumps([list(map(int, o)) for o in offsets]))
        # It leaves its logs, and marks of what is done, where it runs.
        command = [python, Path(__file__).absolute(), "--volara", name]
        subprocess.run(command, check=True, cwd=name, stdout=subprocess.DEVNULL)
        seconds = float((folder / "seconds").read_text())
        results["volara"] = np.load(folder / "volara.npy"), seconds
        raw = dbw.Volume.from_array(values, chunks=(len(values), *(BLOCK,) * 3))
        raw.to_zarr(folder / "ours.zarr/affinities", client=(client := cluster.get_client()))
        stored = dbw.open_volume(folder / "ours.zarr/affinities")
        fragments = dbw.watershed(stored, offsets=offsets, bias=BIAS, halo=HALO)
        rivals = {"ours, iou": dbw.relabel(fragments)}
        for method in "mutex", "mean":
            joined = dbw.agglomerate(fragments, stored, offsets=offsets, method=method)
            rivals[f"ours, {method}"] = joined
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
    print("{:14}{:>10}{:>10}{:>10}{:>10}{:>20}{:>12}{:>8}".format(*header))
    for name, labels in kept.items():
        score = score_segmentation(truth[unseen], labels[unseen])
        apart = (score_segmentation(kept[o] + 1, labels + 1).voi for o in ("one piece", "volara"))
        figures = *score[:2], score.voi, score.adapted_rand, *apart, results[name][1]
        print("{:14}{:10.3f}{:10.3f}{:10.3f}{:10.3f}{:20.3f}{:12.3f}{:8.1f}".format(name, *figures))


if __name__ == "__main__":
    if sys.argv[1] == "--volara":
        volaras(Path(sys.argv[2]))
    else:
        compare(sys.argv[1])
