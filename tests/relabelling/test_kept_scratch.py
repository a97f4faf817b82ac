"""What is kept for corrections is there when it is asked for, and whole, or said not to be."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise import Volume


@pytest.fixture
def mask() -> Volume:
    voxels = np.random.default_rng(3).random((20, 20)) < 0.5
    return Volume.from_array(voxels.astype(np.uint8), chunks=(5, 5))


def store(mask: Volume, path: Path, near: Any, keep: bool = True) -> dict[str, int]:
    objects = dbw.relabel(dbw.connected_components(mask), keep_scratch=keep)
    summary = objects.to_zarr(path, client=near, progress=False)
    return {task.name.split(": ")[1]: task.completed for task in summary.tasks}


def test_it_is_made_where_objects_were_stored_without(mask, near, tmp_path):
    path = tmp_path / "out.zarr/objects"
    store(mask, path, near, keep=False)
    stored = dbw.open_volume(path)[:]
    assert store(mask, path, near) == {"segment": 16, "stitch": 16, "solve": 1, "relabel": 0}
    np.testing.assert_array_equal(dbw.correct(path)[:], stored)
    assert store(mask, path, near) == {"segment": 0, "stitch": 0, "solve": 0, "relabel": 0}
    store(mask, path, near, keep=False)
    assert not Path(f"{path}.scratch").exists()


@pytest.mark.parametrize("name", ["labels", "owners", "sizes", "edges", "starts", "table"])
def test_it_is_refused_where_a_file_is_gone_and_mended_by_the_same_call(mask, near, tmp_path, name):
    path = tmp_path / "out.zarr/objects"
    store(mask, path, near)
    stored = dbw.open_volume(path)[:]
    file = sorted(Path(f"{path}.scratch/{name}").glob("c.*"))[-1]
    file.unlink()
    with pytest.raises(ValueError, match="lacks"):
        dbw.correct(path)
    assert store(mask, path, near)["relabel"] == 0
    assert file.exists()
    np.testing.assert_array_equal(dbw.correct(path)[:], stored)
