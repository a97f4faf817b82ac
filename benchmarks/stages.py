"""What stages cost from zarr to zarr, beside bare processes that do nothing else.

    python benchmarks/stages.py            # volumes of 512^3 (256^3 of 8 channels for argmax)
    python benchmarks/stages.py 256        # of so many voxels along each axis

The bare rivals are two processes, each a loop over half of the same blocks: TensorStore reads,
numpy or scipy computes, TensorStore writes, with the same chunks and codec, and as here without
waiting for the disk. They keep no ledger, survive nothing, and see no halo. dask.array does the
same by ``map_overlap`` on the same cluster. Figures are the best of some rounds, in turn.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import tensorstore as ts
import zarr
from distributed import Client
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import dask_blockwise as dbw

CHUNK, HALO, SIGMA = 128, 8, 2
ROUNDS = 3
Block = tuple[slice, ...]
Function = Callable[[NDArray[Any]], NDArray[Any]]


def above(values: NDArray[Any]) -> NDArray[Any]:
    """A mask of 0 and 1."""
    return (values > 0.5).astype(np.uint8)


def smooth(values: NDArray[Any]) -> NDArray[Any]:
    """By a Gaussian that sees a halo."""
    smoothed: NDArray[Any] = gaussian_filter(values, SIGMA, truncate=HALO / SIGMA)
    return smoothed


def smooth_above(values: NDArray[Any]) -> NDArray[Any]:
    """Both."""
    return above(smooth(values))


def largest(values: NDArray[Any]) -> NDArray[Any]:
    """The channel that has the largest value, along the first axis."""
    return values.argmax(0).astype(np.uint8)


def wider(values: NDArray[Any]) -> NDArray[Any]:
    """The same as 64 bits."""
    return values.astype(np.uint64)


def blocks(shape: Sequence[int]) -> list[Block]:
    """Chunks along the last three axes."""
    sides = [[slice(i, min(i + CHUNK, n)) for i in range(0, n, CHUNK)] for n in shape[-3:]]
    return list(product(*sides))


def loop(source: str, target: str, function: Function, mine: Sequence[Block]) -> None:
    """What a bare process does."""
    read, written = (ts.open(_spec(path), open=True).result() for path in (source, target))
    for block in mine:
        written[block].write(function(read[(..., *block)].read().result())).result()


def _spec(path: str) -> dict[str, Any]:
    # As here: none waits until chunks are on the disk.
    return {"driver": "zarr3", "kvstore": {"driver": "file", "path": path, "file_io_sync": False}}


def bare(pool: Pool, function: Function, source: Path, target: Path, processes: int = 2) -> None:
    """The same by bare processes."""
    array = zarr.open_array(source)
    dtype = function(array[tuple(slice(0, 1) for _ in array.shape)]).dtype
    shape = array.shape[-3:]
    zarr.create_array(target, shape=shape, chunks=(CHUNK,) * 3, dtype=dtype)
    every = blocks(shape)
    parts = [every[n::processes] for n in range(processes)]
    calls = [pool.apply_async(loop, (str(source), str(target), function, part)) for part in parts]
    for call in calls:
        call.get()


def dasks(function: Function, source: Path, target: Path) -> None:
    """The same by dask.array."""
    array = da.from_zarr(str(source))
    mapped = da.map_overlap(function, array, depth=HALO, boundary="none", dtype=np.uint8)
    made = zarr.create_array(target, shape=array.shape, chunks=(CHUNK,) * 3, dtype=np.uint8)
    da.store(mapped, made, lock=False)


def stored(make: Callable[[dbw.Volume], dbw.Volume], source: Path, target: Path) -> None:
    """The same here."""
    make(dbw.open_volume(source, stands_for=None)).to_zarr(target, progress=False)


def above_here(volume: dbw.Volume) -> dbw.Volume:
    """`above`, as a stage."""
    return dbw.threshold(volume, 0.5)


def smooth_above_here(volume: dbw.Volume) -> dbw.Volume:
    """`smooth_above`, as two stages."""
    return dbw.threshold(dbw.map_overlap(smooth, volume, halo=HALO, dtype=np.float32), 0.5)


def wider_here(volume: dbw.Volume) -> dbw.Volume:
    """`wider`, as a pass over blocks."""
    return dbw.map_overlap(wider, volume, halo=0, dtype=np.uint64)


def seconds(run: Callable[[Path], None], target: Path) -> float:
    """What a run takes, into a folder that is removed."""
    begin = time.perf_counter()
    run(target)
    passed = time.perf_counter() - begin
    shutil.rmtree(target)
    return passed


def compare(title: str, ways: dict[str, Callable[[Path], None]], folder: Path) -> None:
    """Print how many times as fast the first is as the others."""
    rounds = [[seconds(run, folder / "out.zarr") for run in ways.values()] for _ in range(ROUNDS)]
    ours, *others = np.min(rounds, axis=0)
    print(f"{title}: {ours:.2f} s")
    for name, theirs in zip(list(ways)[1:], others):
        print(f"    {theirs / ours:5.2f} times as fast as {name} ({theirs:.2f} s)", flush=True)


def sources(folder: Path, size: int, deep: int = 1) -> dict[str, Path]:
    """Volumes in chunks, so many times as deep as they are wide: smooth noise, channels, labels."""
    rng = np.random.default_rng(0)
    coarse = rng.random((deep * size // 8, size // 8, size // 8), np.float32)
    raw = np.repeat(np.repeat(np.repeat(coarse, 8, 0), 8, 1), 8, 2)
    raw += 0.01 * rng.random(raw.shape, np.float32)
    half = raw[: deep * size // 2, : size // 2, : size // 2]
    arrays = {
        "raw": raw,
        "channels": np.stack([np.roll(half, n, 0) for n in range(8)]),
        "labels": (raw * 1000).astype(np.uint32),
    }
    for name, values in arrays.items():
        chunks = (1,) * (values.ndim - 3) + (CHUNK,) * 3
        zarr.create_array(folder / name, data=values, chunks=chunks)
    return {name: folder / name for name in arrays}


def main() -> None:
    """Print every row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int, nargs="?", default=512)
    size = parser.parse_args().size
    with (
        tempfile.TemporaryDirectory() as name,
        # Before the cluster, whose settings for workers it would inherit.
        get_context("spawn").Pool(2) as pool,
        dbw.local_cluster(n_workers=2) as cluster,
        Client(cluster),
    ):
        folder = Path(name)
        made = sources(folder, size)
        raw, labels = made["raw"], made["labels"]
        compare(
            "threshold",
            {
                "here": partial(stored, above_here, raw),
                "two bare processes": partial(bare, pool, above, raw),
            },
            folder,
        )
        compare(
            f"gaussian with a halo of {HALO}, then threshold",
            {
                "here": partial(stored, smooth_above_here, raw),
                "dask.array.map_overlap": partial(dasks, smooth_above, raw),
                "two bare processes without a halo": partial(bare, pool, smooth_above, raw),
            },
            folder,
        )
        compare(
            "argmax of 8 channels",
            {
                "here": partial(stored, dbw.argmax, made["channels"]),
                "two bare processes": partial(bare, pool, largest, made["channels"]),
            },
            folder,
        )
        compare(
            "labels to 64 bits",
            {
                "here": partial(stored, wider_here, labels),
                "two bare processes": partial(bare, pool, wider, labels),
            },
            folder,
        )


if __name__ == "__main__":
    main()
