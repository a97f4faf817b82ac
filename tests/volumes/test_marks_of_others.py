"""Marks vouch for what their own run wrote, not for what has taken its place, or was edited."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client

import dask_blockwise as dbw
from dask_blockwise import OutputChanged, Volume

VALUES = np.random.default_rng(0).integers(1, 200, (8, 8)).astype(np.uint8)


@pytest.fixture
def store(near: Client, tmp_path: Path) -> Callable[..., int]:
    """Store some values; how many blocks were computed."""

    def stored(values: np.ndarray = VALUES, name: str = "copy", **options: Any) -> int:
        volume = Volume.from_array(values, chunks=(4, 4))
        path = tmp_path / "out.zarr" / name
        return volume.to_zarr(path, client=near, progress=False, **options).tasks[0].completed

    return stored


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "out.zarr/copy"


def stored(copy: Path) -> np.ndarray:
    return np.asarray(zarr.open_array(str(copy / "s0"))[:])


def edit(document: Path, **changes: Any) -> None:
    document.write_text(json.dumps(json.loads(document.read_text()) | changes))


@pytest.mark.parametrize("change", [{"data_type": "int8"}, {"shape": [8, 12]}])
def test_an_array_that_reads_as_something_else_is_made_anew(change, store, copy):
    store()
    edit(copy / "s0/zarr.json", **change)
    with pytest.raises(OutputChanged, match="isn't the one that was stored"):
        store()
    assert store(on_change="redo") == 4
    assert np.array_equal(stored(copy), VALUES)
    assert store() == 0


def test_another_array_in_its_place_is_not_removed_unasked(store, copy):
    store()
    zarr.create_array(str(copy / "s0"), data=VALUES // 2, chunks=(4, 4), overwrite=True)
    with pytest.raises(OutputChanged, match="isn't the one that was stored"):
        store()
    assert np.array_equal(stored(copy), VALUES // 2)
    assert store(on_change="redo") == 4
    assert np.array_equal(stored(copy), VALUES)


def test_the_array_and_the_marks_of_another_output(store, copy):
    store()
    store(VALUES + 1, "other")
    marks = "s0/.dask_blockwise/done.bin"
    shutil.copy(copy.parent / "other" / marks, copy / marks)
    assert store() == 4
    assert np.array_equal(stored(copy), VALUES)
    shutil.rmtree(copy / "s0")
    shutil.copytree(copy.parent / "other/s0", copy / "s0")
    with pytest.raises(OutputChanged):
        store()
    assert store(on_change="redo") == 4
    assert np.array_equal(stored(copy), VALUES)


def test_an_output_that_was_renamed_holds_and_a_copy_is_asked_about(store, copy):
    store()
    copy.rename(copy.with_name("moved"))
    assert store(name="moved") == 0
    shutil.copytree(copy.with_name("moved"), copy)
    with pytest.raises(OutputChanged, match="4 of 4 blocks aren't the files"):
        store()
    assert store(on_change="redo") == 4


def test_the_marks_of_a_newer_version_with_more_in_their_header(store, copy):
    store()
    edit(copy / "s0/.dask_blockwise/task.json", machine="a")
    assert store() == 0


@pytest.mark.parametrize("content", [b"", b"PK\3\4...", b"no arrays"])
def test_what_inputs_were_known_by_is_damaged(content, store, copy):
    store()
    (copy / "s0/.dask_blockwise/inputs.npz").write_bytes(content)
    assert store() == 0
    assert dbw.status(copy).done == 4


@pytest.mark.parametrize(
    "record", [{"inputs": 5, "stages": None}, {"inputs": [{}]}, {"digest": None}, "lost", None]
)
def test_a_record_that_was_edited_vouches_for_nothing(record, store, copy):
    store()
    attributes = json.loads((copy / "zarr.json").read_text())["attributes"]
    old = attributes.pop("dask_blockwise")
    edited = old | record if isinstance(record, dict) else record
    edit(copy / "zarr.json", attributes=attributes | {"dask_blockwise": edited})
    zarr.open_array(str(copy / "s0"))[0:4, 0:4] = 7
    with pytest.raises(FileExistsError):
        store()
    assert store(overwrite=True) == 4
    assert np.array_equal(stored(copy), VALUES)


def test_a_flipped_bit_is_read_as_an_error(store, copy):
    store()
    chunk = copy / "s0/c/0/0"
    before, content = chunk.stat(), bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    os.utime(chunk, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(OSError, match="can't be read"):
        dbw.open_volume(copy).stored.anew().read((slice(0, 8), slice(0, 8)))
