"""Finished blocks hold as long as what they were made from, and left, is what it was; no longer."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client
from scipy.ndimage import uniform_filter

import dask_blockwise as dbw
from dask_blockwise import OutputChanged, Roi, Volume

SHAPE, CHUNKS = (16, 24, 24), (8, 8, 8)
BLOCKS = 18


@pytest.fixture
def raw(tmp_path: Path) -> Any:
    """An array as others write it."""
    values = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8)
    array = zarr.create_array(
        str(tmp_path / "in.zarr/raw"), shape=SHAPE, dtype="u1", chunks=CHUNKS, fill_value=0
    )
    array[:] = values
    return array


@pytest.fixture
def store(raw: Any, near: Client, tmp_path: Path) -> Callable[..., dict[str, int]]:
    """Store the mean of voxels in a box, above a level; how many blocks each task ran."""

    def stored(
        level: float = 100, function: Callable[..., Any] = mean, size: int = 3, **options: Any
    ) -> dict[str, int]:
        volume = dbw.open_volume(tmp_path / "in.zarr/raw")
        smooth = dbw.map_overlap(function, volume, halo=1, boundary="reflect", size=size)
        above = dbw.threshold(smooth, level)
        return ran(
            above.to_zarr(tmp_path / "out.zarr/above", client=near, progress=False, **options)
        )

    return stored


def mean(array: np.ndarray, size: int) -> np.ndarray:
    # As it is rounded, it doesn't depend on where an array begins.
    return np.round(uniform_filter(array.astype(float), size), 6)


def ran(summary: Any) -> dict[str, int]:
    return {task.name: task.completed for task in summary.tasks}


def expected(raw: Any, level: float = 100) -> np.ndarray:
    return np.asarray(mean(raw[:], 3) > level, np.uint8)


def result(tmp_path: Path) -> np.ndarray:
    return np.asarray(dbw.open_volume(tmp_path / "out.zarr/above")[:])


def test_nothing_is_done_again_unless_something_changed(store, raw, tmp_path):
    assert store() == {"above": BLOCKS}
    assert store() == {"above": 0}
    os.utime(tmp_path / "in.zarr/raw/zarr.json")
    raw.attrs["comment"] = "of no matter"
    assert store() == {"above": 0}


def test_a_chunk_of_the_input_that_was_written_anew_is_seen_by_the_blocks_that_read_it(
    store, raw, tmp_path
):
    store()
    raw[0:8, 0:8, 0:8] = 255
    with pytest.raises(OutputChanged, match=r"input .*raw: 1 of 18 chunks changed.*on_change"):
        store()
    assert store(on_change="redo") == {"above": 8}
    assert np.array_equal(result(tmp_path), expected(raw))
    assert store() == {"above": 0}


def test_another_input_at_the_same_path(store, raw, tmp_path):
    store()
    values = np.zeros(SHAPE, np.uint8)
    shutil.rmtree(tmp_path / "in.zarr/raw")
    zarr.create_array(str(tmp_path / "in.zarr/raw"), data=values, chunks=CHUNKS)
    with pytest.raises(OutputChanged, match="chunks changed"):
        store()
    assert store(on_change="redo") == {"above": BLOCKS}
    assert not result(tmp_path).any()


def test_an_input_in_memory_is_known_by_its_values(near, tmp_path):
    values = np.arange(64, dtype=np.uint8).reshape(8, 8)

    def stored(array: np.ndarray) -> dict[str, int]:
        volume = Volume.from_array(array, chunks=(4, 4))
        return ran(volume.to_zarr(tmp_path / "out.zarr/copy", client=near, progress=False))

    assert stored(values) == {"copy": 4}
    assert stored(values.copy()) == {"copy": 0}
    with pytest.raises(OutputChanged):
        stored(values + 1)


@pytest.mark.parametrize("removed", ["c/0/0/0", "c/1/2/2"])
def test_an_output_chunk_that_is_gone_is_made_again_alone(store, raw, tmp_path, removed):
    store()
    (tmp_path / "out.zarr/above/s0" / removed).unlink()
    assert store() == {"above": 1}
    assert np.array_equal(result(tmp_path), expected(raw))


def test_an_output_chunk_that_was_altered_is_not_touched_unasked(store, raw, tmp_path):
    store()
    zarr.open_array(str(tmp_path / "out.zarr/above/s0"))[0:8, 0:8, 0:8] = 7
    with pytest.raises(OutputChanged, match="1 of 18 blocks aren't the files"):
        store()
    assert store(on_change="redo") == {"above": 1}
    assert np.array_equal(result(tmp_path), expected(raw))


def test_another_parameter(store, raw, tmp_path):
    store()
    with pytest.raises(OutputChanged, match="threshold 100 -> 120") as caught:
        store(120)
    assert caught.value.finished == BLOCKS
    assert np.array_equal(result(tmp_path), expected(raw))
    assert store(120, on_change="redo") == {"above": BLOCKS}
    assert np.array_equal(result(tmp_path), expected(raw, 120))
    assert store(100, overwrite=True) == {"above": BLOCKS}
    assert np.array_equal(result(tmp_path), expected(raw))


def test_what_a_person_states_of_a_version(store):
    store(version="1")
    assert store(version="1") == {"above": 0}
    with pytest.raises(OutputChanged, match="version 1 -> 2"):
        store(version="2")


FILTERS = """
from scipy.ndimage import uniform_filter
{between}
def cast(array):
    return array.astype(float){helper}

