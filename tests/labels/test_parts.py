"""Connected parts of labels, against scikit-image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import label

from dask_blockwise.labels.parts import connected_parts


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 2**31),
    st.sampled_from([2**40, np.uint64(2**62 + 1)]),
)
def test_they_are_those_of_scikit_image(shape, corners, seed, large):
    labels = np.random.default_rng(seed).integers(0, 4, shape, np.uint64) * np.uint64(large)
    names = np.unique(labels, return_inverse=True)[1].reshape(shape) + (labels.min() > 0)
    expected = label(names, background=0, connectivity=len(shape) if corners else 1)
    made = connected_parts(labels, corners)
    assert (
        len(np.unique(np.stack([made.ravel(), expected.ravel()]), axis=1).T)
        == len(np.unique(made))
        == len(np.unique(expected))
    )


@pytest.mark.parametrize("corners", [False, True])
def test_axes_of_one_voxel_do_not_matter(corners):
    labels = np.random.default_rng(0).integers(0, 3, (4, 5, 6))
    made = connected_parts(labels[None, ..., None], corners)
    np.testing.assert_array_equal(made[0, ..., 0], connected_parts(labels, corners))
