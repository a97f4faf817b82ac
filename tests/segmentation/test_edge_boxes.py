"""Where edges leave a box, voxel by voxel."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.segmentation.edge_boxes import shell

SIDES = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 5)), min_size=1, max_size=3)


@given(SIDES, st.data())
def test_each_voxel_from_which_an_offset_leaves_is_in_one_box(sides, data):
    core = tuple(slice(begin, begin + size) for begin, size in sides)
    offset = data.draw(st.tuples(*[st.integers(-6, 6)] * len(core)))
    found = np.zeros([s.stop for s in core], int)
    for box in shell(core, offset):
        found[box] += 1
    places = np.indices(found.shape)
    inside, stays = np.ones(found.shape, bool), np.ones(found.shape, bool)
    for place, side, step in zip(places, core, offset):
        inside &= place >= side.start
        stays &= (place + step >= side.start) & (place + step < side.stop)
    np.testing.assert_array_equal(found, inside & ~stays)
