"""Connected components from zarr to zarr, beside cc3d on the whole volume.

    python -m benchmarks.components        # a noisy mask of 512^3
    python -m benchmarks.components 256    # of so many voxels along each axis

``cc3d`` is one thread that reads the mask, labels it as one piece, and writes labels. dask-image
and patchworks are compared where they are installed (``pip install dask-image patchworks``), in an
environment of their own if they clash. All results are the same objects, which is checked. Figures
are the best of some rounds, in turn.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cc3d
import dask
import dask.array as da
import numpy as np
import zarr
from distributed import Client
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import dask_blockwise as dbw

CHUNK, ROUNDS = 128, 3
Way = Callable[[Path, Path], None]


def noisy_mask(size: int) -> NDArray[np.uint8]:
    """Of very many components: smooth noise, cut where a third is foreground."""
    part = min(size, 256)
    noise = gaussian_filter(np.random.default_rng(0).standard_normal((part,) * 3, np.float32), 1.5)
    whole = np.tile(noise, (-(-size // part),) * 3)[(slice(0, size),) * 3]
    # Tiles alike would be components alike.
    whole += 0.02 * np.random.default_rng(1).standard_normal(whole.shape, np.float32)
    return (whole > np.quantile(noise, 0.67)).astype(np.uint8)


def here(client: Client, source: Path, target: Path) -> None:
    """By blocks, joined across them."""
    mask = dbw.open_volume(source, stands_for=None)
    dbw.relabel(dbw.connected_components(mask)).to_zarr(target, client=client, progress=False)


def whole(source: Path, target: Path) -> None:
    """By cc3d, in one piece."""
    labels = cc3d.connected_components(zarr.open_array(source)[:], connectivity=6)
    _made(target, labels.shape, labels.dtype)[:] = labels


def by_dask_image(client: Client, source: Path, target: Path) -> None:
    """By dask-image, on the same cluster."""
    from dask_image.ndmeasure import label

    with client.as_current():
        labels, _ = label(da.from_zarr(str(source)))
        da.store(labels, _made(target, labels.shape, labels.dtype), lock=False)


def by_patchworks(source: Path, target: Path) -> None:
    """By patchworks, on two threads: what it computes can't be sent to processes."""
    from patchworks import tile_process

    options = {"overlap": 1, "stitch": "touch", "progress": False}
    with dask.config.set(scheduler="threads", num_workers=2):
        tile_process(da.from_zarr(str(source)), _components, write_to=str(target), **options)


def _components(values: NDArray[Any]) -> NDArray[np.int32]:
    return cc3d.connected_components(values, connectivity=6).astype(np.int32)


def _made(target: Path, shape: tuple[int, ...], dtype: Any) -> Any:
    return zarr.create_array(target, shape=shape, chunks=(CHUNK,) * 3, dtype=dtype)


def seconds(way: Way, source: Path, target: Path) -> float:
    """What it takes to store labels."""
    shutil.rmtree(target, ignore_errors=True)
    begin = time.perf_counter()
    way(source, target)
    return time.perf_counter() - begin


def ways(client: Client) -> dict[str, Way]:
    """By name."""
    found: dict[str, Way] = {"here": partial(here, client), "cc3d as one piece": whole}
    rivals = ("dask_image", partial(by_dask_image, client)), ("patchworks", by_patchworks)
    for name, way in rivals:
        if importlib.util.find_spec(name):
            found[name] = way
    return found


def stored_in(target: Path) -> NDArray[Any]:
    """The labels; patchworks stores an image, of which they are the first level."""
    found = zarr.open(target, mode="r")
    array = found if isinstance(found, zarr.Array) else next(found.arrays())[1]
    return np.asarray(array)


def same(labels: NDArray[Any], others: NDArray[Any]) -> bool:
    """Whether these are the same objects, under other ids."""
    pairs = labels.astype(np.uint64) * (int(others.max()) + 1) + others.astype(np.uint64)
    return len(np.unique(pairs)) == len(np.unique(labels)) == len(np.unique(others))


def main() -> None:
    """Print how many times as fast the first is as the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int, nargs="?", default=512)
    size = parser.parse_args().size
    with (
        tempfile.TemporaryDirectory() as folder,
        dbw.local_cluster(n_workers=2) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        source, target = Path(folder, "mask"), Path(folder, "out.zarr")
        _made(source, (size,) * 3, np.uint8)[:] = noisy_mask(size)
        compared, figures = ways(client), []
        for _ in range(ROUNDS):
            figures.append([seconds(way, source, target) for way in compared.values()])
        ours, *others = np.min(figures, axis=0)
        seconds(compared["here"], source, target)
        mine = dbw.open_volume(target)[:]
        print(f"{mine.max():,} components of {size}^3: {ours:.2f} s by two processes")
        for (name, way), theirs in zip(list(compared.items())[1:], others):
            seconds(way, source, target)
            agree = same(mine, stored_in(target))
            told = "the same objects" if agree else "OTHER OBJECTS"
            print(f"    {theirs / ours:5.2f} times as fast as {name} ({theirs:.2f} s; {told})")


if __name__ == "__main__":
    main()
