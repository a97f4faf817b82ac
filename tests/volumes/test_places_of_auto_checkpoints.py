"""Where a run stores by itself what comes on the way, and what it never replaces there."""

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

import dask_blockwise as dbw
from dask_blockwise import Volume

RAW = Volume.from_array(np.random.default_rng(0).random((24, 24)), chunks=(8, 8))


def smooth(volume: Volume, size: int = 7) -> Volume:
    return dbw.map_overlap(uniform_filter, volume, halo=4, size=size)


class Doubled:
    """A function that is an object."""

    def __call__(self, array):
        return array * 2


@pytest.fixture
def how(threads):
    return {"client": threads, "progress": False}


@pytest.mark.parametrize(
    ("given", "beside"),
    [
        ("a.zarr/x/", "a.zarr/x-uniform_filter"),
        ("a.zarr/", "a-uniform_filter.zarr"),
        ("a.b/x", "a.b/x-uniform_filter"),
        ("a.zarr/x.1", "a.zarr/x-uniform_filter.1"),
    ],
)
def test_what_is_on_the_way_lies_beside(tmp_path, how, given, beside):
    smooth(smooth(RAW)).to_zarr(f"{tmp_path}/{given}", checkpoint="auto", **how)
    np.testing.assert_allclose(dbw.open_volume(tmp_path / beside)[:], smooth(RAW)[:])


def test_nothing_lies_beside_a_bucket():
    with pytest.raises(ValueError, match=r"all of a bucket, .* such as s3://bucket/result.zarr"):
        smooth(smooth(RAW)).to_zarr("s3://bucket", checkpoint="auto")


def test_an_object_goes_by_its_class(tmp_path, how):
    def chain():
        return dbw.map_overlap(Doubled(), dbw.map_overlap(Doubled(), RAW, halo=4), halo=4)

    for again in False, True:
        summary = chain().to_zarr(tmp_path / "a.zarr/x", checkpoint="auto", **how)
        assert [task.name for task in summary.tasks] == ["x-Doubled", "x"]
        assert all((task.completed == 0) == again for task in summary.tasks)


@pytest.mark.parametrize("ask", [{}, {"overwrite": True}, {"on_change": "redo"}])
def test_what_was_stored_for_something_else_stays(tmp_path, how, ask):
    own = tmp_path / "a.zarr/x-uniform_filter"
    (RAW * 2).to_zarr(own, **how)
    with pytest.raises(FileExistsError, match=r"on the way to x, holds something else, .* say"):
        smooth(smooth(RAW)).to_zarr(tmp_path / "a.zarr/x", checkpoint="auto", **ask, **how)
    np.testing.assert_array_equal(dbw.open_volume(own)[:], RAW[:] * 2)
    assert not (tmp_path / "a.zarr/x").exists()


def test_a_volume_stands_as_it_was_stored(tmp_path, how):
    path = tmp_path / "a.zarr/x"
    smooth(smooth(RAW)).to_zarr(path, checkpoint="auto", **how)
    assert dbw.status(path, smooth(smooth(RAW)))
    changed = dbw.status(path, smooth(smooth(RAW, 5)))
    assert "uniform_filter: size 7 -> 5" in str(changed)
    assert not changed


def test_two_outputs_may_not_share_what_is_on_the_way(tmp_path, how):
    def a(array):
        return uniform_filter(array, 3)

    def filter_a(array):
        return uniform_filter(array, 5)

    filter_a.__name__ = "filter-a"
    one, other = (smooth(dbw.map_overlap(function, RAW, halo=4)) for function in (filter_a, a))
    one.to_zarr(tmp_path / "o.zarr/x", checkpoint="auto", **how)
    for ask in {}, {"overwrite": True}:
        with pytest.raises(FileExistsError, match=r"x-filter-a, where .* way to x-filter, holds"):
            other.to_zarr(tmp_path / "o.zarr/x-filter", checkpoint="auto", **ask, **how)
    assert dbw.status(tmp_path / "o.zarr/x")


@pytest.mark.parametrize("ask", [{"overwrite": True}, {"on_change": "redo"}])
def test_what_was_stored_for_the_same_is_replaced(tmp_path, how, ask):
    path = tmp_path / "a.zarr/x"
    smooth(smooth(RAW)).to_zarr(path, checkpoint="auto", **how)
    with pytest.raises(dbw.OutputChanged):
        smooth(smooth(RAW, 3)).to_zarr(path, checkpoint="auto", **how)
    smooth(smooth(RAW, 3)).to_zarr(path, checkpoint="auto", **ask, **how)
    np.testing.assert_allclose(dbw.open_volume(path)[:], smooth(smooth(RAW, 3))[:])
    assert dbw.status(path)


def test_what_was_on_the_way_is_stored_elsewhere_again(tmp_path, how):
    smooth(smooth(RAW)).to_zarr(tmp_path / "a.zarr/x", checkpoint="auto", **how)
    (RAW * 2).to_zarr(tmp_path / "a.zarr/y", **how)
    found = tmp_path / "a.zarr/x-uniform_filter"
    dbw.rerun(found, to=tmp_path / "a.zarr/y", overwrite=True, **how)
    np.testing.assert_allclose(dbw.open_volume(tmp_path / "a.zarr/y")[:], smooth(RAW)[:])
