"""A region is segmented again, and what doesn't meet it keeps its id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

import dask_blockwise as dbw
from dask_blockwise import Roi
from dask_blockwise.labels.kept_ids import keep_ids
from dask_blockwise.relabelling.changed import changed_path, read_changed, write_changed

SHAPE, BLOCK = (24, 24), (8, 8)


def mask_at(folder: Path, values: np.ndarray) -> Any:
    return zarr.create_array(str(folder / "in.zarr/mask"), data=values, chunks=BLOCK)


def store(folder: Path, client: Client, keep_scratch: bool = False, **options: Any) -> Any:
    mask = dbw.open_volume(folder / "in.zarr/mask")
    objects = dbw.relabel(dbw.connected_components(mask), keep_scratch=keep_scratch)
    return objects.to_zarr(folder / "out.zarr/ids", client=client, progress=False, **options)


def ids(folder: Path) -> np.ndarray:
    return np.asarray(dbw.open_volume(folder / "out.zarr/ids")[:])


def is_same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return bool(pairs.shape[1] == len(np.unique(one)) == len(np.unique(other)))


def test_the_table_of_changed_ids_lies_in_a_bucket_too(bucket, tmp_path):
    path = changed_path(f"{bucket}{tmp_path}/ids")
    changed = np.array([[3, 7, 2**40], [2**64 - 1, 0, 1]], np.uint64)
    write_changed(path, changed)
    assert np.array_equal(read_changed(path).to_numpy(), changed)


@pytest.mark.parametrize("keep_scratch", [False, True], ids=["anew", "of-kept-labels"])
def test_a_bridge_that_is_cut_and_another_that_is_built(tmp_path, near, keep_scratch):
    values = np.zeros(SHAPE, np.uint8)
    values[1] = 1  # one object from end to end
    values[5, :10] = values[5, 14:] = 1  # two with a gap
    values[20, 2:6] = 1
    mask = mask_at(tmp_path, values)
    store(tmp_path, near, keep_scratch)
    before = ids(tmp_path)
    mask[1, 12] = 0
    mask[5, 8:16] = 1
    summary = store(tmp_path, near, keep_scratch, roi=Roi((0, 8), (8, 8)))
    after = ids(tmp_path)
    assert is_same_partition(after, label(mask[:], connectivity=1))
    assert after[20, 3] == before[20, 3]
    assert after[1, 0] == before[1, 0] != after[1, 20] > before.max()
    assert after[5, 0] == after[5, 20] == before[5, 0]
    changed = {tuple(row) for row in summary.changed_ids[["old", "new"]].values.tolist()}
    joined = {(before[5, 20], before[5, 0]), (before[1, 20], after[1, 20]), (before[1, 0], 0)}
    assert changed == {tuple(map(int, pair)) for pair in joined}
    stored = np.loadtxt(tmp_path / "out.zarr/ids.changed.csv", delimiter=",", skiprows=1, ndmin=2)
    assert np.array_equal(stored, summary.changed_ids.to_numpy())
    segmented = summary["ids: segment"].completed
    assert segmented == (1 if keep_scratch else 9)
    again = store(tmp_path, near, keep_scratch)
    assert sum(task.completed for task in again.tasks) == 0
    assert np.array_equal(ids(tmp_path), after)


def test_a_region_of_what_is_not_stored_yet_is_refused(tmp_path, near):
    mask_at(tmp_path, np.ones(SHAPE, np.uint8))
    with pytest.raises(ValueError, match="Store it without roi first"):
        store(tmp_path, near, roi=Roi((0, 0), (8, 8)))


def test_a_region_beyond_the_volume_is_refused(tmp_path, near):
    mask_at(tmp_path, np.ones(SHAPE, np.uint8))
    store(tmp_path, near)
    with pytest.raises(ValueError, match="doesn't meet the volume's"):
        store(tmp_path, near, roi=Roi((100, 100), (8, 8)))


@settings(max_examples=8)
@given(seed=st.integers(0, 999), at=st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_any_repair_is_right_and_keeps_the_ids_of_what_it_does_not_meet(
    tmp_path_factory, near, seed, at
):
    folder = tmp_path_factory.mktemp("repair")
    rng = np.random.default_rng(seed)
    mask = mask_at(folder, (rng.random(SHAPE) < 0.55).astype(np.uint8))
    store(folder, near)
    before = ids(folder)
    box = tuple(slice(8 * n, 8 * n + 8) for n in at)
    mask[box] = (rng.random((8, 8)) < 0.55).astype(np.uint8)
    store(folder, near, roi=Roi([8 * n for n in at], (8, 8)))
    after = ids(folder)
    assert is_same_partition(after, label(mask[:], connectivity=1))
    touched = np.unique(before[tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)])
    apart = ~np.isin(before, touched)
    assert np.array_equal(after[apart], before[apart])


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 9)), min_size=1, max_size=20
    )
)
def test_no_two_objects_get_one_id_and_none_is_lost(rows):
    shared = np.array(rows, np.uint64)
    final, changed = keep_ids(shared)
    assert final[0] == 0
    assert len(np.unique(final)) == len(final)
    for old, new, voxels in changed.tolist():
        assert old != new
        assert voxels > 0


def test_values_that_change_beside_labels_that_do_not_cut_kept_objects(tmp_path, near):
    values = mask_at(tmp_path, np.ones(SHAPE, np.uint8))

    def of_each_value(**options: Any) -> np.ndarray:
        parts = dbw.connected_components(
            dbw.open_volume(tmp_path / "in.zarr/mask"), each_value=True
        )
        objects = dbw.relabel(parts, keep_scratch=True)
        objects.to_zarr(tmp_path / "out.zarr/ids", client=near, progress=False, **options)
        return ids(tmp_path)

    assert of_each_value().max() == 1
    values[8:16, 8:16] = 2
    after = of_each_value(roi=Roi((8, 8), (8, 8)))
    assert is_same_partition(after, values[:])
    assert dbw.status(tmp_path / "out.zarr/ids").is_current


def test_affinities_that_change_beside_kept_fragments_part_objects(tmp_path, near):
    fragments = np.repeat(np.arange(1, 25, dtype=np.uint64), 24).reshape(SHAPE)
    zarr.create_array(str(tmp_path / "in.zarr/fragments"), data=fragments, chunks=BLOCK)
    affinities = zarr.create_array(
        str(tmp_path / "in.zarr/affinities"),
        data=np.ones((2, *SHAPE), np.float32),
        chunks=(2, 8, 8),
    )

    def agglomerated(**options: Any) -> np.ndarray:
        labels = dbw.open_volume(tmp_path / "in.zarr/fragments")
        opened = dbw.open_volume(tmp_path / "in.zarr/affinities", axes=("c", "y", "x"))
        offsets = [(-1, 0), (0, -1)]
        objects = dbw.agglomerate(labels, opened, offsets=offsets, keep_scratch=True)
        objects.to_zarr(tmp_path / "out.zarr/ids", client=near, progress=False, **options)
        return ids(tmp_path)

    assert agglomerated().max() == 1
    affinities[:, 12, :] = 0
    after = agglomerated(roi=Roi((8, 0), (8, 24)))
    assert is_same_partition(after, np.repeat([1, 2], 12)[:, None] * np.ones(24))
