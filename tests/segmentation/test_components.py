"""Connected components of one array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from dask_blockwise.segmentation.components import segment_function


@settings(max_examples=300)
@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=3), elements=st.integers(0, 2)),
    st.data(),
)
def test_equals_scipy(mask, data):
    connectivity = data.draw(st.integers(1, mask.ndim))
    expected, count = ndimage.label(
        mask, ndimage.generate_binary_structure(mask.ndim, connectivity)
    )
    labels = segment_function(mask, connectivity=connectivity)
    assert labels.dtype == np.uint32
    assert labels.max(initial=0) == count
    assert len(np.unique(np.stack([labels, expected]).reshape(2, -1), axis=1).T) == count + (
        0 in mask
    )


def test_thin_masks_of_truth_values():
    thin = np.array([[False], [False], [True]])
    for mask in thin, thin.T, thin[None], thin[..., None]:
        for connectivity in range(1, mask.ndim + 1):
            np.testing.assert_array_equal(segment_function(mask, connectivity=connectivity), mask)


def test_mask_of_bool_in_any_layout():
    mask = np.random.default_rng(0).random((9, 8, 7)).transpose() > 0.5
    assert segment_function(mask).max() == ndimage.label(mask)[1]


def test_floats_are_refused():
    with pytest.raises(TypeError, match=r"got float32: apply threshold"):
        segment_function(np.zeros((2, 2), np.float32))


@pytest.mark.parametrize("shape, connectivity", [((2, 2), 3), ((2, 2, 2), 0), ((2, 2, 2), 4)])
def test_connectivity_must_fit_the_axes(shape, connectivity):
    with pytest.raises(ValueError, match=f"from 1 to {len(shape)} .* got {connectivity}"):
        segment_function(np.zeros(shape, np.uint8), connectivity=connectivity)
