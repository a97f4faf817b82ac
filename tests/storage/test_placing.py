"""Images and arrays as others write them lie where they say, or where a person says."""

import numpy as np
import pytest
import tensorstore as ts
import zarr

import dask_blockwise as dbw

VALUES = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4)
SCALE = {"type": "scale", "scale": [40, 4.5, 4]}
SHIFT = {"type": "translation", "translation": [0, 8, 1]}
AXES = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]


def group_of(path, zarr_format, attributes, level="0", values=VALUES):
    group = zarr.create_group(str(path), zarr_format=zarr_format)
    group.create_array(level, data=values)
    group.attrs.update(attributes)
    return group


def level(path="0", steps=(SCALE, SHIFT), **others):
    return {"path": path, "coordinateTransformations": list(steps)} | others


def shown(volume):
    place = volume.placement
    return place.written_size, place.written_offset, place.as_written[-1].unit


PLACED = ((40, 4.5, 4), (0, 8, 1), "nanometer")


@pytest.mark.parametrize(
    ("version", "zarr_format", "image", "expected"),
    [
        ("0.1", 2, {"datasets": [{"path": "0"}]}, ((1, 1, 1), (0, 0, 0), "")),
        ("0.2", 2, {"datasets": [{"path": "0"}]}, ((1, 1, 1), (0, 0, 0), "")),
        ("0.3", 2, {"axes": ["z", "y", "x"], "datasets": [{"path": "0"}]}, None),
        ("0.4", 2, {"axes": AXES, "datasets": [level()]}, PLACED),
        ("0.5", 3, {"axes": AXES, "datasets": [level()]}, PLACED),
    ],
)
def test_versions_of_ome_zarr(tmp_path, version, zarr_format, image, expected):
    images = {"multiscales": [image]}
    ome = {"ome": {"version": version, **images}} if version == "0.5" else images
    image["version"] = version
    group_of(tmp_path / "a.zarr", zarr_format, ome)
    volume = dbw.open_volume(tmp_path / "a.zarr")
    np.testing.assert_array_equal(volume[:], VALUES)
    assert shown(volume) == (expected or ((1, 1, 1), (0, 0, 0), ""))


