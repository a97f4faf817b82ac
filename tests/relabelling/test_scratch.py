"""What blocks leave for one another."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_blockwise.relabelling.grid import LabelGrid
from dask_blockwise.relabelling.scratch import Scratch
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
