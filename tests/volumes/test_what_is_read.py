"""What blocks read is known whichever way it comes to them, and never taken for something else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from distributed import Client

import dask_blockwise as dbw
from dask_blockwise import OutputChanged, Volume

CHUNKS = (4, 4)
ONE, OTHER = np.random.default_rng(0).integers(0, 99, (2, 8, 8)).astype(np.uint8)


@pytest.fixture
def store(near: Client, tmp_path: Path) -> Callable[..., dict[str, int]]:
    """Store a volume; how many blocks each task ran."""

    def stored(volume: Volume, name: str = "result", **options: Any) -> dict[str, int]:
        path = tmp_path / "out.zarr" / name
        summary = volume.to_zarr(path, client=near, progress=False, **options)
        return {task.name: task.completed for task in summary.tasks}

    return stored


@pytest.fixture
def arrays(tmp_path: Path) -> list[Any]:
    """Two of one shape, dtype and chunks."""
    names = "one", "other"
    return [
        zarr.create_array(str(tmp_path / f"{name}.zarr"), data=values, chunks=CHUNKS)
        for name, values in zip(names, (ONE, OTHER))
    ]


@pytest.fixture
def volumes(arrays: list[Any], tmp_path: Path) -> tuple[Volume, Volume]:
    return dbw.open_volume(tmp_path / "one.zarr"), dbw.open_volume(tmp_path / "other.zarr")


def result(tmp_path: Path, name: str = "result") -> np.ndarray:
    return np.asarray(dbw.open_volume(tmp_path / "out.zarr" / name)[:])


def weighted(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> np.ndarray:
    return first + 100 * second.astype(np.int32) + 10_000 * third.astype(np.int32)


def test_which_of_two_equal_inputs_is_read_where(store, volumes, tmp_path):
    one, other = volumes
    store(dbw.map_overlap(weighted, one, other, one, dtype=np.int32))
    again = dbw.map_overlap(weighted, one, other, other, dtype=np.int32)
    with pytest.raises(OutputChanged, match="read in another's place"):
        store(again)
    assert store(again, on_change="redo") == {"result": 4}
    assert np.array_equal(result(tmp_path), weighted(ONE, OTHER, OTHER))
    with pytest.raises(OutputChanged):
        store(dbw.map_overlap(weighted, other, one, one, dtype=np.int32))


def test_dask_doesnt_take_one_stored_array_for_another(volumes):
    one, other = volumes
    values = (one.data.astype(int) - other.data).compute()
    assert np.array_equal(values, ONE.astype(int) - OTHER)
    values = ((one + 1).data.astype(int) - (other + 1).data).compute()
    assert np.array_equal(values, ONE.astype(int) - OTHER)


def test_blocks_of_an_input_that_changed_places(store, tmp_path):
    values = np.repeat(np.array([[3, 7]], np.uint8), 4, 1).repeat(4, 0)
    store(Volume.from_array(values, chunks=CHUNKS), "halves")

    def copied(**options: Any) -> dict[str, int]:
        halves = dbw.open_volume(tmp_path / "out.zarr/halves")
        return store(halves + 0, block_shape=(4, 8), **options)

    copied()
    store(Volume.from_array(values[:, ::-1], chunks=CHUNKS), "halves", overwrite=True)
    with pytest.raises(OutputChanged, match="2 of 2 blocks changed"):
        copied()
    assert copied(on_change="redo") == {"result": 1}
    assert np.array_equal(result(tmp_path), values[:, ::-1])


WAYS = {
    "an array of dask": lambda path: Volume.from_array(da.from_zarr(str(path))),
    "one of zarr, in dask": lambda path: Volume.from_array(
        da.from_array(zarr.open_array(path), chunks=CHUNKS)
    ),
    "a parameter": lambda path: added(zarr.open_array(path)),
    "a parameter in a dict": lambda path: added({"what": zarr.open_array(path)}),
    "a volume as parameter": lambda path: added(dbw.open_volume(path)),
    "what a function closes over": lambda path: closing_over(dbw.open_volume(path)),
}


def added(to: Any) -> Volume:
    zeros = Volume.from_array(np.zeros((8, 8), np.uint8), chunks=CHUNKS)
    return dbw.map_overlap(plus_all, zeros, to=to)


def plus_all(array: np.ndarray, to: Any) -> np.ndarray:
    return array + (to["what"] if isinstance(to, dict) else to)[0, 0]


def closing_over(volume: Volume) -> Volume:
    zeros = Volume.from_array(np.zeros((8, 8), np.uint8), chunks=CHUNKS)
    return dbw.map_overlap(lambda array: array + volume[0, 0], zeros)


@pytest.mark.parametrize("way", WAYS)
def test_a_change_of_what_is_stored_is_seen_in_whichever_way_it_is_read(
    way, store, arrays, tmp_path
):
    assert store(WAYS[way](tmp_path / "one.zarr")) == {"result": 4}
    assert store(WAYS[way](tmp_path / "one.zarr")) == {"result": 0}
    arrays[0][:] = 77
    with pytest.raises(OutputChanged, match=r"input .*one.zarr: 4 of 4 chunks changed"):
        store(WAYS[way](tmp_path / "one.zarr"))
    store(WAYS[way](tmp_path / "one.zarr"), on_change="redo")
    assert np.all(result(tmp_path) == 77)


def test_a_volume_is_what_it_is_now_not_what_it_was_when_it_was_made(store, tmp_path):
    limits = {"low": 50}
    above = dbw.map_overlap(at_least, Volume.from_array(ONE, chunks=CHUNKS), limits=limits)
    objects = dbw.relabel(dbw.connected_components(above), keep_scratch=True)
    store(objects)
    limits["low"] = 20
    store(objects, on_change="redo")
    assert np.array_equal(result(tmp_path) > 0, ONE >= 20)
    again = dbw.map_overlap(at_least, Volume.from_array(ONE, chunks=CHUNKS), limits=limits)
    anew = dbw.relabel(dbw.connected_components(again), keep_scratch=True)
    assert sum(store(anew).values()) == 0


def at_least(array: np.ndarray, limits: dict[str, int]) -> np.ndarray:
    return (array >= limits["low"]).astype(np.uint8)


def test_an_input_that_is_gone_is_not_taken_for_zeros(store, volumes, tmp_path):
    plus = volumes[0] + 1
    store(plus)
    (tmp_path / "one.zarr").rename(tmp_path / "elsewhere.zarr")
    with pytest.raises(FileNotFoundError, match="isn't there any more"):
        store(plus, on_change="redo")
    assert not dbw.status(tmp_path / "out.zarr/result").is_current
    (tmp_path / "elsewhere.zarr").rename(tmp_path / "one.zarr")
    assert store(plus) == {"result": 0}
    shutil.rmtree(tmp_path / "one.zarr")
    zarr.create_array(str(tmp_path / "one.zarr"), data=ONE[:6], chunks=CHUNKS)
    with pytest.raises(ValueError, match=r"it was \(8, 8\) uint8.*Open it anew"):
        store(plus, on_change="redo")
    assert np.array_equal(result(tmp_path), ONE + 1)


def test_how_it_stands_is_told_of_a_volume_where_none_was_kept(store, volumes, tmp_path):
    store(volumes[0] + 1)
    (tmp_path / "out.zarr/result/s0/.dask_blockwise/volume.pickle").unlink()
    assert dbw.status(tmp_path / "out.zarr/result", volumes[0] + 1).is_current
    assert dbw.status(tmp_path / "out.zarr/result", volumes[0] + 2).changes
