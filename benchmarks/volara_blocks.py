"""volara's segmentation of affinities by blocks, in a process of an environment that has volara.

It cuts blocks into fragments by mutex watershed, adds up the affinities between these, solves the
graph by mutex watershed, and writes segments. This file needs numpy and volara alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VOXEL = 10


def by_volara(
    python: str,
    values: NDArray[np.uint8],
    offsets: Sequence[Sequence[int]],
    block: Sequence[int],
    halo: int,
    bias: float,
) -> tuple[NDArray[np.uint64], float]:
    """Segments, and the seconds that they took.

    Parameters
    ----------
    python
        Of the environment.
    values
        uint8 affinities, of shape (channels, z, y, x).
    offsets, block, halo, bias
        As those of ``watershed``; the offsets begin with those to nearest neighbours.
    """
    given = {"offsets": np.asarray(offsets).tolist(), "block": list(block), "halo": halo}
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/affinities.npy", values)
        Path(folder, "given.json").write_text(json.dumps(given | {"bias": bias}))
        # It leaves its logs, and marks of what is done, where it runs.
        command = [python, Path(__file__).absolute(), folder]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        seconds = float(Path(folder, "seconds").read_text())
        return np.load(f"{folder}/segments.npy"), seconds


def _run(
    folder: Path, offsets: list[list[int]], block: list[int], halo: int, bias: float
) -> NDArray[np.uint64]:
    """What volara makes of ``affinities.npy``."""
    from funlib.geometry import Coordinate, Roi
    from volara.blockwise import AffAgglom, ExtractFrags, GraphMWS, Relabel
    from volara.datasets import Labels
    from volara.dbs import SQLite
    from volara.lut import LUT

    affinities = _stored(folder, offsets, block)
    scores = {"near": offsets[: len(block)], "far": offsets[len(block) :]}
    fragments = Labels(store=folder / "out.zarr/fragments")
    segments = Labels(store=folder / "out.zarr/segments")
    graph = SQLite(path=folder / "graph.sqlite", edge_attrs=dict.fromkeys(scores, "float"), ndim=3)
    table = LUT(path=folder / "lut.npz")
    size = Coordinate(block)
    common: dict[str, Any] = {"frags_data": fragments, "block_size": size, "num_workers": 2}
    between: dict[str, Any] = {"db": graph, "affs_data": affinities, **common}
    whole = Roi((0, 0, 0), Coordinate(affinities.array("r").shape[1:]) * VOXEL)
    reach = Coordinate(np.abs(offsets).max(0))
    tasks = (
        ExtractFrags(context=Coordinate([halo] * 3), bias=[-bias] * len(offsets), **between),
        AffAgglom(context=reach, scores=scores, **between),
        GraphMWS(db=graph, lut=table, weights=dict.fromkeys(scores, (1.0, -bias)), roi=whole),
        Relabel(seg_data=segments, lut=table, **common),
    )
    begin = time.perf_counter()
    for task in tasks:
        task.run_blockwise(multiprocessing=True)
    (folder / "seconds").write_text(str(time.perf_counter() - begin))
    found: NDArray[np.uint64] = segments.array("r")[:]
    return found


def _stored(folder: Path, offsets: list[list[int]], block: list[int]) -> Any:
    from funlib.persistence import prepare_ds
    from volara.datasets import Affs

    values, path = np.load(folder / "affinities.npy"), folder / "in.zarr/affinities"
    stored = prepare_ds(
        path,
        values.shape,
        offset=(0, 0, 0),
        voxel_size=(VOXEL,) * 3,
        chunk_shape=(len(values), *block),
        dtype=values.dtype,
        mode="w",
        axis_names=["c^", "z", "y", "x"],
        units=["nm"] * 3,
    )
    stored[:] = values
    return Affs(store=path, neighborhood=offsets)


if __name__ == "__main__":
    here = Path(sys.argv[1])
    np.save(here / "segments.npy", _run(here, **json.loads((here / "given.json").read_text())))
