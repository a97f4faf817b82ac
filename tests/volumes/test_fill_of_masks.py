"""What is outside of a mask is labelled where it isn't 0."""

import numpy as np
import pytest
from scipy.ndimage import label

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume

FLAT = (12, 16)
WITHIN = [Roi((0, 0), (5, 4)), Roi((9, 11), (3, 2))]
LABELLED = {
    "components": lambda volume: dbw.relabel(dbw.connected_components(volume)),
    "of each value": lambda volume: dbw.relabel(dbw.connected_components(volume, each_value=True)),
    "renumbered": dbw.renumber,
}


def expected(how, values):
    if how == "components":
        return label(values)[0]
    if how == "renumbered":
        return values
    pieces = [label(values == value)[0] for value in range(1, 7)]
    return sum(np.where(each, each + 1000 * n, 0) for n, each in enumerate(pieces))


@pytest.mark.parametrize("fills", [(0,), (6,), (6, 0), (0, 6)], ids=str)
@pytest.mark.parametrize("how", LABELLED)
@pytest.mark.parametrize(
    "view", [lambda volume: volume, lambda volume: volume.transpose()], ids=["", "turned"]
)
def test_objects_are_those_of_the_whole_volume(tmp_path, near, fills, how, view):
    values = np.random.default_rng(0).integers(0, 4, FLAT).astype(np.uint8)
    volume = Volume.from_array(values, chunks=(4, 4))
    for rois, fill in zip((WITHIN, WITHIN[:1]), fills, strict=False):
        volume = volume.masked(rois, fill=fill)
        outside = np.ones(FLAT, bool)
        for roi in rois:
            outside[roi.to_slices()] = False
        values = np.where(outside, fill, values)
    objects = LABELLED[how](view(volume))
    empty = [row.empty for row in objects.plan().stages]
    objects.to_zarr(tmp_path / "out.zarr/it", client=near, progress=False)
    found = dbw.open_volume(tmp_path / "out.zarr/it")[:]
    pairs = np.stack([found.ravel(), expected(how, view(values)).ravel()])
    pairs = np.unique(pairs, axis=1)
    assert len(pairs[0]) == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))
    assert ([0, 0] in pairs.T.tolist()) == (not expected(how, values).all())
    assert any(empty) == (6 not in fills)