def smooth(array, size):
    {doc}
    return uniform_filter(cast(array), size){body}
"""


@pytest.fixture
def filters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A module of one's own, edited and imported anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def edited(between: str = "", helper: str = "", body: str = "", doc: str = "") -> Any:
        text = FILTERS.format(between=between, helper=helper, body=body, doc=doc)
        (tmp_path / "filters_of_mine.py").write_text(text)
        importlib.invalidate_caches()
        sys.modules.pop("filters_of_mine", None)
        return importlib.import_module("filters_of_mine").smooth

    yield edited
    sys.modules.pop("filters_of_mine", None)


def test_a_function_is_known_by_what_it_does_not_by_where_it_stands(store, filters):
    store(function=filters())
    assert store(function=filters(between="\n# moved\nX = 1\n", doc="'''Documented.'''")) == {
        "above": 0
    }
    with pytest.raises(OutputChanged, match=r"smooth in filters_of_mine.py: body changed"):
        store(function=filters(body=" + 1"))
    with pytest.raises(OutputChanged, match=r"helper cast in filters_of_mine.py: body changed"):
        store(function=filters(helper=" * 2"))


def test_a_lambda_may_move_and_what_it_closes_over_counts(store):
    def made(offset: int) -> Callable[..., Any]:
        return lambda array, size: uniform_filter(array.astype(float), size) + offset

    def elsewhere(offset: int) -> Callable[..., Any]:

        return lambda array, size: uniform_filter(array.astype(float), size) + offset

    store(function=made(0))
    assert store(function=elsewhere(0)) == {"above": 0}
    with pytest.raises(OutputChanged, match=r"offset of <lambda> in .* 0 -> 1"):
        store(function=made(1))


def test_contents_tell_where_times_were_preserved(store, raw, tmp_path):
    store(verify="content")
    chunk = tmp_path / "in.zarr/raw/c/0/0/0"
    before = chunk.stat()
    other = tmp_path / "in.zarr/raw/c/1/2/2"
    chunk.write_bytes(other.read_bytes())
    os.utime(chunk, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(OutputChanged, match="1 of 18 chunks changed"):
        store(verify="content")
    assert store(verify="content", on_change="redo") == {"above": 8}
    assert np.array_equal(result(tmp_path), expected(raw))


def test_a_copy_holds_by_its_content_and_unverified(store, raw, tmp_path):
    store(verify="content")
    shutil.copytree(tmp_path / "out.zarr", tmp_path / "copy.zarr")
    shutil.rmtree(tmp_path / "out.zarr")
    shutil.copytree(tmp_path / "copy.zarr", tmp_path / "out.zarr")
    assert store(verify="content", on_change="redo") == {"above": 0}
    raw[:] = 0
    assert store(verify="none") == {"above": 0}


@pytest.fixture
def chain(raw: Any, near: Client, tmp_path: Path) -> Callable[..., dict[str, int]]:
    """Objects above a level, by way of a checkpoint."""

    def stored(level: float = 100, **options: Any) -> dict[str, int]:
        volume = dbw.open_volume(tmp_path / "in.zarr/raw")
        smooth = dbw.map_overlap(mean, volume, halo=1, boundary="reflect", size=3)
        kept = smooth.checkpoint(tmp_path / "out.zarr/smooth")
        objects = dbw.relabel(dbw.connected_components(dbw.threshold(kept, level)))
        return ran(
            objects.to_zarr(tmp_path / "out.zarr/objects", client=near, progress=False, **options)
        )

    return stored


def objects(raw: Any, level: float = 100) -> np.ndarray:
    from skimage.measure import label

    return np.asarray(label(expected(raw, level), connectivity=1))


def is_same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return bool(pairs.shape[1] == len(np.unique(one)) == len(np.unique(other)))


def test_what_lies_downstream_of_a_change_is_done_again(chain, raw, tmp_path):
    chain()
    assert chain() == {"smooth": 0, "objects: relabel": 0}
    raw[0:8, 0:8, 0:8] = 180
    with pytest.raises(OutputChanged, match=r"smooth has 18 finished.*1 of 18 chunks changed"):
        chain()
    again = chain(on_change="redo")
    assert again["smooth"] == 8
    assert is_same_partition(dbw.open_volume(tmp_path / "out.zarr/objects")[:], objects(raw))
    assert chain() == {"smooth": 0, "objects: relabel": 0}


def test_a_chunk_of_a_checkpoint_that_was_purged(chain, raw, tmp_path):
    chain()
    before = dbw.open_volume(tmp_path / "out.zarr/objects")[:]
    (tmp_path / "out.zarr/smooth/s0/c/0/0/0").unlink()
    assert chain() == {"smooth": 1, "objects: relabel": 0}
    assert np.array_equal(dbw.open_volume(tmp_path / "out.zarr/smooth")[:], smooth_of(raw))
    assert np.array_equal(dbw.open_volume(tmp_path / "out.zarr/objects")[:], before)


def smooth_of(raw: Any) -> np.ndarray:
    return mean(raw[:], 3)


def test_an_output_that_is_an_input_is_known_by_its_marks(near, raw, tmp_path):
    def first(**options: Any) -> dict[str, int]:
        volume = dbw.open_volume(tmp_path / "in.zarr/raw")
        doubled = dbw.map_overlap(np.add, volume, volume, dtype=np.uint16)
        return ran(
            doubled.to_zarr(tmp_path / "out.zarr/double", client=near, progress=False, **options)
        )

    def second(**options: Any) -> dict[str, int]:
        above = dbw.threshold(dbw.open_volume(tmp_path / "out.zarr/double"), 150)
        return ran(
            above.to_zarr(tmp_path / "out.zarr/above", client=near, progress=False, **options)
        )

    first()
    assert second() == {"above": BLOCKS}
    assert first(overwrite=True) == {"double": BLOCKS}
    assert second() == {"above": 0}
    raw[0:8, 0:8, 0:8] = 99
    assert first(on_change="redo") == {"double": 1}
    with pytest.raises(OutputChanged, match="1 of 18 blocks changed"):
        second()
    assert second(on_change="redo") == {"above": 1}


def test_only_a_region_is_computed_again(store, raw, tmp_path):
    assert store(roi=Roi((0, 0, 0), (8, 10, 8))) == {"above": 2}
    assert store() == {"above": BLOCKS - 2}
    raw[0:8, 0:8, 0:8] = 255
    assert store(roi=Roi((0, 0, 0), (16, 16, 16))) == {"above": 8}
    assert np.array_equal(result(tmp_path), expected(raw))
    assert store() == {"above": 0}
    with pytest.raises(OutputChanged, match="threshold"):
        store(120, roi=Roi((0, 0, 0), (8, 8, 8)))


@pytest.mark.parametrize("resume", [True, False])
def test_a_region_of_something_else_takes_nothing_from_outside(store, raw, tmp_path, resume):
    store()
    before = result(tmp_path)
    roi = Roi((0, 0, 0), (8, 8, 8))
    with pytest.raises(OutputChanged, match=r"threshold.*outside of roi would be lost.*leave roi"):
        store(120, roi=roi, on_change="redo", resume=resume)
    assert np.array_equal(result(tmp_path), before)
    assert store() == {"above": 0}
    assert store(120, roi=roi, overwrite=True) == {"above": 1}
    assert store(120) == {"above": BLOCKS - 1}
    assert np.array_equal(result(tmp_path), expected(raw, 120))