@pytest.mark.parametrize("written", ["0", "./0", "0/", "a/b/c/0", "./a/b//c/0/"])
def test_paths_of_levels(tmp_path, written):
    path = "0" if len(written) < 4 else "a/b/c/0"
    image = {"axes": AXES, "datasets": [level(written)]}
    group_of(tmp_path / "a.zarr", 3, {"ome": {"version": "0.5", "multiscales": [image]}}, path)
    for opened in (tmp_path / "a.zarr", tmp_path / "a.zarr" / path):
        assert shown(dbw.open_volume(opened)) == PLACED


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_numbers_that_an_array_holds(tmp_path, zarr_format):
    steps = [{"type": "scale", "path": "sizes"}, {"type": "translation", "path": "./begins"}]
    images = {"multiscales": [{"axes": AXES, "datasets": [level(steps=steps)]}]}
    group = group_of(
        tmp_path / "a.zarr", zarr_format, {"ome": images} if zarr_format == 3 else images
    )
    with pytest.raises(ValueError, match="should lie at"):
        dbw.open_volume(tmp_path / "a.zarr")
    group.create_array("sizes", data=np.array([40, 4.5, 4]))
    group.create_array("begins", data=np.array([[0], [8], [1]]))
    with pytest.raises(ValueError, match="should be a list of numbers"):
        dbw.open_volume(tmp_path / "a.zarr")
    group.create_array("begins", data=np.array([0, 8, 1]), overwrite=True)
    assert shown(dbw.open_volume(tmp_path / "a.zarr")) == PLACED
    steps[0]["path"] = "../sizes"
    group.attrs.update({"ome": images} if zarr_format == 3 else images)
    with pytest.raises(ValueError, match="within the same folder"):
        dbw.open_volume(tmp_path / "a.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_transform_of_open_organelle_in_zarr(tmp_path, zarr_format):
    transform = {"axes": ["z", "y", "x"], "scale": [5.24, 4, 4], "translate": [0, 8, 1]}
    array = zarr.create_array(str(tmp_path / "s0.zarr"), data=VALUES, zarr_format=zarr_format)
    array.attrs["transform"] = transform | {"units": ["nm"] * 3}
    assert shown(dbw.open_volume(tmp_path / "s0.zarr")) == ((5.24, 4, 4), (0, 8, 1), "nanometer")


def test_axes_by_type(tmp_path):
    """As iohub and others name them."""
    values = np.zeros((1, 2, 2, 3, 4), np.uint8)
    named = [("T", "time"), ("channel", "channel"), *((axis, "space") for axis in "ZYX")]
    axes = [{"name": name, "type": kind} for name, kind in named]
    steps = [{"type": "scale", "scale": [1, 1, 2, 0.5, 0.5]}]
    image = {"axes": axes, "datasets": [level(steps=steps)]}
    ome = {"ome": {"version": "0.5", "multiscales": [image]}}
    group_of(tmp_path / "a.zarr", 3, ome, values=values)
    volume = dbw.open_volume(tmp_path / "a.zarr")
    assert volume.axes == ("t", "c", "z", "y", "x")
    assert volume.placement.written_size == (1, 2, 0.5, 0.5)


def test_unknown_axes_are_named_by_hand(tmp_path):
    axes = [{"name": name, "type": "space", "unit": "um"} for name in ("depth", "row", "column")]
    image = {"axes": axes, "datasets": [level()]}
    group_of(tmp_path / "a.zarr", 3, {"ome": {"version": "0.5", "multiscales": [image]}})
    with pytest.raises(ValueError, match=r"'depth'.*open_volume\(path, axes="):
        dbw.open_volume(tmp_path / "a.zarr")
    volume = dbw.open_volume(tmp_path / "a.zarr", axes="zyx")
    assert shown(volume) == ((40, 4.5, 4), (0, 8, 1), "micrometer")
    volume = dbw.open_volume(tmp_path / "a.zarr", axes="zyx", voxel_size=(2, 1, 1), unit="nm")
    assert shown(volume) == ((2, 1, 1), (0, 8, 1), "nanometer")
    with pytest.raises(ValueError, match=r"names .* were given"):
        dbw.open_volume(tmp_path / "a.zarr", axes="yx")


def test_a_place_that_is_not_understood_may_be_given(tmp_path):
    image = {"axes": AXES, "datasets": [level(steps=[{"type": "rotation"}])]}
    group_of(tmp_path / "a.zarr", 3, {"ome": {"version": "0.5", "multiscales": [image]}})
    with pytest.raises(ValueError, match="'rotation'"):
        dbw.open_volume(tmp_path / "a.zarr", axes="zyx")
    volume = dbw.open_volume(tmp_path / "a.zarr", axes="zyx", voxel_size=(2, 0.5, 0.5), unit="nm")
    assert shown(volume) == ((2, 0.5, 0.5), (0, 0, 0), "nanometer")
    with pytest.raises(ValueError, match="3 dimensions"):
        dbw.open_volume(tmp_path / "a.zarr", axes="yx", voxel_size=(1, 1))


def test_an_array_without_metadata_is_placed_by_hand(tmp_path):
    zarr.save_array(str(tmp_path / "a.zarr"), VALUES)
    volume = dbw.open_volume(tmp_path / "a.zarr", axes="cyx", voxel_size=(0.5, 0.25), unit="µm")
    assert (volume.axes, shown(volume)) == (("c", "y", "x"), ((0.5, 0.25), (0, 0), "micrometer"))
    np.testing.assert_array_equal(volume[:], VALUES)
    volume = dbw.open_volume(tmp_path / "a.zarr", axes="cyx", offset=(-1, 2.5))
    assert shown(volume)[:2] == ((1, 1), (-1, 2.5))


@pytest.mark.parametrize(
    ("labels", "units", "expected"),
    [
        ("zyx", ["40nm", "4.5nm", "4nm"], ((40, 4.5, 4), (0, 0, 0), "nanometer")),
        ("zyx", ["0.5 um"] * 3, ((0.5, 0.5, 0.5), (0, 0, 0), "micrometer")),
        ("cyx", [None, "4nm", "4nm"], ((4, 4), (0, 0), "nanometer")),
    ],
)
def test_units_of_dimensions_by_tensorstore(tmp_path, labels, units, expected):
    spec = {"driver": "zarr3", "kvstore": f"file://{tmp_path}/a.zarr/"}
    domain = ts.IndexDomain(shape=VALUES.shape, labels=list(labels))
    how = {"dtype": "uint16", "domain": domain, "dimension_units": units}
    ts.open(spec, create=True, **how).result()[...] = VALUES
    volume = dbw.open_volume(tmp_path / "a.zarr")
    np.testing.assert_array_equal(volume[:], VALUES)
    assert shown(volume) == expected


def test_units_of_dimensions_that_are_none(tmp_path):
    attributes = {"dimension_units": ["4 nm", ["4"], "4 nm"]}
    zarr.create_array(str(tmp_path / "a.zarr"), data=VALUES, attributes=attributes)
    with pytest.raises(ValueError, match="dimension_units should be such as '40 nm'"):
        dbw.open_volume(tmp_path / "a.zarr")
    volume = dbw.open_volume(tmp_path / "a.zarr", axes="zyx", voxel_size=(2, 1, 1), unit="nm")
    assert shown(volume) == ((2, 1, 1), (0, 0, 0), "nanometer")


@pytest.mark.parametrize(
    "attributes",
    [
        {"pixelResolution": {"dimensions": [4, 4, 40], "unit": "nm"}},
        {"voxelSize": [4, 4, 40]},
        {"spacing": [40, 4, 4]},
        {"spatial:transform": [4, 0, 0, 0, 4, 0]},
        {"transform": [[4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 40, 0]]},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_sizes_of_no_known_kind_are_named(tmp_path, zarr_format, attributes):
    path = tmp_path / "a.zarr"
    zarr.create_array(str(path), data=VALUES, attributes=attributes, zarr_format=zarr_format)
    with pytest.warns(UserWarning, match=f"taken as 1, .*{next(iter(attributes))}, which isn't"):
        assert shown(dbw.open_volume(path))[0] == (1, 1, 1)
    dbw.open_volume(path, voxel_size=(40, 4, 4), unit="nm")
    zarr.open_array(str(path)).attrs["resolution"] = [1, 1, 1]
    dbw.open_volume(path)
