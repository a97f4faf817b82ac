"""Consolidated metadata stay true, in whichever group above and whatever is done below it."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw
from dask_blockwise.storage.arrays import create_array, remove, write_attributes

VALUES = np.arange(64, dtype=np.uint8).reshape(8, 8)


def consolidated(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(str(path))


def by_copies(path):
    """What zarr finds by the copies alone, and what really lies there."""
    with_copies = zarr.open_group(str(path), mode="r", use_consolidated=True)
    without = zarr.open_group(str(path), mode="r", use_consolidated=False)
    found = [
        {name: (type(node).__name__, dict(node.attrs)) for name, node in group.members(None)}
        for group in (with_copies, without)
    ]
    return found[0] | {"": dict(with_copies.attrs)}, found[1] | {"": dict(without.attrs)}


def container(path, zarr_format):
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    group.create_array("theirs", data=VALUES, chunks=(4, 4))
    group.create_group("inner").create_array("more", data=VALUES, chunks=(4, 4))
    consolidated(path / "inner")
    consolidated(path)
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_is_added_changed_and_removed_is_in_it(near, tmp_path, zarr_format):
    path = container(tmp_path / "a.zarr", zarr_format)
    volume = dbw.Volume.from_array(VALUES, chunks=(4, 4))
    steps = [
        lambda: volume.to_zarr(path / "ours", progress=False, client=near),
        lambda: volume.to_zarr(path / "inner/deep/ours", pyramid=1, progress=False, client=near),
        lambda: write_attributes(path / "inner", {"a": 1}),
        lambda: write_attributes(path, {"b": 1}),
        lambda: volume.to_zarr(path / "ours", overwrite=True, progress=False, client=near),
        lambda: create_array(path / "scratch/x", (4,), "u1", chunks=(4,)),
        lambda: remove(path / "scratch/x"),
        lambda: dbw.create_volume(path / "new", shape=(4, 4), dtype="u1"),
    ]
    for step in steps:
        step()
        for group in path, path / "inner":
            found, there = by_copies(group)
            assert found == there
    assert zarr.open_group(str(path), mode="r").metadata.zarr_format == zarr_format


def test_where_there_is_none_none_is_made(near, tmp_path):
    dbw.Volume.from_array(VALUES).to_zarr(tmp_path / "a.zarr/x", progress=False, client=near)
    document = json.loads((tmp_path / "a.zarr/zarr.json").read_text())
    assert "consolidated_metadata" not in document
    assert not list(tmp_path.rglob(".zmetadata"))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_container_keeps_its_version_of_zarr(near, tmp_path, zarr_format):
    path = container(tmp_path / "a.zarr", zarr_format)
    volume = dbw.Volume.from_array(VALUES, chunks=(4, 4))
    other = {2: 3, 3: 2}[zarr_format]
    with pytest.raises(ValueError, match=f"a group of zarr {zarr_format}.*Leave zarr_format out"):
        volume.to_zarr(path / "x", zarr_format=other, progress=False, client=near)
    with pytest.raises(ValueError, match=f"a group of zarr {zarr_format}"):
        dbw.create_volume(path / "x", shape=(4, 4), dtype="u1", zarr_format=other)
    assert not (path / "x").exists()
    kept = volume.checkpoint(path / "kept")
    (kept + np.uint8(1)).to_zarr(path / "x", pyramid=1, progress=False, client=near)
    dbw.create_volume(path / "made", shape=(4, 4), dtype="u1")
    for name in "kept/s0", "x/s0", "x/s1", "made/s0":
        array = zarr.open_array(str(path / name), mode="r")
        assert array.metadata.zarr_format == zarr_format
