"""Images of OME-Zarr 0.6, worded as its specification and drafts have them."""

import numpy as np
import pytest
import zarr

import dask_blockwise as dbw

VALUES = np.arange(6 * 7 * 8, dtype=np.uint16).reshape(6, 7, 8)
AXES = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
NUMBERS = [{"name": f"dim_{n}", "type": "array", "discrete": True} for n in range(3)]
SCALE = {"type": "scale", "scale": [40, 4.5, 4]}
SHIFT = {"type": "translation", "translation": [0, 8, 1]}
AFFINE = {"type": "affine", "affine": [[40, 0, 0, 0], [0, 4.5, 0, 8], [0, 0, 4, 1]]}
TURN = {"type": "rotation", "rotation": [[0, 1, 0], [1, 0, 0], [0, 0, 1]]}
PLACED = ((40, 4.5, 4), (0, 8, 1), "nanometer")


def system(name, axes=AXES):
    return {"name": name, "axes": axes}


def sequence(*steps):
    return {"type": "sequence", "transformations": list(steps)}


def between(step, begin, end):
    return step | {"input": {"name": begin}, "output": {"name": end}}


def image(path, step, systems=None, more=(), levels=("0",), output=None):
    """Each level by the same step to the first system, unless to another one."""
    systems = systems or [system("physical")]
    group = zarr.create_group(str(path), zarr_format=3)
    datasets = []
    for level in levels:
        group.create_array(level, data=VALUES, chunks=(8, 8, 8), dimension_names="zyx")
        ends = {"input": {"path": level}, "output": output or {"name": systems[0]["name"]}}
        datasets.append({"path": level, "coordinateTransformations": [step | ends]})
    told = {"name": "theirs", "coordinateSystems": systems, "datasets": datasets}
    told |= {"coordinateTransformations": list(more)} if more else {}
    group.attrs["ome"] = {"version": "0.6rc0", "multiscales": [told]}
    return path


def shown(volume):
    place = volume.placement
    return place.written_size, place.written_offset, place.as_written[-1].unit


def by_dimension(axes, inner):
    """Along z, and along y and x."""
    parts = [
        {"transformation": {"type": "scale", "scale": [40]}, **axes(0)},
        {"transformation": sequence(inner(SCALE), inner(SHIFT)), **axes(1, 2)},
    ]
    return {"type": "byDimension", "transformations": parts}


def of_plane(step):
    """The same along y and x alone."""
    return step | {step["type"]: step[step["type"]][1:]}


UNDERSTOOD = {
    "sequence": sequence(SCALE, SHIFT),
    "nested": sequence(sequence(SCALE), {"type": "identity"}, SHIFT),
    "affine": AFFINE,
    "affine with its last row": AFFINE | {"affine": [*AFFINE["affine"], [0, 0, 0, 1]]},
    "axes in their order": sequence(SCALE, {"type": "mapAxis", "mapAxis": [0, 1, 2]}, SHIFT),
    "both ways": {"type": "bijection", "forward": sequence(SCALE, SHIFT), "inverse": TURN},
    "by dimension": by_dimension(
        lambda *axes: {"inputAxes": [*axes], "outputAxes": [*axes]}, of_plane
    ),
    "by dimension, as drafts have it": by_dimension(
        lambda *axes: {"input_axes": [*axes], "output_axes": [*axes]}, of_plane
    ),
}


@pytest.mark.parametrize("kind", UNDERSTOOD)
def test_what_comes_to_scale_and_translation(tmp_path, kind):
    volume = dbw.open_volume(image(tmp_path / "a.zarr", UNDERSTOOD[kind]))
    np.testing.assert_array_equal(volume[:], VALUES)
    assert shown(volume) == PLACED


@pytest.mark.parametrize(
    "output",
    ["physical", {"name": "physical"}, {"name": "physical", "path": None}],
    ids=["name", "object", "null path"],
)
def test_the_system_that_levels_are_brought_to(tmp_path, output):
    """Whatever comes first in the list, and by any draft's way to name it."""
    systems = [system("other", [{"name": "q"}]), system("physical")]
    path = image(tmp_path / "a.zarr", UNDERSTOOD["sequence"], systems, output=output)
    assert shown(dbw.open_volume(path)) == PLACED


