"""Objects that meet at corners alone are several for a distance-seeded watershed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from objects import labels_of

from dask_blockwise.segmentation.watershed import segment_function


@settings(max_examples=200)
@given(
    hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=3, max_side=7)),
    st.sampled_from([0, 0.5, 1, 2]),
    st.sampled_from([None, 1.5]),
    st.sampled_from(["bioimage-cpp", "skimage"]),
)
def test_no_label_lies_in_two_objects(inside, sigma, max_distance, backend):
    found = segment_function(
        inside.astype(np.float32),
        seeds="distance",
        sigma=sigma,
        max_distance=max_distance,
        fill=False,
        backend=backend,
    )
    np.testing.assert_array_equal(found > 0, inside)
    objects = labels_of(inside)
    pairs = np.unique(np.stack([found[inside], objects[inside]]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]


@pytest.mark.parametrize("fill", [False, True])
def test_two_voxels_that_meet_at_a_corner_are_two(fill):
    inside = np.array([[0.9, 0.1], [0.1, 0.9]], np.float32)
    found = segment_function(inside, seeds="distance", sigma=0, fill=fill)
    assert found[0, 0] != found[1, 1]
