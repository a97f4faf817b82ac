"""Placements: what containers record, held exactly, and OME-Zarr metadata that validates."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ome_zarr_models.v04.image import ImageAttrs as ImageAttrs04
from ome_zarr_models.v05.image import ImageAttrs as ImageAttrs05

from dask_blockwise.geometry.axes import default_axes
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
        (0.10833333333333334, "micrometer", 325, "1/3 nanometer"),
        (0.5, "parsec", 1, "1/2 parsec"),
        (0.5, "1/3 nanometer", 500, "1/3 picometer"),
        *((2, name, 2, "nanometer") for name in ("nanometers", "Nanometre", "NM", " nm ")),
        *(
            (2, name, 2, "micrometer")
            for name in ("\u00b5m", "\u03bcm", "UM", "MICROMETER", "microns")
        ),
        *(
            (2, name, 2, "angstrom")
            for name in ("\u00c5", "\u212b", "\u00e5ngstr\u00f6m", "angstroms", "A")
        ),
        *((2, name, 2, "megameter") for name in ("Mm", "megameters", "Megametre")),
        *((2, name, 2, "millimeter") for name in ("mm", "MM", "Millimetres")),
        *((2, name, 2, "yard") for name in ("yd", "Yards")),
        (1e-30, "nanometer", 1, "1/1000000000000000 yoctometer"),
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
        (ome("yx", units=["furlong", "furlong"]), "yx", (1, 1), (0, 0), ("furlong", "")),
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
    placement = placement_from(group, "s0", {"resolution": [9] * 2}, len(axes))
    assert replace(placement, written=()) == expected


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
    assert replace(placement_from({}, "", attributes, dimensions), written=()) == expected


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: placement_of(("y", "x"), (4,)), "one number for each"),
        (lambda: placement_of(("c", "y", "x"), (1, 4, 4)), "channels have none"),
        (lambda: placement_of(("y", "x"), (4, 0)), "must be positive"),
        (lambda: placement_of(("y", "x"), unit=("parsec", "nm")), "can't be compared"),
        (lambda: placement_from(ome("zyx"), "s0", {}, 2), "the array has 2 dimensions"),
        (lambda: default_axes(6), "got 6"),
    ],
)
def test_mistakes(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
