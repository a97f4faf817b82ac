"""What a segmentation can't be made with is refused as it is given, in words."""

import numpy as np
import pytest

from dask_blockwise import Volume, agglomerate, connected_components, relabel, segment, watershed

OFFSETS = [(0, -1), (-1, 0)]
VALUES = np.random.default_rng(0).random((2, 6, 7)).astype(np.float32)
AFFINITIES = Volume.from_array(VALUES, axes="cyx")
MAP = Volume.from_array(VALUES[0])
LABELS = Volume.from_array(np.ones((6, 7), np.uint32))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bias": "0.5"}, r"bias must be in \[0, 1\].*got '0.5'"),
        ({"bias": [0.5, "0.5"]}, r"bias must be in \[0, 1\].*got \[0.5, '0.5'\]"),
        ({"bias": "high"}, r"bias must be in \[0, 1\].*got 'high'"),
        ({"strides": 2}, "strides must be a positive integer for each of the 2 axes, got 2"),
        ({"strides": ("2", "2")}, "strides must be a positive integer for each"),
        ({"strides": (np.nan, 1)}, "strides must be a positive integer for each"),
        ({"offsets": 5}, "offsets lists one offset for each channel, got 5"),
        ({"offsets": [(0, -1), 3]}, "An offset is a whole number of voxels for each of the 2 axes"),
        ({"offsets": [(0, -1), (0, 0)]}, "leads to the voxel itself"),
    ],
)
def test_of_a_mutex_watershed(given, message):
    with pytest.raises(ValueError, match=message):
        watershed(AFFINITIES, **{"offsets": OFFSETS, **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bias": "0.5"}, r"bias must be in \[0, 1\].*got '0.5'"),
        ({"backend": "vigra"}, "backend must be 'bioimage-cpp' or 'skimage', got 'vigra'"),
        ({"backend": None}, "backend must be 'bioimage-cpp' or 'skimage', got None"),
    ],
)
def test_of_a_distance_seeded_watershed(given, message):
    with pytest.raises(ValueError, match=message):
        watershed(MAP, seeds="distance", **given)
    with pytest.raises(ValueError, match="two or three axes of space"):
        watershed(Volume.from_array(VALUES[0, 0], axes="x"), seeds="distance")


def test_of_agglomeration():
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\].*got '0.5'"):
        agglomerate(LABELS, AFFINITIES, offsets=OFFSETS, threshold="0.5")


@pytest.mark.parametrize("mask", [np.ones((6, 7), bool), "mask.zarr"], ids=["array", "path"])
def test_a_mask_that_is_no_volume(mask):
    with pytest.raises(TypeError, match="watershed needs a Volume as its mask, got"):
        watershed(AFFINITIES, offsets=OFFSETS, mask=mask)
    with pytest.raises(TypeError, match="segment needs a Volume as its mask, got"):
        segment(LABELS, lambda array, mask: array, halo=0, mask=mask)


def test_what_is_no_function_and_no_parameters():
    with pytest.raises(TypeError, match=r"function itself, or the path of a Python file.*got 5"):
        segment(LABELS, 5, halo=0)
    with pytest.raises(TypeError, match=r"parameters has names with values.*got \[1\]"):
        segment(LABELS, np.clip, halo=0, parameters=[1])


def test_lines_have_components_too():
    line = np.array([1, 1, 1, 0, 1, 0, 0, 1], bool)
    parts = connected_components(Volume.from_array(line, axes="x", chunks=(2,)))
    found = relabel(parts).data.compute(scheduler="synchronous")
    assert found.tolist() == [1, 1, 1, 0, 2, 0, 0, 3]
