"""Worker processes start hundreds of times in a large run, maybe from a slow network drive."""

import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw

UNUSED = {
    *("bokeh", "dask.array", "matplotlib", "numba", "openvino", "pandas", "pyarrow", "pydantic"),
    *("scipy", "skimage", "tifffile", "torch", "xarray"),
}


def imported() -> set[str]:
    """Modules of a worker process."""
    return set(sys.modules)


@pytest.mark.parametrize("stage", ["threshold", "objects"])
def test_no_library_that_their_stages_do_not_use(tmp_path: Path, stage: str) -> None:
    values = np.random.default_rng(0).random((32, 32, 32), np.float32)
    zarr.create_array(tmp_path / "a", data=values, chunks=(16, 16, 16))
    mask = dbw.threshold(dbw.open_volume(tmp_path / "a", stands_for=None), 0.8)
    volume = mask if stage == "threshold" else dbw.relabel(dbw.connected_components(mask))
    with dbw.local_cluster(n_workers=1) as cluster, cluster.get_client() as client:
        # The tests' own process imports more, and a worker what its main module does.
        client.run(imported)
        before: set[str] = next(iter(client.run(imported).values()))
        volume.to_zarr(tmp_path / "b.zarr", client=client, progress=False)
        after: set[str] = next(iter(client.run(imported).values()))
    assert not UNUSED & before
    assert not UNUSED & after
