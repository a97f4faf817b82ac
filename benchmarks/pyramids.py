"""How many objects survive in coarser levels, and how fast levels are made, beside tinybrain.

    python benchmarks/pyramids.py        # labels of the folder that DASK_BLOCKWISE_DATA names

Labels are halved four times along all axes: here, and by ``tinybrain.downsample_segmentation``
with ``sparse=True`` where tinybrain is installed, which is what igneous does. Seconds are of one
thread, without reading or writing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dask_blockwise.tables import text_columns
from dask_blockwise.volumes.cells import coarsened

LEVELS = 4


def volumes(data: Path) -> Iterator[tuple[str, Any]]:
    """Name and labels of each volume."""
    yield "connectomics_labels", np.load(data / "connectomics_labels/labels_256.npz")["labels"]
    for name in "neurons", "supervoxels":
        yield f"fib25 {name}", np.load(data / "fib25/labels.npz")[name]
    for path in sorted(data.glob("fluorescence/ovule_*.h5")):
        with h5py.File(path) as file:
            yield path.stem, file["label"][:]


def here(labels: Any) -> list[Any]:
    """Each level."""
    levels = [labels]
    for _ in range(LEVELS):
        levels.append(coarsened(levels[-1], (2, 2, 2), "labels"))
    return levels[1:]


def by_tinybrain(labels: Any) -> list[Any]:
    """Each level."""
    import tinybrain

    turned = np.asfortranarray(labels)
    return list(tinybrain.downsample_segmentation(turned, (2, 2, 2), num_mips=LEVELS, sparse=True))


def counted(make: Callable[[Any], list[Any]], labels: Any) -> tuple[str, str]:
    """Objects in each level, and seconds."""
    begin = time.process_time()
    try:
        levels = make(labels)
    except ImportError:
        return "not installed", "-"
    seconds = time.process_time() - begin
    return ", ".join(str(np.unique(level[level > 0]).size) for level in levels), f"{seconds:.2f}"


def main() -> None:
    """Print a row for each volume."""
    rows = []
    for name, labels in volumes(Path(os.environ["DASK_BLOCKWISE_DATA"])):
        wide = labels.astype(np.uint64)
        objects = str(np.unique(wide[wide > 0]).size)
        rows.append((name, objects, *counted(here, wide), *counted(by_tinybrain, wide)))
    print(text_columns(("labels", "objects", "here", "s", "tinybrain", "s"), rows))


if __name__ == "__main__":
    main()
