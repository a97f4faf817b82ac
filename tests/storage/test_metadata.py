"""Placements: what containers record, held exactly, and OME-Zarr metadata that validates."""

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ome_zarr_models.v04.image import ImageAttrs as ImageAttrs04
from ome_zarr_models.v05.image import ImageAttrs as ImageAttrs05

from dask_blockwise.geometry.axes import default_axes, known_axes
from dask_blockwise.geometry.placement import Placement, placement_of
from dask_blockwise.storage.metadata import (
    ome_attributes,
    placement_from,
)

AXES = [
    ("y", "x"),
    ("z", "y", "x"),
    ("c", "z", "y", "x"),
    ("t", "c", "z", "y", "x"),
    ("t", "y", "x"),
]
UNITS = ["", "nanometer", "micrometer", "millimeter"]
IN_METERS = {"nanometer": 9, "picometer": 12, "femtometer": 15, "micrometer": 6, "millimeter": 3}


def ome(axes, *transforms, units=None, of_image=()):
    """Attributes of a group of one level, "s0"."""
    kinds = {"t": "time", "c": "channel"}
    listed = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    for axis, unit in zip(listed, units or ()):
        axis |= {"unit": unit} if unit else {}
    level = {"path": "s0", "coordinateTransformations": list(transforms)}
    image = {"axes": listed, "datasets": [level], "coordinateTransformations": list(of_image)}
    return {"multiscales": [image]}


def scale(*values):
    return {"type": "scale", "scale": list(values)}


def translation(*values):
    return {"type": "translation", "translation": list(values)}


@st.composite
def placements(draw):
    axes = draw(st.sampled_from(AXES))
    count = sum(axis != "c" for axis in axes)
    size = st.integers(1, 10**20)
    return Placement(
        axes,
        tuple(draw(st.lists(size, min_size=count, max_size=count))),
        tuple(draw(st.lists(st.integers(-(10**20), 10**20), min_size=count, max_size=count))),
        draw(st.sampled_from([*UNITS, "pixel"])),
        draw(st.sampled_from(["", "second", "minute"])) if "t" in axes else "",
    )


@pytest.mark.parametrize("zarr_format", [2, 3])
@given(placement=placements())
def test_placements_come_back_from_ome_zarr(zarr_format, placement):
    attributes = json.loads(json.dumps(ome_attributes(placement, "s0", "raw", zarr_format)))
    assert placement_from(attributes, "s0", {}, len(placement.axes)) == placement


@pytest.mark.filterwarnings("ignore:The unit 'pixel'")
@pytest.mark.parametrize("zarr_format", [2, 3])
@given(placement=placements())
def test_ome_zarr_validates(zarr_format, placement):
    attributes = ome_attributes(placement, "s0", "raw", zarr_format)
    if zarr_format == 2:
        ImageAttrs04.model_validate(attributes)
    else:
        ImageAttrs05.model_validate(attributes["ome"])


decimals = st.decimals("0.001", 10**6, places=3, allow_nan=False)


@given(
    sizes=st.tuples(decimals, decimals),
    begins=st.tuples(decimals, decimals),
    unit=st.sampled_from(UNITS[1:]),
)
def test_fractions_are_held_exactly_in_a_finer_unit(sizes, begins, unit):
    placement = placement_of(("y", "x"), map(float, sizes), map(float, begins), unit)
    finer = Fraction(10) ** (IN_METERS[placement.unit] - IN_METERS[unit])
    assert placement.voxel_size == tuple(Fraction(size) * finer for size in sizes)
    assert placement.offset == tuple(Fraction(begin) * finer for begin in begins)


@pytest.mark.parametrize(
    ("size", "unit", "held", "held_unit"),
    [
        (5.24, "nanometer", 5240, "picometer"),
        (5.24, "nm", 5240, "picometer"),
        (0.5, "micrometer", 500, "nanometer"),
        (0.5, "µm", 500, "nanometer"),
        (2, "um", 2, "micrometer"),
        (40.0, "nanometer", 40, "nanometer"),
        (5.2, "angstrom", 520, "picometer"),
        (3, "angstrom", 3, "angstrom"),
        (0.5, "", 1, ""),
        (0.10833333333333334, "micrometer", 108333333333333340, "yoctometer"),
    ],
)
def test_units(size, unit, held, held_unit):
    placement = placement_of(("y", "x"), (size, size), unit=unit)
    assert (placement.voxel_size, placement.unit) == ((held, held), held_unit)


