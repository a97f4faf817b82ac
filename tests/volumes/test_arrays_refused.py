"""Arrays in memory that a volume would take for others, and what expressions can't have."""

import dask.array as da
import numpy as np
import pytest

from dask_blockwise import Volume

VALUES = np.arange(16.0).reshape(4, 4)


def test_an_array_of_unknown_shape_is_refused_in_words():
    some = da.from_array(VALUES.ravel())
    some = some[some > 3]
    with pytest.raises(ValueError, match=r"isn't known before it is computed: array\.compute"):
        Volume.from_array(some, axes="x")
    assert Volume.from_array(some.compute_chunk_sizes(), axes="x").shape == (12,)


@pytest.mark.parametrize("other", [None, "4", object()])
def test_expressions_are_of_volumes_and_numbers(other):
    volume = Volume.from_array(VALUES)
    for made in (lambda: volume + other, lambda: volume == other, lambda: np.less(other, volume)):
        with pytest.raises(TypeError, match=r"which is no number: give one.*`volume is None`"):
            made()


def test_numbers_of_all_kinds_are_numbers():
    volume = Volume.from_array(VALUES)
    for other in (2, 2.5, True, np.uint8(2), np.array(2.5), da.from_array(np.array(2.5))):
        assert np.array_equal((volume + other)[:], VALUES + np.asarray(other))


def test_an_axis_that_isn_t_there_is_named():
    volume = Volume.from_array(VALUES)
    with pytest.raises(ValueError, match=r"no axis 'z' among \('y', 'x'\): name one of these"):
        volume.mean(axis="z")
    assert volume.max(axis="x").tolist() == VALUES.max(1).tolist()