REFUSED = {
    "rotation": (TURN, "'rotation'.*neither a scale nor a translation"),
    "turned axes": ({"type": "mapAxis", "mapAxis": [2, 1, 0]}, "exchanges axes"),
    "named axes": ({"type": "mapAxis", "mapAxis": {"z": "x"}}, "mapAxis should be a list"),
    "field": ({"type": "displacements", "path": "field"}, "'displacements'"),
    "coordinates": (sequence(SCALE, {"type": "coordinates", "path": "c"}), "'coordinates'"),
    "fewer axes": ({"type": "projectAxis", "droppedInputs": [0]}, "'projectAxis'"),
    "shear": ({"type": "affine", "affine": [[1, 1, 0, 0], *AFFINE["affine"][1:]]}, "shears"),
    "to other axes": (
        by_dimension(
            lambda *axes: {"inputAxes": [*axes], "outputAxes": [2 - n for n in axes]}, of_plane
        ),
        "exchanges axes",
    ),
    "axes by name": (
        {
            "type": "byDimension",
            "transformations": [SCALE | {"input": ["z", "y", "x"], "output": ["z", "y", "x"]}],
        },
        "or names them",
    ),
    "stored": ({"type": "affine", "path": "nowhere"}, "should lie at"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_turns_is_refused_by_name(tmp_path, kind):
    step, says = REFUSED[kind]
    path = image(tmp_path / "a.zarr", step)
    with pytest.raises(ValueError, match=says):
        dbw.open_volume(path)
    volume = dbw.open_volume(path, axes="zyx", voxel_size=(2, 1, 1), unit="nm")
    assert shown(volume) == ((2, 1, 1), (0, 0, 0), "nanometer")


def test_a_matrix_that_an_array_holds(tmp_path):
    path = image(tmp_path / "a.zarr", {"type": "affine", "path": "matrix"})
    zarr.open_group(str(path)).create_array("matrix", data=np.array(AFFINE["affine"]))
    assert shown(dbw.open_volume(path)) == PLACED


def test_further_systems_are_told_of(tmp_path):
    """The image's own is that for viewing and processing; labels' groups are other images."""
    systems = [system("physical"), system("atlas"), system("same")]
    more = [
        between(TURN, "physical", "atlas"),
        between({"type": "identity"}, "physical", "same"),
        SCALE | {"input": {"name": "physical"}, "output": {"name": "p", "path": "labels/cells"}},
    ]
    path = image(tmp_path / "a.zarr", UNDERSTOOD["sequence"], systems, more)
    with pytest.warns(UserWarning, match=r"tell of rotation to 'atlas', which isn't applied"):
        volume = dbw.open_volume(path)
    assert shown(volume) == PLACED


def test_a_place_in_a_scene_is_told_of(tmp_path):
    """As of tiles that are to be stitched."""
    scene = zarr.create_group(str(tmp_path / "scene.zarr"), zarr_format=3)
    ends = {"input": {"path": "tile_1", "name": "physical"}, "output": {"name": "world"}}
    steps = [SHIFT | ends, SHIFT | ends | {"input": {"path": "tile_0", "name": "physical"}}]
    scene.attrs["ome"] = {"version": "0.6rc0", "scene": {"coordinateTransformations": steps[:1]}}
    for tile in ("tile_0", "tile_1"):
        image(tmp_path / "scene.zarr" / tile, UNDERSTOOD["sequence"])
    assert shown(dbw.open_volume(tmp_path / "scene.zarr/tile_0")) == PLACED
    with pytest.warns(UserWarning, match="tell of translation to 'world', which isn't applied"):
        dbw.open_volume(tmp_path / "scene.zarr/tile_1")
    with pytest.raises(FileNotFoundError, match="Arrays below it: tile_0, tile_1"):
        dbw.open_volume(tmp_path / "scene.zarr")


def test_from_numbers_of_voxels_to_the_only_system_of_units(tmp_path):
    systems = [system("voxels", NUMBERS), system("physical"), system("rows", NUMBERS)]
    more = [
        between(SHIFT, "voxels", "rows"),
        between(sequence(SCALE, SHIFT), "voxels", "physical"),
    ]
    path = image(tmp_path / "a.zarr", {"type": "identity"}, systems, more)
    assert shown(dbw.open_volume(path)) == PLACED
    turned = [between(TURN, "voxels", "physical")]
    path = image(tmp_path / "b.zarr", {"type": "identity"}, systems, turned)
    with pytest.raises(ValueError, match=r"'rotation'.*neither"):
        dbw.open_volume(path)


def test_levels(tmp_path):
    path = image(tmp_path / "a.zarr", SCALE, levels=("0", "a/1"))
    assert [level.path for level in dbw.open_levels(path)] == [f"{path}/0", f"{path}/a/1"]
    assert dbw.open_volume(path, level=1).path == f"{path}/a/1"


def test_levels_are_added(tmp_path, near):
    path = image(tmp_path / "a.zarr", UNDERSTOOD["sequence"])
    assert dbw.pyramid(path, [(1, 2, 2)], progress=False, client=near)
    first, second = dbw.open_levels(path)
    assert shown(first) == PLACED
    assert second.placement.written_size == (40, 9, 8)
    (told,) = zarr.open_group(str(path), mode="r").attrs["ome"]["multiscales"]
    (step,) = told["datasets"][1]["coordinateTransformations"]
    assert (step["input"], step["output"]) == ({"path": "1"}, {"name": "physical"})
    assert step["transformations"] == [
        {"type": "scale", "scale": [40, 9, 8]},
        {"type": "translation", "translation": [0, 10.25, 3]},
    ]
