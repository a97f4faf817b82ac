"""The order of blocks, of which neighbours share chunks that a worker keeps."""

from __future__ import annotations

import tracemalloc
from collections import OrderedDict
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.engine.frontier import Frontier
from dask_blockwise.engine.order import Order
from dask_blockwise.geometry.blocks import BlockGrid, Roi


def grid_of(shape: tuple[int, ...], halo: tuple[int, ...]) -> BlockGrid:
    """Blocks of 10 with a halo."""
    total = Roi([-h for h in halo], [10 * n + 2 * h for n, h in zip(shape, halo)])
    read = Roi([-h for h in halo], [10 + 2 * h for h in halo])
    return BlockGrid(total, read, Roi((0,) * len(shape), (10,) * len(shape)))


def in_order(grid: BlockGrid) -> list[int]:
    order = Order(grid)
    return order.numbers(order)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 2)), min_size=1, max_size=3))
def test_each_block_comes_once_and_where_its_key_says(axes: list[tuple[int, int]]) -> None:
    grid = grid_of(*zip(*axes))  # type: ignore[arg-type]
    numbers = in_order(grid)
    assert sorted(numbers) == list(range(len(grid)))
    keys = Order(grid).keys(np.unravel_index(numbers, grid.shape))
    assert (np.diff(keys) > 0).all()
    assert Order(grid).numbers(keys) == numbers


@pytest.mark.parametrize("halo", [(0, 0, 0), (0, 0, 2)])
def test_where_blocks_share_nothing_but_along_the_last_axis_they_run_as_numbered(
    halo: tuple[int, int, int],
) -> None:
    assert in_order(grid_of((3, 4, 35), halo)) == list(range(3 * 4 * 35))


def test_time_points_that_share_nothing_run_one_after_the_other() -> None:
    numbers = in_order(grid_of((3, 4, 4), (0, 2, 2)))
    assert [n // 16 for n in numbers] == sorted(n // 16 for n in numbers)
    assert numbers[:6] == [0, 1, 4, 5, 2, 3]


@pytest.mark.parametrize("rest", [(), (2, 2)])
def test_a_long_axis_takes_little_more_memory_than_a_number_a_block(rest: tuple[int, ...]) -> None:
    blocks = 1_000_000
    grid = grid_of((blocks, *rest), (2,) * (1 + len(rest)))
    tracemalloc.start()
    try:
        order = Order(grid)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 16 * blocks
    last = [np.array([n - 1]) for n in grid.shape]
    assert order.numbers(order.keys(last).tolist()) == [len(grid) - 1]


def chunks_decoded(numbers: list[int], side: int, kept: int) -> int:
    """Of a cube of so many chunks along each axis, by one worker that keeps the last used."""
    decoded, cache = 0, OrderedDict[tuple[int, ...], None]()
    for at in zip(*np.unravel_index(numbers, (side,) * 3)):
        for chunk in product(*(range(max(0, i - 1), min(side, i + 2)) for i in map(int, at))):
            decoded += chunk not in cache
            cache[chunk] = None
            cache.move_to_end(chunk)
            if len(cache) > kept:
                cache.popitem(last=False)
    return decoded


@pytest.mark.parametrize(("side", "kept"), [(4, 32), (24, 128)])
def test_a_chunk_is_decoded_half_as_often_as_in_raster_order(side: int, kept: int) -> None:
    """With 256 MB, and chunks of 128^3 of four bytes and of one."""
    grid = grid_of((side,) * 3, (2, 2, 2))
    taken = Frontier([grid], [False], [[]]).take(0, len(grid))
    assert sorted(taken) == list(range(len(grid)))
    raster = chunks_decoded(list(range(len(grid))), side, kept)
    assert chunks_decoded(taken, side, kept) < 0.62 * raster
