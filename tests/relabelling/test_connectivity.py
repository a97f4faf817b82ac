"""Connectivity within blocks is that across them, without being said twice."""

import numpy as np
import pytest
from scipy import ndimage

from dask_blockwise import (
    Roi,
    Volume,
    components_function,
    connected_components,
    create_volume,
    open_volume,
    relabel,
    segment,
    segment_blockwise,
)

NOISE = np.random.default_rng(3).random((22, 24, 26))
MASK = (NOISE < 0.12).astype(np.uint8)
VALUES = np.random.default_rng(4).integers(0, 3, (16, 20)).astype(np.uint8)
VOLUME = Volume.from_array(MASK, chunks=(8, 8, 8))
FILE = components_function.__file__


def objects(mask, connectivity):
    structure = ndimage.generate_binary_structure(mask.ndim, connectivity)
    return ndimage.label(mask, structure)[1]


def of_each_value(values, connectivity=1):
    return sum(objects(values == value, connectivity) for value in np.unique(values[values > 0]))


def count(volume):
    return volume.data.compute(scheduler="synchronous").max()


@pytest.mark.parametrize("connectivity", [1, 2, 3])
@pytest.mark.parametrize("given", [False, True])
def test_taken_over(connectivity, given, threads, tmp_path):
    parts = connected_components(VOLUME, connectivity=connectivity)
    more = {"connectivity": connectivity} if given else {}
    assert len({objects(MASK, n) for n in (1, 2, 3)}) == 3
    expected = objects(MASK, connectivity)
    assert count(relabel(parts, match="touch", **more)) == expected
    by_file = segment(VOLUME, FILE, halo=0, connectivity=connectivity)
    assert count(relabel(by_file, match="touch", **more)) == expected
    kept = parts.checkpoint(f"{tmp_path}/a.zarr/parts")
    path = f"{tmp_path}/a.zarr/ids"
    with threads.as_current():
        relabel(kept, match="touch", **more).to_zarr(path, progress=False)
    assert open_volume(path)[:].max() == expected


def test_a_scratch_remembers_it(threads, tmp_path):
    parts = connected_components(VOLUME, connectivity=3)
    path = f"{tmp_path}/a.zarr/ids"
    with threads.as_current():
        relabel(parts, match="touch", keep_scratch=True).to_zarr(path, progress=False)
    assert count(relabel(f"{path}.scratch", match="touch")) == objects(MASK, 3)
    with pytest.raises(ValueError, match=r"connectivity 3, and relabel was given connectivity=1"):
        relabel(f"{path}.scratch", match="touch", connectivity=1)


def test_two_that_differ_are_refused(tmp_path):
    parts = connected_components(VOLUME, connectivity=3)
    for volume in parts, parts.checkpoint(f"{tmp_path}/a.zarr/parts"):
        with pytest.raises(ValueError, match=r"of connectivity 3, .* connectivity=2.*Leave it out"):
            relabel(volume, match="touch", connectivity=2)


def test_segment_blockwise_takes_it_from_the_parameters(threads, tmp_path):
    mask = create_volume(
        f"{tmp_path}/in.zarr/mask", shape=MASK.shape, dtype="uint8", block_shape=(8, 8, 8)
    )
    mask[mask.roi] = MASK
    block = Roi((0, 0, 0), (8, 8, 8))
    paths = {"input_path": mask.path, "output_path": f"{tmp_path}/out.zarr/ids"}
    with threads.as_current():
        assert segment_blockwise(
            FILE, (0, 0, 0), mask.roi, block, block, parameters={"connectivity": 3}, **paths
        )
    assert open_volume(paths["output_path"])[:].max() == objects(MASK, 3)


@pytest.mark.parametrize("begin", [(0, 0), (3, 5)])
def test_values_stay_apart_by_the_file_and_through_a_checkpoint(begin, threads, tmp_path):
    volume = Volume.from_array(VALUES, voxel_size=(2, 1), chunks=(5, 6))
    inside = VALUES[begin[0] :, begin[1] :]
    roi = Roi((2 * begin[0], begin[1]), (2 * inside.shape[0], inside.shape[1]))
    by_file = segment(volume, FILE, halo=0, each_value=True, roi=roi)
    assert of_each_value(inside) > objects(inside > 0, 1)
    assert count(relabel(by_file, match="touch")) == of_each_value(inside)
    path = f"{tmp_path}/a.zarr/ids"
    kept = by_file.checkpoint(f"{tmp_path}/a.zarr/parts")
    with threads.as_current():
        relabel(kept, match="touch").to_zarr(path, progress=False)
    assert open_volume(path)[:].max() == of_each_value(inside)
