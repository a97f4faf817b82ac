"""Arrays of numpy that hide some of their values aren't taken for what lies beneath."""

import dask.array as da
import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise import Volume

VALUES = np.arange(16, dtype=np.uint8).reshape(4, 4)


def hidden(array):
    return np.ma.masked_less(array, 8)


@pytest.mark.parametrize(
    "made",
    [
        lambda: Volume.from_array(hidden(VALUES)),
        lambda: Volume.from_array(da.ma.masked_less(da.from_array(VALUES), 8)),
        lambda: dbw.map_overlap(hidden, Volume.from_array(VALUES), dtype="uint8"),
        lambda: dbw.segment(Volume.from_array(VALUES), hidden, halo=0),
    ],
    ids=["array", "array of dask", "map_overlap", "segment"],
)
def test_masked_values_are_refused(made):
    with pytest.raises(ValueError, match=r"has masked values: .* array.filled\(0\)"):
        made()[:]


def test_a_masked_array_that_hides_nothing_is_as_any_other():
    assert (Volume.from_array(np.ma.masked_less(VALUES, 0))[:] == VALUES).all()
