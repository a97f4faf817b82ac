"""Properties of segments: what the format allows, and no number that JSON doesn't know."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame

from dask_blockwise.labels.segment_properties import segment_properties

KINDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32")


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_numbers_are_of_the_narrowest_type_that_holds_them(numbers):
    table = DataFrame({"id": range(1, len(numbers) + 1), "a": np.array(numbers, np.int64)})
    (told,) = json.loads(json.dumps(segment_properties(table)))["inline"]["properties"]
    assert (told["type"], told["data_type"] in KINDS) == ("number", True)
    if told["data_type"] == "float32":
        assert told["values"] == np.array(numbers, np.float64).astype(np.float32).tolist()
        assert max(numbers) > 2**31 - 1 or min(numbers) < -(2**31)
        return
    assert np.array(told["values"]).astype(told["data_type"]).tolist() == numbers
    narrower = KINDS[: KINDS.index(told["data_type"])]
    assert not any(
        np.iinfo(k).min <= min(numbers) <= max(numbers) <= np.iinfo(k).max for k in narrower
    )


def test_texts_and_large_ids():
    table = DataFrame(
        {"id": np.array([2**64 - 1, 3], np.uint64), "label": ["a", "b"], "kind": ["x", "y"]}
    )
    told = segment_properties(table)["inline"]
    assert told["ids"] == ["18446744073709551615", "3"]
    assert [(each["id"], each["type"]) for each in told["properties"]] == [
        ("label", "label"),
        ("kind", "string"),
    ]


REFUSED = {
    "no id": ({"a": [1]}, "column 'id'"),
    "twice": ({"id": [1, 1]}, "each once"),
    "negative": ({"id": [-1]}, "from 0 on"),
    "floats": ({"id": [1.5]}, "whole numbers"),
    "time": ({"id": [1], "t": [0]}, "time point"),
    "not a number": ({"id": [1], "a": [np.nan]}, "no finite numbers"),
    "neither": ({"id": [1], "a": [None]}, "drop it"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_the_format_does_not_know_is_refused(kind):
    columns, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message):
        segment_properties(DataFrame(columns))
