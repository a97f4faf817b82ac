"""What is given of a rule is heeded, or refused before anything runs."""

import numpy as np
import pytest
from objects import assert_same_up_to_names, labels_of

from dask_blockwise import Volume, connected_components, relabel, segment
from dask_blockwise.relabelling.match_rule import ByTouch, MatchRule

LABELS = Volume.from_array(np.eye(8, dtype=np.uint32), chunks=(4, 4))


def pieces():
    return segment(LABELS, np.asarray, halo=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"match": "touch", "min_iou": 0.7}, 'match="touch" takes .*got min_iou=0.7, which would'),
        ({"match": "touch", "min_fraction": 0.7}, 'match="touch" takes .*got min_fraction=0.7'),
        ({"match": "fraction", "min_iou": 0.7}, 'match="fraction" takes .*got min_iou=0.7'),
        ({"match": "iou", "min_fraction": 0.7}, 'match="iou" takes .*got min_fraction=0.7'),
        ({"min_iou": 0.3, "min_fraction": 0.7}, 'match="iou" takes .*got min_fraction=0.7'),
        ({"match": MatchRule(ByTouch()), "min_size": 9}, "decides by itself, got min_size=9"),
        ({"match": MatchRule(ByTouch()), "connectivity": 2}, "by itself, got connectivity=2"),
    ],
)
def test_an_option_that_would_decide_nothing_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        relabel(pieces(), **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"match": 0}, "match must be one of .* got 0"),
        ({"match": ""}, "match must be one of .* got ''"),
        ({"match": ["iou"]}, r"match must be one of .* got \['iou'\]"),
        ({"min_iou": "0.5"}, r"min_iou must be in \(0, 1\], got '0.5'"),
        ({"min_fraction": (0.5,)}, r"min_fraction must be in \(0, 1\]"),
        ({"connectivity": "1"}, "connectivity must be in 1..2, got '1'"),
        ({"connectivity": 1.5}, "connectivity must be in 1..2, got 1.5"),
    ],
)
def test_what_is_no_such_number_or_name_is_refused_in_words(given, message):
    with pytest.raises(ValueError, match=message):
        relabel(pieces(), **given)


def test_numbers_of_numpy_are_numbers():
    made = relabel(pieces(), min_iou=np.float32(0.5), connectivity=np.int8(2), min_size=np.uint8(2))
    assert made.data.compute(scheduler="synchronous").max() == 1


@pytest.mark.parametrize("connectivity", [1, 2])
@pytest.mark.parametrize("each_value", [False, True])
def test_components_in_another_type_are_still_known_as_such(connectivity, each_value):
    """Their connectivity, and that values are kept apart, holds across blocks too."""
    values = np.random.default_rng(0).integers(0, 3, (12, 13)).astype(np.uint8)
    parts = connected_components(
        Volume.from_array(values, chunks=(4, 5)), connectivity=connectivity, each_value=each_value
    )
    found = relabel(parts.astype("uint32")).data.compute(scheduler="synchronous")
    truth = labels_of(values > 0, connectivity)
    if each_value:
        one, two = (labels_of(values == value, connectivity) for value in (1, 2))
        truth = np.where(two > 0, two + one.max(), one)
    assert_same_up_to_names(found, truth)
    with pytest.raises(ValueError, match=f"components of connectivity {connectivity}"):
        relabel(parts.astype("uint32"), connectivity=3 - connectivity)
