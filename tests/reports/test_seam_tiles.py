"""Tiles around faces, and how many a budget pays."""

import numpy as np
import pytest

from dask_blockwise.relabelling.grid import LabelGrid
from dask_blockwise.reports.seam_tiles import drawn_order, spent, tiles

CASES = [
    ((100, 70), (24, 32), (True, True)),
    ((33, 17, 9), (8, 16, 9), (True, True, True)),
    ((3, 40, 40), (1, 16, 20), (False, True, True)),
    ((65,), (64,), (True,)),
]


@pytest.mark.parametrize("shape, block, stitched", CASES)
def test_tiles_cover_the_volume_once_and_hold_every_face(shape, block, stitched):
    covered = np.zeros(shape, int)
    faces = set()
    for tile in tiles(shape, block, stitched, (2,) * len(shape), 1e9):
        covered[tile.box] += 1
        assert tile.window == tile.box
        for axis, first in tile.faces:
            assert tile.box[axis].start < first < tile.box[axis].stop
            faces.add((axis, first))
    assert (covered == 1).all()
    assert faces == {
        (axis, first)
        for axis, along in enumerate(stitched)
        if along
        for first in range(block[axis], shape[axis], block[axis])
    }


@pytest.mark.parametrize("most", [10, 100, 1000])
def test_a_window_costs_no_more_than_it_may(most):
    for tile in tiles((64, 48), (16, 16), (True, True), (1, 1), most):
        assert tile.cost <= max(most, 16)
        assert all(
            any(s.start < first < s.stop for axis, first in tile.faces if axis == n)
            for n, s in enumerate(tile.window)
        )


def test_a_run_has_spent_what_its_blocks_see():
    grid = LabelGrid((30, 20), (8, 7), ((2, 2), (3, 3)), (True, True))
    seen = (np.prod([s.stop - s.start for s in grid.seen(n)]) for n in range(grid.blocks))
    assert spent(grid.shape, grid.block_shape, grid.halo) == sum(seen)


def test_heavy_tiles_are_drawn_first_as_often_as_they_weigh():
    weight = np.array([1.0, 2.0, 5.0])
    rng = np.random.default_rng(0)
    first = [drawn_order(weight, rng)[0] for _ in range(4000)]
    assert np.bincount(first) / 4000 == pytest.approx(weight / 8, abs=0.03)
