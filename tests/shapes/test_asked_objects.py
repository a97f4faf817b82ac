"""Which objects are wanted, and how they are made, is checked before anything is read."""

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise import Volume
from dask_blockwise.shapes.boxes import checked_ids

LABELS = Volume.from_array(np.ones((2, 3, 4), np.uint64))


NO_IDS = [[3.7], np.array([3.0]), "37", ["3"], 3, np.uint64(3), [0], [-1], [2**64], [True], [[3]]]


@pytest.mark.parametrize("ids", NO_IDS, ids=repr)
def test_ids_that_are_none_are_refused(ids, tmp_path):
    with pytest.raises(ValueError, match=r"ids lists positive whole numbers.*\[3, 7\], got"):
        dbw.meshes(LABELS, tmp_path / "mesh", ids=ids, progress=False)
    with pytest.raises(ValueError, match="ids lists positive whole numbers"):
        dbw.skeletons(LABELS, tmp_path / "lines", ids=ids, progress=False)
    assert not list(tmp_path.iterdir())


def test_ids_may_come_in_any_kind_of_whole_numbers():
    most = 2**64 - 1
    assert checked_ids(None) is None
    for given in ((3, most), np.array([3, most], np.uint64), iter([3, most]), {3: 0, most: 0}):
        assert checked_ids(given) == [3, most]


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (dbw.meshes, {"reduction": -1}, "reduction must be a whole number from 0 on, got -1"),
        (dbw.meshes, {"reduction": 2.5}, "reduction must be a whole number from 0 on, got 2.5"),
        (dbw.meshes, {"reduction": "100"}, "reduction must be a whole number from 0 on, got '100'"),
        (dbw.meshes, {"max_error": -1}, "max_error must be a number of nanometers"),
        (dbw.meshes, {"max_error": np.nan}, "max_error must be a number of nanometers"),
        (dbw.meshes, {"max_error": "1"}, "max_error must be a number of nanometers"),
        (dbw.skeletons, {"scale": -1}, "scale must be a finite number from 0 on, got -1"),
        (dbw.skeletons, {"scale": "1.5"}, "scale must be a finite number from 0 on, got '1.5'"),
        (dbw.skeletons, {"const": np.inf}, "const must be a finite number from 0 on, got inf"),
    ],
)
def test_numbers_out_of_range_are_refused(make, given, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make(LABELS, tmp_path / "shapes", progress=False, **given)
    assert not list(tmp_path.iterdir())
