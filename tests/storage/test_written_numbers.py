"""The numbers and units that came in go out, through whatever is made of a volume."""

import json

import numpy as np
import pandas as pd
import pytest
import tensorstore as ts
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from ome_zarr_models.v05.image import ImageAttrs

import dask_blockwise as dbw
from dask_blockwise import Volume
from dask_blockwise.geometry.placement import Placement
from dask_blockwise.storage.arrays import create_image, open_array, read_placement

RAW = np.arange(12 * 8 * 8, dtype=np.uint8).reshape(12, 8, 8)


def stored(path, scale, offset, units, axes="zyx"):
    """An image as others write it."""
    group = zarr.create_group(str(path))
    group.create_array("0", data=RAW, chunks=(4, 4, 4))
    steps = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": offset}]
    listed = [
        {"name": axis, "type": "space"} | ({"unit": unit} if unit else {})
        for axis, unit in zip(axes, units)
    ]
    level = {"path": "0", "coordinateTransformations": steps}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": listed, "datasets": [level]}]}
    return dbw.open_volume(path)


def ome_of(path):
    """Scale, offset and units as napari and neuroglancer read them."""
    ome = dict(zarr.open_group(str(path), mode="r").attrs)["ome"]
    ImageAttrs.model_validate(ome)
    (image,) = ome["multiscales"]
    scale, translation = image["datasets"][0]["coordinateTransformations"]
    units = [axis.get("unit") for axis in image["axes"]]
    return scale["scale"], translation["translation"], units


CASES = [
    ([0.5, 0.25, 0.25], [1.5, 0, -2.25], ["micrometer"] * 3),
    ([0.10833333333333334] * 3, [0.0] * 3, ["micrometer"] * 3),
    ([0.10000000149011612] * 3, [0.3, 0.1, 7.0], ["micrometer"] * 3),
    ([0.5, 0.25, 0.25], [0.5, 0, 1], [None] * 3),
    ([1, 108.5, 108.5], [0, 2.5, 3], ["micrometer", "nanometer", "nanometer"]),
    ([4, 4, 4], [8, 0, 4], ["nanometer"] * 3),
    ([3.3, 3.7, 3.1], [0, 0, 0], ["angstrom"] * 3),
]


# As tools compute and round them: narrow floats, decimals, quotients, and whole numbers.
SIZES = st.one_of(
    st.floats(2**-20, 2**20, width=32),
    st.floats(1e-12, 1e12),
    st.decimals("0.001", "9999", places=3).map(float),
    st.fractions("1/1000", 1000, max_denominator=1000).map(float),
    st.integers(1, 10**6),
).filter(lambda number: number > 0)
BEGINS = st.one_of(
    st.floats(-(2**14), 2**14, width=32), st.floats(-1e5, 1e5), st.integers(-(10**6), 10**6)
).map(lambda number: number + 0)  # no negative 0
LENGTHS = {"nanometer": 1e-9, "micrometer": 1e-6, "angstrom": 1e-10, "meter": 1.0, "inch": 0.0254}


@given(
    scale=st.lists(SIZES, min_size=3, max_size=3),
    offset=st.lists(BEGINS, min_size=3, max_size=3),
    unit=st.sampled_from([*LENGTHS, "parsec", "pixel", None]),
    zarr_format=st.sampled_from([2, 3]),
)
@settings(max_examples=40)
def test_any_numbers_that_came_in_go_out(tmp_path_factory, scale, offset, unit, zarr_format):
    """Read by zarr, digit by digit; and by its own whole numbers they lie where they did."""
    folder = tmp_path_factory.mktemp("any")
    raw = stored(folder / "raw.zarr", scale, offset, [unit] * 3)
    made = dbw.create_volume(folder / "out.zarr", like=raw, zarr_format=zarr_format)
    attributes = zarr.open_group(str(folder / "out.zarr"), mode="r").attrs.asdict()
    (image,) = attributes.get("ome", attributes)["multiscales"]
    steps = image["datasets"][0]["coordinateTransformations"]
    assert [steps[0]["scale"], steps[1]["translation"]] == [scale, offset]
    assert {axis.get("unit") for axis in image["axes"]} == {unit}
    assert made.placement == raw.placement


@given(
    scale=st.lists(SIZES, min_size=3, max_size=3),
    begins=st.lists(st.integers(-50, 50), min_size=3, max_size=3),
    unit=st.sampled_from(list(LENGTHS)),
)
@settings(max_examples=10)
def test_any_voxel_size_goes_to_nanometers(tmp_path_factory, near, scale, begins, unit):
    """Read by TensorStore."""
    folder = tmp_path_factory.mktemp("nanometers")
    whole = Volume.from_array(RAW[:2, :2, :2], scale, unit=unit)
    offset = [begin * size for begin, size in zip(begins, whole.voxel_size)]
    raw = Volume.from_array(RAW[:2, :2, :2], whole.voxel_size, offset, unit=whole.unit)
    raw.to_precomputed(folder / "raw", client=near, progress=False, pyramid=False)
    spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{folder}/raw/"}
    read = ts.open(spec, open=True).result()
    sizes = [unit.multiplier for unit in read.dimension_units[:3]]
    expected = [size * LENGTHS[unit] / 1e-9 for size in scale[::-1]]
    np.testing.assert_allclose(sizes, expected, rtol=1e-7)
    assert read.domain.origin[:3] == tuple(begins[::-1])
    np.testing.assert_array_equal(read[..., 0].read().result().T, RAW[:2, :2, :2])


