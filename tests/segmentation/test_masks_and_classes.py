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


def flat_in_the_middle(value, dtype, middle):
    """A mask of which the block in the middle holds one value alone."""
    inside = np.full((24, 24), middle, bool)
    inside[:7] = ~inside[:7]
    return Volume.from_array(inside.astype(dtype) * np.dtype(dtype).type(value), chunks=(8, 8))


@pytest.mark.parametrize("middle", [0, 1])
@pytest.mark.parametrize(
    "value, dtype", [(1, "u1"), (255, "u1"), (1, "i4"), (255, "u2"), (1, "f4")]
)
def test_a_mask_is_known_by_other_places_than_its_middle(value, dtype, middle):
    mask = flat_in_the_middle(value, dtype, middle)
    split = watershed(mask, seeds="distance", sigma=0, halo=8)[:]
    np.testing.assert_array_equal(split > 0, mask[:] > 0)
    if dtype == "u1":
        with pytest.raises(ValueError, match="no ids yet"):
            relabel(mask)


@pytest.mark.parametrize("value", [0, 255])
def test_bytes_of_one_value_may_be_a_mask_or_a_map(value):
    one = Volume.from_array(np.full((4, 4), value, np.uint8))
    with pytest.raises(ValueError, match="of a mask say volume != 0, of probabilities open_volume"):
        watershed(one, seeds="distance")
    assert watershed(one != 0, seeds="distance")[:].any() == (value > 0)
    said = Volume.from_array(np.full((4, 4), value, np.uint8), stands_for=(0, 1))
    assert watershed(said, seeds="distance").shape == (4, 4)
    empty = threshold(one, 255)
    assert not watershed(empty, seeds="distance")[:].any()


def test_bytes_of_1_alone_are_no_probabilities():
    ones = Volume.from_array(np.ones((3, 4, 4), np.uint8), axes="cyx")
    with pytest.raises(ValueError, match=r"holds 1 alone, but .* would count as 1/255"):
        watershed(ones, offsets=[[-1, 0], [0, -1], [-2, 0]])
    assert watershed(ones.isel(c=0), seeds="distance")[:].all()


def test_stored_bytes_are_probabilities_where_that_is_said_and_else_may_be_an_image():
    grey = np.random.default_rng(0).integers(0, 256, (8, 40, 40), np.uint8)
    with pytest.warns(
        UserWarning, match=r"bytes such as \d+.*stands_for=\(0, 1.*make a mask"
    ) as told:
        unsaid = watershed(Volume.from_array(grey), seeds="distance", sigma=1)
    assert told[0].filename == __file__
    said = watershed(Volume.from_array(grey, stands_for=(0, 1)), seeds="distance", sigma=1)[:]
    of_floats = Volume.from_array(grey.astype(np.float32) / 255)
    np.testing.assert_array_equal(said, watershed(of_floats, seeds="distance", sigma=1)[:])
    np.testing.assert_array_equal(said, unsaid[:])


def test_probabilities_that_are_0_and_1_in_the_middle():
    values = np.random.default_rng(0).random((24, 24))
    values[8:16, 8:16] = values[8:16, 8:16].round()
    some = Volume.from_array(values, chunks=(8, 8))
    with pytest.raises(ValueError, match="If these are probabilities, say fill=True"):
        watershed(some, seeds="distance", halo=8).compute()
    filled, found = (
        watershed(some, seeds="distance", halo=24, fill=fill)[:] > 0 for fill in (True, False)
    )
    assert filled.all()
    assert not found.all()


def test_labels_within_a_mask_are_no_classes():
    labels = np.kron(np.array([[2, 0], [5, 9]]), np.ones((4, 4), int)).astype(np.uint8)
    volume = Volume.from_array(labels)
    masked = volume.masked(Roi((0, 0), (8, 6)))
    for given in (volume, masked, masked.rechunk((8, 8)), masked.astype("uint16").astype("uint8")):
        assert relabel(given, match="touch").compute().max() == 3


def test_little_of_large_blocks_is_looked_at(monkeypatch):
    read = []

    def reading(source, begin, end):
        read.append(np.prod(np.subtract(end, begin)))
        return np.zeros(np.subtract(end, begin), np.uint8)

    volume = Volume.from_array(np.zeros((600, 500, 400), np.uint8), chunks=(600, 500, 400))
    monkeypatch.setattr(type(volume.source), "read", reading)
    with pytest.raises(ValueError, match="wherever it was looked at"):
        watershed(volume, seeds="distance")
    assert 1 < len(read) < 30
    assert max(read) <= 64**3
