"""Blocks that see nothing of their neighbours along one axis can't compare labels there."""

import numpy as np
import pytest

from dask_blockwise import Volume, relabel, segment


def one_object(halo, chunks=(4, 4), axes="yx", shape=(8, 8)):
    volume = Volume.from_array(np.ones(shape, np.uint8), chunks=chunks, axes=axes)
    return segment(volume, lambda array: (array > 0).astype(np.uint8), halo=halo)


def computed(volume):
    return volume.data.compute(scheduler="synchronous")


@pytest.mark.parametrize("match", ["iou", "fraction"])
@pytest.mark.parametrize(("halo", "axis"), [((0, 2), 0), ((2, 0), 1), (((0, 0), (1, 1)), 0)])
def test_they_are_refused_before_anything_runs(match, halo, axis, tmp_path):
    objects = relabel(one_object(halo), match=match)
    told = rf"see nothing of their neighbours along axis {axis}.*block_shape="
    with pytest.raises(ValueError, match=told):
        objects.plan()
    with pytest.raises(ValueError, match=told):
        objects.to_zarr(tmp_path / "ids.zarr", progress=False)
    with pytest.raises(ValueError, match=told):
        _ = objects.data
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("match", ["iou", "fraction"])
def test_blocks_as_long_as_the_volume_need_no_halo_along_it(match):
    assert computed(relabel(one_object((0, 2), chunks=(8, 4)), match=match)).max() == 1
    assert relabel(one_object((0, 2)), match=match).plan(block_shape=(8, 4)).stages
    # A halo on one side is enough, and time points have nothing to compare.
    assert computed(relabel(one_object(((0, 1), (1, 0))), match=match)).max() == 1
    points = one_object(1, (1, 4, 4), "tyx", (2, 8, 8))
    assert computed(relabel(points, match=match)).max() == 2


def test_touch_needs_none():
    assert computed(relabel(one_object((0, 2)), match="touch")).max() == 1
