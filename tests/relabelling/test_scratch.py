"""What blocks leave for one another."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_blockwise.relabelling.grid import LabelGrid
from dask_blockwise.relabelling.scratch import Scratch
from dask_blockwise.storage.arrays import create_array
from dask_blockwise.storage.documents import list_names, put
from dask_blockwise.storage.stored_array import StoredArray

GRID = LabelGrid((20, 250), (10, 125), ((2, 2), (3, 3)), (True, True))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    scratch = Scratch(f"{tmp_path_factory.mktemp('scratch')}/out.scratch")
    scratch.create_labels(GRID, {})
    scratch.create_edges(GRID.blocks, 3000)
    return scratch


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 570), min_size=4, max_size=4))
def test_rows_of_any_length_come_back(scratch, lengths):
    rows = [np.random.default_rng(n).integers(0, 2**62, n).astype(np.uint64) for n in lengths]
    for number, row in enumerate(rows):
        scratch.sizes.write(number, row)
    for row, found in zip(rows, scratch.sizes, strict=True):
        np.testing.assert_array_equal(row, found)
    for number, row in enumerate(rows):
        np.testing.assert_array_equal(row, scratch.sizes.read(number))


@pytest.mark.parametrize("counts", [[3, 0, 5, 1], [0, 0, 0, 0], [70_000, 1, 0, 2]])
def test_a_block_reads_its_own_ids_alone(scratch, counts, monkeypatch):
    starts = np.concatenate([[0], np.cumsum(counts)])
    ids = np.arange(starts[-1], dtype=np.uint64) + np.uint64(7)
    scratch.write_table(starts, ids)
    fresh, read, parts = Scratch(scratch.path), StoredArray.read, []

    def noting(array, region):
        if array.path.endswith("/table"):
            parts.extend((s.start, s.stop) for s in region)
        return read(array, region)

    monkeypatch.setattr(StoredArray, "read", noting)
    for number, count in enumerate(counts):
        expected = [0, *range(7 + starts[number], 7 + starts[number] + count)]
        assert fresh.read_table(number).tolist() == expected
    spans = zip(starts.tolist(), starts[1:].tolist())
    assert parts == [span for span in spans if span[0] < span[1]]


def test_rows_that_were_never_written_are_told_from_empty_ones(tmp_path):
    scratch = Scratch(f"{tmp_path}/out.scratch")
    scratch.create_labels(GRID, {})
    scratch.sizes.write(1, np.zeros(0, np.uint64))
    scratch.sizes.write(2, np.ones(9, np.uint64))
    assert scratch.sizes.lengths().tolist() == [-1, 0, 9, -1]
    assert [row.size for row in scratch.sizes] == [0, 0, 9, 0]


def test_kept_labels_are_left(tmp_path):
    kept = Scratch(f"{tmp_path}/kept.scratch")
    kept.create_labels(GRID, {})
    again = Scratch(f"{tmp_path}/again.scratch", kept.path)
    again.create_edges(GRID.blocks, 3000)
    assert again.labels.shape == kept.labels.shape
    again.remove()
    assert not Path(again.path).exists()
    assert kept.labels.shape == again.labels.shape


def test_labels_are_chunked_to_be_read_in_parts(scratch):
    assert scratch.labels.shape == (4, 14, 132)
    assert scratch.labels.chunks == (1, 14, 44)
    assert scratch.labels.dtype == np.uint32


def test_nothing_is_left(tmp_path):
    scratch = Scratch(f"{tmp_path}/out.scratch")
    scratch.create_labels(GRID, {})
    scratch.create_edges(GRID.blocks, 3000)
    scratch.write_table(np.zeros(5, np.int64), np.zeros(0, np.uint64))
    scratch.remove()
    scratch.remove()
    assert not Path(scratch.path).exists()


def test_nothing_is_left_in_a_bucket(bucket):
    scratch = Scratch(f"{bucket}/{uuid4().hex}.zarr/out.scratch")
    scratch.create_labels(GRID, {})
    scratch.create_edges(GRID.blocks, 3000)
    put(f"{scratch.path}/edges", "c/0/0", b"what is left of an array")
    scratch.remove()
    scratch.remove()
    assert list_names(scratch.path) == []


def filled(path: Path) -> Scratch:
    """A scratch as it is when all blocks are done, with their marks; something else lies in it."""
    scratch = Scratch(str(path))
    scratch.create_labels(GRID, {"ids": True})
    scratch.create_edges(GRID.blocks, 3000)
    scratch.labels.write((slice(0, 1), slice(0, 14), slice(0, 132)), np.ones((1, 14, 132)))
    for rows in scratch.owners, scratch.sizes, scratch.ids, scratch.edges:
        rows.write(0, np.arange(9))
    scratch.write_table(np.arange(5), np.ones(4, np.uint64))
    for array in "labels", "edges", "edges/solved":
        marks = path / array / ".dask_blockwise"
        marks.mkdir(parents=True)
        (marks / "done.bin").write_bytes(bytes(16))
    (path / "mine").mkdir()
    (path / "mine/notes").write_text("not to be removed")
    return scratch


def files(path: Path) -> set[Path]:
    return {file for file in path.rglob("*") if file.is_file()}


def broken_off(act: Callable[[], object], after: int) -> bool:
    """Break something off before it removes one more file or folder; whether it came to that."""
    removals = iter(range(after))

    def removing(remove):
        def removed(*args, **options):
            if next(removals, None) is None:
                raise KeyboardInterrupt
            return remove(*args, **options)

        return removed

    with pytest.MonkeyPatch.context() as patch:
        for name in "unlink", "rmdir":
            patch.setattr(os, name, removing(getattr(os, name)))
        try:
            act()
        except KeyboardInterrupt:
            return True
    return False


@pytest.mark.parametrize("folder", ["out.scratch", "a.zarr/out.scratch"])
def test_a_removal_that_is_broken_off_anywhere_goes_on(folder, tmp_path):
    filled(tmp_path / "filled" / folder)
    for after in range(1000):
        path = tmp_path / str(after) / folder
        shutil.copytree(tmp_path / "filled", tmp_path / str(after))
        scratch = Scratch(str(path))
        before = files(path)
        stopped = broken_off(scratch.remove, after)
        marked = {mark.parent.parent for mark in path.rglob("done.bin")}
        gone = before - files(path)
        assert all(".dask_blockwise" in file.parts for file in gone) or not marked
        Scratch(str(path)).remove()
        left = {file.relative_to(path).as_posix() for file in path.rglob("*")}
        assert left - {"zarr.json"} == {"mine", "mine/notes"}
        if not stopped:
            break
    assert after > 10


@pytest.mark.parametrize("again", ["create_labels", "create_edges", "write_table"])
def test_an_array_takes_the_place_of_one_whose_removal_was_broken_off(again, tmp_path):
    act = {
        "create_labels": lambda scratch: scratch.create_labels(GRID, {}),
        "create_edges": lambda scratch: scratch.create_edges(GRID.blocks, 3000),
        "write_table": lambda scratch: scratch.write_table(np.arange(5), np.ones(4, np.uint64)),
    }[again]
    filled(tmp_path / "filled")
    for after in range(1000):
        scratch = Scratch(f"{tmp_path}/{after}.scratch")
        shutil.copytree(tmp_path / "filled", scratch.path)
        stopped = broken_off(lambda scratch=scratch: act(scratch), after)
        act(scratch)
        if not stopped:
            break
    assert after > 3


def test_what_is_left_without_metadata_goes(tmp_path):
    path = tmp_path / "a.zarr/out.scratch"
    scratch = filled(path)
    for document in path.glob("*/zarr.json"):
        document.unlink()
    (path / "mine/notes").unlink()
    (path / "mine").rmdir()
    scratch.remove()
    assert not path.exists()


def test_labels_that_were_kept_stay_if_they_are_relabelled_in_their_place(tmp_path):
    kept = Scratch(f"{tmp_path}/out.scratch")
    kept.create_labels(GRID, {})
    again = Scratch(kept.path, kept.path)
    again.create_edges(GRID.blocks, 3000)
    again.remove()
    assert not (tmp_path / "out.scratch/edges").exists()
    assert Scratch(kept.path).sizes.lengths().tolist() == [-1] * GRID.blocks


def test_it_lies_in_a_container_of_zarr_2(tmp_path):
    create_array(tmp_path / "a.zarr/raw", (4, 4), "u1", chunks=(4, 4), zarr_format=2)
    scratch = Scratch(f"{tmp_path}/a.zarr/out.scratch")
    scratch.create_labels(GRID, {})
    scratch.create_edges(GRID.blocks, 3000)
    assert scratch.labels.shards
    scratch.remove()
    assert sorted(path.name for path in (tmp_path / "a.zarr").iterdir()) == [
        ".zattrs",
        ".zgroup",
        "raw",
    ]
