"""Ids at their limits: 2^32 labels a block, 2^31 blocks. Nothing of that size is in memory."""

from __future__ import annotations

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise.relabelling.agglomeration_rule import dense_rows
from dask_blockwise.relabelling.grid import LabelGrid
from dask_blockwise.relabelling.rule import numbered, positions

LAST_BLOCK, LAST_LABEL = 2**31 - 1, 2**32 - 1


def starts_of(first: int) -> np.ndarray:
    """Where the pieces of each of 2^31 blocks begin: the same for all, so that it takes no room."""
    return np.broadcast_to(np.int64(first), LAST_BLOCK + 2)


def test_edges_name_the_last_label_of_the_last_block() -> None:
    pairs = np.array([[LAST_LABEL, 1], [1, LAST_LABEL]], np.uint32)
    edges = numbered(LAST_BLOCK - 1, LAST_BLOCK, pairs)
    ends = LAST_BLOCK - 1, LAST_BLOCK
    named = [divmod(int(edge), 2**32) for edge in edges]
    assert named == list(zip(ends * 2, (LAST_LABEL, 1, 1, LAST_LABEL)))


def test_positions_of_the_last_label_of_the_last_block() -> None:
    first = 2**62
    keys = numbered(0, LAST_BLOCK, np.array([[1, LAST_LABEL]], np.uint32))
    assert positions(keys, starts_of(first)).tolist() == [first, first + LAST_LABEL - 1]
    row = np.concatenate([keys, np.zeros(4, np.uint64)])[None]
    assert dense_rows(row, starts_of(first))[0, :2].tolist() == [first, first + LAST_LABEL - 1]


def test_ids_of_the_last_block_are_like_no_others() -> None:
    labels = dbw.Volume.from_array(np.array([[7, 0, 9, 9]]), chunks=(1, 2))
    parts = dbw.connected_components(labels, each_value=True, block_shape=(1, 4))
    ids = [parts.source.block(number, (0, 0), (1, 4)).tolist()[0] for number in (0, 1, LAST_BLOCK)]
    assert ids == [[n, 0, n + 1, n + 1] for n in (1, 5, 4 * LAST_BLOCK + 1)]


def test_a_grid_beyond_the_limits_is_refused() -> None:
    whole = {"halo": ((0, 0),), "stitched": (True,)}
    assert LabelGrid((2**31,), (1,), **whole).blocks == 2**31
    assert LabelGrid((2**32 - 1,), (2**32 - 1,), **whole).blocks == 1
    with pytest.raises(ValueError, match=r"2147483649 blocks.*larger blocks"):
        LabelGrid((2**31 + 1,), (1,), **whole)
    with pytest.raises(ValueError, match=r"sees 4294967298 voxels.*smaller blocks"):
        LabelGrid((2**33,), (2**32 - 2,), halo=((2, 2),), stitched=(True,))