@pytest.mark.parametrize(
    ("group", "axes", "voxel_size", "offset", "units"),
    [
        (ome("yx", scale(4, 4), translation(8, 0)), "yx", (4, 4), (8, 0), ("", "")),
        (ome("yx", scale(4, 4), of_image=[scale(2, 3)]), "yx", (8, 12), (0, 0), ("", "")),
        (
            ome("yx", scale(4, 4), translation(8, 0), of_image=[scale(2, 2), translation(1, 1)]),
            *("yx", (8, 8), (17, 1), ("", "")),
        ),
        (
            ome("czyx", scale(1, 0.05, 0.005, 0.005), units=["", *["micrometer"] * 3]),
            *("czyx", (50, 5, 5), (0, 0, 0), ("nanometer", "")),
        ),
        (
            ome("zyx", scale(1, 500, 500), units=["micrometer", "nanometer", "nanometer"]),
            *("zyx", (1000, 500, 500), (0, 0, 0), ("nanometer", "")),
        ),
        (
            ome("tyx", scale(0.5, 4, 4), units=["second", "nanometer", "nanometer"]),
            *("tyx", (500, 4, 4), (0, 0, 0), ("nanometer", "millisecond")),
        ),
        (ome("tyx", scale(1, 0.5, 0.5)), "tyx", (1, 1, 1), (0, 0, 0), ("", "")),
        (ome("yx", units=["furlong", "furlong"]), "yx", (1, 1), (0, 0), ("", "")),
        ({"ome": ome("yx", scale(3, 3))}, "yx", (3, 3), (0, 0), ("", "")),
        ({"multiscales": [{"datasets": [{"path": "s0"}]}]}, "yx", (1, 1), (0, 0), ("", "")),
        (
            {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "s0"}]}]},
            *("yx", (1, 1), (0, 0), ("", "")),
        ),
    ],
)
def test_ome_zarr_of_others(group, axes, voxel_size, offset, units):
    expected = Placement(tuple(axes), voxel_size, offset, *units)
    assert placement_from(group, "s0", {"resolution": [9] * 2}, len(axes)) == expected


@pytest.mark.parametrize(
    ("attributes", "dimensions", "axes", "voxel_size", "offset", "unit"),
    [
        ({}, 3, "zyx", (1, 1, 1), (0, 0, 0), ""),
        ({"resolution": [40, 4, 4], "offset": [80, 0, 8]}, 3, "zyx", (40, 4, 4), (80, 0, 8), ""),
        ({"resolution": [40, 4, 4]}, 4, "czyx", (40, 4, 4), (0, 0, 0), ""),
        ({"resolution": [4, 4]}, 3, "cyx", (4, 4), (0, 0), ""),
        ({"resolution": [4, 4], "axis_names": ["t", "y", "x"]}, 3, "tyx", (1, 4, 4), (0, 0, 0), ""),
        (
            {"voxel_size": [4, 4, 4], "units": ["nm"] * 3},
            3,
            "zyx",
            (4, 4, 4),
            (0, 0, 0),
            "nanometer",
        ),
        (
            {"axis_names": ["c^", "z", "y", "x"], "voxel_size": [4.5] * 3, "units": ["nm"] * 3},
            *(4, "czyx", (4500,) * 3, (0, 0, 0), "picometer"),
        ),
        (
            {"axis_names": ["c0^", "d0", "d1"], "resolution": [4, 4]},
            *(3, "cyx", (4, 4), (0, 0), ""),
        ),
        ({"_ARRAY_DIMENSIONS": ["t", "y", "x"]}, 3, "tyx", (1, 1, 1), (0, 0, 0), ""),
    ],
)
def test_attributes_of_funlib_and_dacapo(attributes, dimensions, axes, voxel_size, offset, unit):
    expected = Placement(tuple(axes), voxel_size, offset, unit)
    assert placement_from({}, "", attributes, dimensions) == expected


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: placement_of(("y", "x"), (4,)), "one number for each"),
        (lambda: placement_of(("c", "y", "x"), (1, 4, 4)), "channels have none"),
        (lambda: placement_of(("y", "x"), (4, 0)), "must be positive"),
        (lambda: placement_of(("y", "x"), (0.5, 1), unit="parsec"), "World units are whole"),
        (lambda: placement_from(ome("zyx"), "s0", {}, 2), "the array has 2 dimensions"),
        (lambda: default_axes(6), "got 6"),
    ],
)
def test_mistakes(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


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
        ({"type": "affine", "affine": [[1, 0, 0], [0, 1, 0]]}, "neither a scale nor"),
        ({"type": "scale", "path": "numbers"}, "neither a scale nor"),
        ({"type": "scale", "scale": [4]}, "a number for each of 2 axes"),
        ({"type": "scale", "scale": "44"}, "should be a list"),
        ({"type": "scale", "scale": ["4", "4"]}, "should be numbers"),
        ("scale", "should be an object"),
    ],
)
def test_transformations_that_are_refused(step, message):
    with pytest.raises(ValueError, match=message):
        placement_from(ome("yx", step), "s0", {}, 2)


def test_a_newer_version_is_refused():
    image = {"coordinateSystems": [], "datasets": [{"path": "s0"}]}
    with pytest.raises(ValueError, match=r"read up to version 0.5"):
        placement_from({"ome": {"multiscales": [image]}}, "s0", {}, 2)
