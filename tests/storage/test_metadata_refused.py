"""Axes, sizes and transformations that containers record: understood, or refused; never guessed."""

import pytest

from dask_blockwise.geometry.axes import known_axes
from dask_blockwise.geometry.placement import placement_of
from dask_blockwise.storage.metadata import placement_from


@pytest.mark.parametrize(
    ("names", "axes"),
    [
        ("ZYX", "zyx"),
        (["C", "Y", "x"], "cyx"),
        (["time", "channel", "z", "y", "x"], "tczyx"),
        (["T", "c^", "y", "x"], "tcyx"),
        (["Channels", "y", "x"], "cyx"),
    ],
)
def test_axes_by_other_names_are_understood(names, axes):
    listed = [*names]
    assert known_axes(names) == tuple(axes)
    assert placement_of(names).axes == tuple(axes)
    assert placement_from({}, "", {"axis_names": listed}, len(axes)).axes == tuple(axes)
    image = {"axes": listed, "datasets": [{"path": "s0"}]}
    assert placement_from({"multiscales": [image]}, "s0", {}, len(axes)).axes == tuple(axes)


@pytest.mark.parametrize(
    "names",
    [
        ["s", "y", "x"],
        ["q", "z", "y", "x"],
        ["y", "y", "x"],
        ["Y", "y", "x"],
        ["c", "channel", "y", "x"],
        ["c0^", "c1^", "d0", "d1"],
        ["d0", "d1", "d2", "d3"],
        ["z^", "y", "x"],
        [None, "y", "x"],
        ["", "y", "x"],
        [3, "y", "x"],
        [["z"], "y", "x"],
        ["label", "z", "y", "x"],
        ["t", "c", "z", "z", "y", "x"],
        ["i", "j", "k"],
    ],
    ids=str,
)
def test_unknown_axes_are_refused(names):
    n = len(names)
    image = {"axes": [{"name": name} for name in names], "datasets": [{"path": "s0"}]}
    for act in (
        lambda: placement_of(names),
        lambda: placement_from({}, "", {"axis_names": names}, n),
        lambda: placement_from({}, "", {"_ARRAY_DIMENSIONS": names}, n),
        lambda: placement_from({"multiscales": [image]}, "s0", {}, n),
    ):
        with pytest.raises(ValueError, match=r"out of t .time., c .channel., z, y and x"):
            act()


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ([{"type": "space"}, {"type": "space"}], r"\(None,\) aren't understood"),
        ([{"name": "x", "type": "channel"}, {"name": "y"}], "said to be of the type 'channel'"),
        ([{"name": "t", "type": "space"}, {"name": "y"}], "said to be of the type 'space'"),
        ([{"name": "angle", "type": "angle"}, {"name": "y"}], "'angle',.* aren't understood"),
        ([{"name": "a", "type": "time"}, {"name": "b", "type": "time"}], "'t', 't'"),
        ("yx", "axes should be a list"),
        ([["y"], ["x"]], "An axis should be an object"),
    ],
)
def test_axes_of_ome_zarr_that_are_refused(axes, message):
    image = {"axes": axes, "datasets": [{"path": "s0"}]}
    with pytest.raises(ValueError, match=message):
        placement_from({"multiscales": [image]}, "s0", {}, 2)


def test_a_kind_of_which_there_is_one_names_an_axis():
    listed = [("wavelength", "channel"), ("y", "space"), ("x", None)]
    axes = [{"name": name, "type": kind} for name, kind in listed]
    image = {"axes": axes, "datasets": [{"path": "s0"}]}
    assert placement_from({"multiscales": [image]}, "s0", {}, 3).axes == ("c", "y", "x")


@pytest.mark.parametrize("names", [None, [], [None] * 3, ["dim_0", "dim_1", "dim_2"]])
def test_files_that_name_no_axes_have_the_default(names):
    assert placement_from({}, "", {"axis_names": names}, 3).axes == ("z", "y", "x")


@pytest.mark.parametrize(
    ("attributes", "dimensions", "message"),
    [
        ({"axis_names": ["z", "y", "x"]}, 4, "has 4 dimensions"),
        ({"resolution": [4, 4], "axis_names": ["z", "y", "x"]}, 3, "one number for each"),
        ({"resolution": [1, 2, 3, 4]}, 3, "one number for each"),
        ({"resolution": [4]}, 3, "one number for each"),
        ({"resolution": 4}, 3, "should be a list"),
        ({"resolution": ["4", "4", "4"]}, 3, "should be numbers"),
        ({"resolution": [True, 4, 4]}, 3, "should be numbers"),
        ({"resolution": [float("nan"), 4, 4]}, 3, "finite numbers"),
        ({"resolution": [0, 4, 4]}, 3, "must be positive"),
        ({"offset": [1, 2]}, 3, "its offset"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(attributes, dimensions, message):
    with pytest.raises(ValueError, match=message):
        placement_from({}, "", attributes, dimensions)


def test_the_channels_resolution_is_left_out_where_it_stands():
    attributes = {"resolution": [2, 1, 40, 4, 4], "axis_names": ["t", "c", "z", "y", "x"]}
    assert placement_from({}, "", attributes, 5).voxel_size == (2, 40, 4, 4)


def test_a_unit_of_time_is_none_of_space():
    attributes = {"axis_names": ["t", "y", "x"], "units": ["nm", "nm", "nm"]}
    placement = placement_from({}, "", attributes, 3)
    assert (placement.unit, placement.time_unit) == ("nanometer", "")
    for unit in ("second", ["nm", "nm", "nm"], ["s", "nm"]):
        with pytest.raises(ValueError, match=r"no unit of|one for each"):
            placement_of(("t", "y", "x"), unit=unit)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"type": "affine", "affine": [[0, 1, 0], [1, 0, 0]]}, "neither a scale nor"),
        ({"type": "affine", "affine": [[1, 0], [0, 1]]}, "2 rows of 3 numbers"),
        ({"type": "affine", "affine": [[0, 0, 0], [0, 1, 0]]}, "must be positive"),
        ({"type": "rotation", "rotation": [[1, 0], [0, 1]]}, "'rotation'.* is neither"),
        ({"type": "rotation", "scale": [2, 2]}, "'rotation'.* is neither"),
        ({"type": "displacements", "path": "field"}, "'displacements'.* is neither"),
        (
            {"type": "sequence", "transformations": [{"type": "rotation"}]},
            "'rotation'.* is neither",
        ),
        ({"type": "scale", "path": "numbers"}, "neither a scale nor"),
        ({"type": "scale", "scale": [4]}, "a number for each of 2 axes"),
        ({"type": "scale", "scale": "44"}, "should be a list"),
        ({"type": "scale", "scale": ["4", "4"]}, "should be numbers"),
        ("scale", "should be an object"),
    ],
)
def test_transformations_that_are_refused(step, message):
    level = {"path": "s0", "coordinateTransformations": [step]}
    image = {"axes": ["y", "x"], "datasets": [level]}
    with pytest.raises(ValueError, match=message):
        placement_from({"multiscales": [image]}, "s0", {}, 2)


@pytest.mark.parametrize("systems", [[], [{"name": "other"}], ["world"], "world"])
def test_a_level_of_no_known_system_is_refused(systems):
    level = {"path": "s0", "coordinateTransformations": [{"type": "identity", "output": "world"}]}
    image = {"coordinateSystems": systems, "datasets": [level]}
    with pytest.raises(ValueError, match=r"no coordinate system|should be"):
        placement_from({"ome": {"multiscales": [image]}}, "s0", {}, 2)
