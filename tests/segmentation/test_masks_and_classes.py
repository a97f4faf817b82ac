"""Masks and classes are taken for what they are, or refused before anything runs."""

import numpy as np
import pytest

from dask_blockwise import (
    Roi,
    Volume,
    argmax,
    connected_components,
    relabel,
    threshold,
    watershed,
)

CLASSES = np.kron(np.arange(9).reshape(3, 3) % 3, np.ones((4, 4), int)).astype(np.uint8)
SCORES = Volume.from_array((np.arange(3)[:, None, None] == CLASSES).astype(np.float32), axes="cyx")


@pytest.mark.parametrize(
    "classes",
    [
        argmax(SCORES),
        argmax(SCORES).crop(Roi((0, 0), (8, 8))),
        Volume.from_array(CLASSES),
        Volume.from_array(CLASSES.astype(np.int32) + 1),
    ],
    ids=["computed", "a part", "in memory", "from 1"],
)
def test_classes_are_split_once_it_is_said_which(classes):
    with pytest.raises(ValueError, match=r"as classes do, .* volume == 1, or threshold"):
        watershed(classes, seeds="distance", sigma=0)
    one = watershed(classes == 1, seeds="distance", sigma=0)[:]
    np.testing.assert_array_equal(one > 0, classes[:] == 1)


def test_other_values_than_those_of_a_mask_fail_where_they_are():
    values = np.zeros((6, 6), np.uint8)
    values[2, 2], values[5, 5] = 255, 90
    some = Volume.from_array(values, chunks=(2, 2))
    with pytest.raises(ValueError, match="a mask of 0 and 255, and here are also 90: say what"):
        watershed(some, seeds="distance", sigma=0, halo=0)[:]


def test_what_is_no_mask_and_no_labels_is_refused_before_anything_runs():
    predicted = Volume.from_array(CLASSES, stands_for=(0, 1))
    with pytest.raises(TypeError, match="A mask is of truth values"):
        watershed(Volume.from_array(CLASSES > 0), seeds="distance", mask=predicted)
    with pytest.raises(
        ValueError, match=r"connected_components needs .* make a mask of them first"
    ):
        connected_components(predicted)
    image = np.random.default_rng(0).integers(1, 255, (16, 16, 16)).astype(np.uint8)
    with pytest.warns(UserWarning, match="takes all that isn't 0 for objects"):
        connected_components(Volume.from_array(image))
    mask = Volume.from_array((CLASSES > 0).astype(np.uint8) * 255)
    for given in (mask, argmax(SCORES), threshold(SCORES.isel(c=0), 0.5)):
        with pytest.raises(
            ValueError, match=r"no ids yet .* classes: connected_components\(volume\)"
        ):
            relabel(given, match="touch")
    assert relabel(mask.astype("uint32"), match="touch").compute().max() == 1