@pytest.mark.parametrize(("scale", "offset", "units"), CASES)
def test_numbers_that_came_in_go_out(client, tmp_path, scale, offset, units):
    raw = stored(tmp_path / "raw.zarr", scale, offset, units)
    (raw > 3).to_zarr(tmp_path / "out.zarr/all", progress=False)
    assert ome_of(tmp_path / "out.zarr/all") == (scale, offset, units)
    assert dbw.open_volume(tmp_path / "out.zarr/all").placement == raw.placement


@pytest.mark.parametrize(("scale", "offset", "units"), CASES)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_parts_and_levels_lie_where_they_were(tmp_path, scale, offset, units, zarr_format):
    raw = stored(tmp_path / "raw.zarr", scale, offset, units)
    made = raw.isel(z=slice(2, 10), y=slice(1, 8)).downsample((2, 1, 3)).transpose("x", "z", "y")
    path = tmp_path / "out.zarr/part"
    create_image(
        path, made.placement, made.shape, "uint8", chunks=(4, 4, 4), zarr_format=zarr_format
    )
    again = dbw.open_volume(path)
    assert again.roi == made.roi
    assert again.voxel_size == made.voxel_size
    sizes, begins = np.array(scale), np.array(offset)
    np.testing.assert_allclose(again.placement.written_size, (sizes * (2, 1, 3))[[2, 0, 1]])
    np.testing.assert_allclose(
        again.placement.written_offset, (begins + sizes * (2, 1, 0))[[2, 0, 1]], atol=1e-12
    )
    written = [axis.unit or None for axis in again.placement.as_written]
    assert written == [units[n] for n in (2, 0, 1)]


def test_what_was_moved_since_lies_where_it_says(client, tmp_path):
    raw = stored(tmp_path / "raw.zarr", *CASES[0])
    raw.to_zarr(tmp_path / "out.zarr/raw", progress=False)
    document = tmp_path / "out.zarr/raw/zarr.json"
    text = json.loads(document.read_text())
    level = text["attributes"]["ome"]["multiscales"][0]["datasets"][0]
    level["coordinateTransformations"][0]["scale"] = [2, 2, 2]
    document.write_text(json.dumps(text))
    assert dbw.open_volume(tmp_path / "out.zarr/raw").placement.written_size == (2, 2, 2)


def test_a_world_that_makes_no_sense_is_left_alone(tmp_path):
    place = dbw.Volume.from_array(RAW, voxel_size=(0.5,) * 3, unit="um").placement
    create_image(tmp_path / "a.zarr", place, RAW.shape, "uint8", chunks=(4, 4, 4))
    document = tmp_path / "a.zarr/s0/zarr.json"
    text = document.read_text()
    world = json.loads(text)["attributes"]["dask_blockwise"]["world"]
    for key in ("voxel_size", "offset"):
        for wrong in (None, [1, 2], ["1", "2", "3"], [0.5] * 3, {}):
            changed = json.loads(text)
            changed["attributes"]["dask_blockwise"]["world"] = world | {key: wrong}
            document.write_text(json.dumps(changed))
            assert read_placement(open_array(tmp_path / "a.zarr")) == place


def test_a_new_volume_is_written_as_what_it_is_like(tmp_path):
    raw = stored(tmp_path / "raw.zarr", *CASES[0])
    dbw.create_volume(tmp_path / "new.zarr", like=raw, dtype="uint16")
    assert ome_of(tmp_path / "new.zarr") == CASES[0]


def test_whole_numbers_are_written_without_more(tmp_path):
    place = Placement(("z", "y", "x"), (4, 4, 4), (0, 0, 0), "nanometer")
    create_image(tmp_path / "a.zarr", place, RAW.shape, "uint8", chunks=(4, 4, 4))
    assert "dask_blockwise" not in zarr.open_array(str(tmp_path / "a.zarr/s0"), mode="r").attrs


@pytest.mark.parametrize(
    ("units", "size", "unit"), [(["micrometer"] * 3, 0.5, "micrometer"), ([None] * 3, 0.5, "")]
)
def test_tables_have_the_numbers_that_came_in(client, tmp_path, units, size, unit):
    raw = stored(tmp_path / "raw.zarr", [size] * 3, [1.5, 0, 0], units)
    labels = (raw >= 0).astype("uint32")
    labels.to_zarr(tmp_path / "labels.zarr", progress=False)
    table = dbw.open_volume(tmp_path / "labels.zarr").objects(path=str(tmp_path / "cells"))
    table = pd.read_parquet(tmp_path / "cells.parquet")
    assert table[["begin_z", "end_z", "centroid_z"]].values.tolist() == [[1.5, 7.5, 4.5]]
    assert table["volume"].tolist() == [RAW.size * size**3]
    assert table["unit"].tolist() == [unit]
