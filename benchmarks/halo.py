"""A filter with a halo over a stored volume: map_overlap here against dask.array.map_overlap.

python benchmarks/halo.py [voxels along each axis]
"""

import sys
import tempfile
import time
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import zarr
from distributed import Client, LocalCluster
from scipy.ndimage import uniform_filter

import dask_blockwise as dbw

CHUNK, HALO = 64, 8


def mean(array):
    return uniform_filter(array, 3)


def ours(source, target, client):
    mapped = dbw.map_overlap(mean, dbw.open_volume(source), halo=HALO, dtype=np.float32)
    mapped.to_zarr(target, client=client, progress=False)


def dasks(source, target, client):
    array = da.from_zarr(str(source))
    mapped = da.map_overlap(mean, array, depth=HALO, boundary="none", dtype=np.float32)
    made = zarr.create_array(str(target), shape=array.shape, chunks=(CHUNK,) * 3, dtype="f4")
    da.store(mapped, made, lock=False)


def seconds(run, *arguments):
    begin = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - begin


def main(size):
    values = np.random.default_rng(0).random((size,) * 3, np.float32)
    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set({"logging.distributed": "error"}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        top = Path(folder)
        raw = dbw.Volume.from_array(values, chunks=(CHUNK,) * 3)
        zarr.create_array(str(top / "raw"), data=values, chunks=(CHUNK,) * 3)
        rounds = [
            (
                seconds(ours, top / "raw", top / f"ours{n}.zarr/x", client),
                seconds(dasks, top / "raw", top / f"dasks{n}", client),
            )
            for n in range(3)
        ]
        stored = dbw.open_volume(top / "ours0.zarr/x")[:]
        np.testing.assert_allclose(stored, zarr.open_array(top / "dasks0")[:], rtol=1e-5)
    blocks = len(raw.data.chunks[0]) ** 3
    print(f"{size}^3 float32, {blocks} blocks of {CHUNK}^3, halo {HALO}, 2 processes, zarr to zarr")
    for here, there in rounds:
        print(f"map_overlap {here:.2f} s, dask.array {there:.2f} s, ratio {there / here:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
