import numpy as np
import pytest

from dask_blockwise.threshold_worker import above


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("threshold", [0, 0.5, 127, 300, -1])
def test_equals_numpy(dtype, threshold):
    array = np.arange(0, 256).reshape(2, 2, 8, 8).astype(dtype)
    result = above(array, threshold)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, array > threshold)


def test_nan_is_not_above():
    assert above(np.array([np.nan, np.inf]), 0).tolist() == [0, 1]
