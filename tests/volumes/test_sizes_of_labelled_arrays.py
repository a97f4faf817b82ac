"""Sizes given for arrays of labelled dimensions stand for the same as those of others."""

from importlib.util import find_spec

import numpy as np
import pytest

from dask_blockwise import Volume

pytestmark = pytest.mark.skipif(not find_spec("xarray"), reason="xarray isn't installed")


@pytest.mark.parametrize("size", [4, 1 / 3, float(np.float32(0.1)), np.float32(0.1)])
def test_a_size_stands_for_what_it_does_of_other_arrays(size):
    from xarray import DataArray

    labelled = DataArray(np.ones((2, 3)), dims=("y", "x"))
    made = Volume.from_xarray(labelled, voxel_size={"y": size, "x": 2 * size})
    other = Volume.from_array(np.ones((2, 3)), voxel_size=(size, 2 * size))
    assert made.voxel_size == other.voxel_size


def test_a_size_that_is_no_number_is_refused_in_words():
    from xarray import DataArray

    labelled = DataArray(np.ones((2, 3)), dims=("y", "x"))
    with pytest.raises(ValueError, match="sizes and offsets are finite numbers, got 'four'"):
        Volume.from_xarray(labelled, voxel_size={"y": "four"})
