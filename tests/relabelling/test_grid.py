"""Where the voxels of blocks lie."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_blockwise.geometry.boxes import common, layer, within
from dask_blockwise.relabelling.grid import LabelGrid


@st.composite
def grids(draw):
    dims = draw(st.integers(1, 3))

    def numbers(low, high):
        return tuple(draw(st.tuples(*[st.integers(low, high)] * dims)))

    halo = tuple(zip(numbers(0, 4), numbers(0, 4), strict=True))
    stitched = draw(st.tuples(*[st.booleans()] * dims))
    return LabelGrid(numbers(1, 7), numbers(2, 5), halo, stitched)


@given(grids())
def test_cores_cover_each_voxel_once_and_lie_in_what_is_seen(grid):
    times = np.zeros(grid.shape, int)
    for number in range(grid.blocks):
        core, seen, frame = grid.core(number), grid.seen(number), grid.frame(number)
        times[core] += 1
        assert common(core, seen) == core
        assert common(seen, frame) == seen
        assert tuple(s.stop - s.start for s in frame) == grid.frame_shape
    assert (times == 1).all()


@settings(max_examples=50, deadline=None)
@given(grids(), st.integers(1, 3))
def test_neighbours_are_those_whose_cores_are_adjacent(grid, connectivity):
    cores = [grid.core(number) for number in range(grid.blocks)]
    for one in range(grid.blocks):
        found = {other for _, other in grid.later(one, connectivity)}
        expected = {
            other
            for other in range(one + 1, grid.blocks)
            if adjacent(cores[one], cores[other], grid.stitched, connectivity)
        }
        assert found == expected


def adjacent(one, other, stitched, connectivity):
    gaps = [max(a.start - b.stop, b.start - a.stop) for a, b in zip(one, other, strict=True)]
    across = [gap == 0 for gap in gaps]
    return (
        max(gaps) <= 0
        and sum(across) <= connectivity
        and not any(a and not s for a, s in zip(across, stitched, strict=True))
    )


@given(grids())
def test_within_undoes_an_offset(grid):
    for number in range(grid.blocks):
        core, frame = grid.core(number), grid.frame(number)
        back = within(core, frame)
        assert all(s.start == before for s, (before, _) in zip(back, grid.halo, strict=True))


def test_layers_are_one_voxel_thick():
    box = (slice(2, 6), slice(0, 4), slice(1, 2))
    assert layer(box, (-1, 0, 1)) == (slice(2, 3), slice(0, 4), slice(1, 2))
