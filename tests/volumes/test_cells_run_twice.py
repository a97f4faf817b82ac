"""A notebook's cell that runs twice gives what it gave."""

import numpy as np
import pytest

import dask_blockwise as dbw

GREY = np.random.default_rng(0).random((8, 12, 12)).astype(np.float32)


def lazy():
    raw = dbw.Volume.from_array(GREY, (8, 8, 8), unit="nm", chunks=(4, 6, 6))
    return dbw.map_overlap(np.sqrt, raw, dtype="float32")


def test_a_checkpoint_of_itself_is_the_same(near, tmp_path):
    path = tmp_path / "a.zarr/kept"
    once = lazy().checkpoint(path)
    mask, how = tmp_path / "a.zarr/mask", {"progress": False, "client": near}
    assert dbw.threshold(once, 0.5).to_zarr(mask, **how)
    again = dbw.threshold(once.checkpoint(path), 0.5).to_zarr(mask, **how)
    assert again
    assert {task.name: task.completed for task in again.tasks} == {"kept": 0, "mask": 0}
    np.testing.assert_array_equal(dbw.open_volume(path)[:], np.sqrt(GREY))


def test_a_checkpoint_elsewhere_is_another(tmp_path):
    other = lazy().checkpoint(tmp_path / "a.zarr/one").checkpoint(tmp_path / "a.zarr/other")
    assert [stage.name for stage in dbw.threshold(other, 0.5).plan().stages][:2] == ["one", "other"]


def test_what_was_opened_in_its_place_says_so(near, tmp_path):
    path = tmp_path / "a.zarr/raw"
    lazy().to_zarr(path, progress=False, client=near)
    with pytest.raises(ValueError, match="where a notebook's cell ran twice, run those"):
        dbw.open_volume(path).to_zarr(path, progress=False, client=near)


def test_a_checkpoint_is_not_stored_over_itself(tmp_path):
    kept = lazy().checkpoint(tmp_path / "a.zarr/kept")
    with pytest.raises(ValueError, match="on the way to what would be stored there"):
        kept.to_zarr(tmp_path / "a.zarr/kept", progress=False)
