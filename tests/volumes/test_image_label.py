"""Colours and properties of labels, as other tools' models of OME-Zarr take them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import zarr
from ome_zarr_models.v04.image_label import ImageLabel as ImageLabel04
from ome_zarr_models.v05.image_label import ImageLabel as ImageLabel05

import dask_blockwise as dbw
from dask_blockwise.volumes.volume import Volume

MODELS = {2: ImageLabel04, 3: ImageLabel05}
LABELS = np.repeat(np.array([[0, 1], [2, 7]], np.uint32), 4, axis=0)


@pytest.fixture(params=[2, 3], ids=["zarr2", "zarr3"])
def version(request):
    return request.param


@pytest.fixture
def path(version, tmp_path, near):
    made = tmp_path / "image.zarr/labels/cells"
    volume = Volume.from_array(LABELS, voxel_size=(0.5, 0.25), unit="um", chunks=(4, 2))
    volume.to_zarr(made, client=near, progress=False, zarr_format=version, pyramid=1)
    return made


def told(path, version):
    """What another tool reads of an image's labels, after it has found it to be valid."""
    group = zarr.open_group(str(path), mode="r")
    MODELS[version].from_zarr(group)
    attributes = group.attrs.asdict()
    return attributes.get("ome", attributes)["image-label"]


def test_colors_and_a_table_of_objects(path, version, near):
    table = dbw.open_volume(path).objects(client=near, progress=False)
    colors = {7: (0, 255, 0, 9), 1: "#ff8000", None: "#808080"}
    dbw.image_label(path, colors=colors, properties=table)
    found = told(path, version)
    assert found["version"] == {2: "0.4", 3: "0.5"}[version]
    assert found["source"] == {"image": "../../"}
    assert [(entry["label-value"], entry["rgba"]) for entry in found["colors"]] == [
        (1, [255, 128, 0, 255]),
        (2, [128, 128, 128, 255]),
        (7, [0, 255, 0, 9]),
    ]
    rows = pd.DataFrame(found["properties"]).rename(columns={"label-value": "id"})
    pd.testing.assert_frame_equal(rows, table, check_dtype=False)


def test_each_is_kept_when_the_other_is_given_and_removed_when_empty(path, version):
    dbw.image_label(path, properties={2: {"kind": "axon", "size": np.float32(4.5)}})
    dbw.image_label(path, colors={7: "#00ff0080", 2: "#0000ff"})
    found = told(path, version)
    assert found["properties"] == [
        {"label-value": 2, "kind": "axon", "size": 4.5},
        {"label-value": 7},
    ]
    dbw.image_label(path, colors={})
    assert "colors" not in told(path, version)
    dbw.image_label(path, properties={})
    assert told(path, version).keys() == {"version", "source"}


def test_the_image_holds_as_before(path, version, near):
    dbw.image_label(path, colors={1: "#ff8000"})
    volume = Volume.from_array(LABELS, voxel_size=(0.5, 0.25), unit="um", chunks=(4, 2))
    again = volume.to_zarr(path, client=near, progress=False)
    assert sum(task.completed for task in again.tasks) == 0
    assert told(path, version)["colors"][0]["rgba"] == [255, 128, 0, 255]
    assert np.array_equal(dbw.open_volume(path)[:], LABELS)


def test_what_another_tool_said_is_kept_and_metadata_above_are_renewed(path, version):
    group = zarr.open_group(str(path), mode="r+")
    attributes = group.attrs.asdict()
    attributes.get("ome", attributes)["image-label"]["theirs"] = 1
    group.attrs.update(attributes)
    if version == 2:
        zarr.consolidate_metadata(str(path.parents[1]), zarr_format=2)
    dbw.image_label(path, colors={1: "#ff8000"})
    assert told(path, version)["theirs"] == 1
    if version == 2:
        known = json.loads((path.parents[1] / ".zmetadata").read_text())["metadata"]
        assert known["labels/cells/.zattrs"]["image-label"]["colors"]


def test_what_is_missing_or_no_number_is_left_out(path, version):
    table = pd.DataFrame({"id": [1, 2], "mean": [np.nan, 2.0], "name": ["a", None]})
    dbw.image_label(path, properties=table)
    assert told(path, version)["properties"] == [
        {"label-value": 1, "name": "a"},
        {"label-value": 2, "mean": 2.0},
    ]


WRONG = {
    "color": ({"colors": {1: "red"}}, ValueError, "A colour is '#rrggbb'"),
    "byte": ({"colors": {1: (0, 0, 256)}}, ValueError, "from 0 to 255"),
    "number": ({"colors": {1: 5}}, ValueError, "got 5"),
    "list": ({"colors": ["#ff0000"]}, TypeError, "colour for each label"),
    "label": ({"colors": {"1": "#ff0000"}}, TypeError, "whole number, got '1'"),
    "beyond": ({"colors": {2**32: "#ff0000"}}, ValueError, "can't hold the label 4294967296"),
    "negative": ({"properties": {-1: {}}}, ValueError, "can't hold the label -1"),
    "lacking": (
        {"colors": {1: "#ff0000"}, "properties": {2: {"a": 1}, 3: {}}},
        ValueError,
        "properties 2, 3 have no colour",
    ),
    "others": ({"colors": {None: "#ff0000"}}, ValueError, "one for None"),
    "no-table": ({"properties": "ids.csv"}, TypeError, "DataFrame"),
    "no-row": ({"properties": {1: "axon"}}, TypeError, "names and values for each label"),
    "no-json": ({"properties": {1: {"a": {1, 2}}}}, ValueError, "JSON can't hold"),
    "no-ids": ({"properties": pd.DataFrame({"a": [1]})}, ValueError, "a column 'id'"),
}


@pytest.mark.parametrize(("given", "error", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_refused_and_nothing_written(path, version, given, error, says):
    before = told(path, version)
    with pytest.raises(error, match=says):
        dbw.image_label(path, **given)
    assert told(path, version) == before


def test_what_is_no_label_image_is_refused(path, tmp_path, near):
    with pytest.raises(ValueError, match=r"no image of OME-Zarr"):
        dbw.image_label(path / "s0", colors={})
    with pytest.raises(FileNotFoundError, match="No array at"):
        dbw.image_label(tmp_path / "none.zarr", colors={})
    raw = Volume.from_array(np.ones((4, 4), np.float32))
    raw.to_zarr(tmp_path / "raw.zarr/raw", client=near, progress=False)
    with pytest.raises(ValueError, match="labels are whole numbers"):
        dbw.image_label(tmp_path / "raw.zarr/raw", colors={})
