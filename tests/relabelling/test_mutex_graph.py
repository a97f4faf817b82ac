"""Edges of all blocks together, in parts: in the same order however many these are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from dask_blockwise.relabelling.mutex_graph import strongest_first
from dask_blockwise.relabelling.mutex_row import Found

VOLUME, BLOCK = (9, 8), (3, 4)
# As of affinities of bytes, whose strongest many edges have.
LEVELS = np.array([3, 8, 1 << 40, (1 << 63) + 5], np.uint64)


def blocks(rng: np.random.Generator) -> Iterator[Found]:
    """Of one, nothing is found; of others, edges in order of strength, then of voxels."""
    for number, begin in enumerate(product(range(0, 9, 3), range(0, 8, 4))):
        count = 0 if number == 2 else int(rng.integers(1, 60))
        level = np.sort(rng.choice(4, count, p=[0.7, 0.1, 0.1, 0.1]))
        voxels = rng.integers(0, np.prod(BLOCK), count)
        voxels = voxels[np.lexsort([voxels, level])].astype(np.uint64) * np.uint64(2)
        order, counts = np.unique(LEVELS[level], return_counts=True)
        core = tuple(slice(b, b + size) for b, size in zip(begin, BLOCK, strict=True))
        ends = rng.integers(0, 10, (2, count)).astype(np.uint32)
        found = voxels + rng.integers(0, 2, count).astype(np.uint64)
        empty = np.empty(0, np.uint64), np.empty(0, np.int64)
        one = Found(core, VOLUME, empty[0], *ends, found, order, counts.astype(np.intp), empty[1])
        yield one.among_all(np.arange(10) + 10 * number)


def sorted_by_hand(found: list[Found]) -> NDArray[np.int64]:
    """Rows of both ends and whether they attract."""
    raster = np.arange(np.prod(VOLUME)).reshape(VOLUME)
    edges = [
        (
            int(strength),
            int(raster[block.core].ravel()[voxel >> 1]),
            int(one),
            int(other),
            voxel & 1,
        )
        for block in found
        for strength, one, other, voxel in zip(
            np.repeat(block.order, block.counts), block.one, block.other, block.voxels.tolist()
        )
    ]
    # Python's sort is stable, as is the order in which blocks come.
    edges.sort(key=lambda edge: (edge[0], 2 * edge[1] + edge[4]))
    return np.array([edge[2:] for edge in edges])


@pytest.mark.parametrize("parts", [1, 2, 7, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_they_are_the_same_in_however_many_parts_they_come(seed: int, parts: int) -> None:
    found = list(blocks(np.random.default_rng(seed)))
    each = list(strongest_first(found, parts))
    assert 1 <= len(each) <= parts
    assert (len(each) == 1) == (parts == 1)
    rows = np.concatenate([np.stack(part, axis=1) for part in each])
    np.testing.assert_array_equal(rows, sorted_by_hand(found))


def test_no_blocks_have_no_edges() -> None:
    assert list(strongest_first([])) == []
