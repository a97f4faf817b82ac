"""Levels of images: as the whole in memory gives them, and where their metadata lay them."""

from __future__ import annotations

import json
import shutil
from math import ceil

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from ome_zarr_models.v04.image import Image as Image04
from ome_zarr_models.v05.image import Image as Image05

import dask_blockwise as dbw
from dask_blockwise.geometry.placement import placement_of
from dask_blockwise.storage.claims import Claim
from dask_blockwise.volumes.cells import coarsened
from dask_blockwise.volumes.frame import Frame

RNG = np.random.default_rng(0)
RAW = RNG.integers(0, 256, (21, 30, 26)).astype(np.uint8)
LABELS = RNG.integers(0, 5, (20, 30, 26)).astype(np.uint64) * (RNG.random((20, 30, 26)) > 0.4)


def volume(values, chunks=8, **place):
    axes = place.pop("axes", "zyx"[-values.ndim :])
    cut = tuple(
        n if axis == "c" else 1 if axis == "t" else chunks for axis, n in zip(axes, values.shape)
    )
    return dbw.Volume.from_array(values, axes=tuple(axes), chunks=cut, **place)


def metadata(path):
    group = zarr.open_group(str(path), mode="r")
    attributes = dict(group.attrs)
    (image,) = attributes.get("ome", attributes)["multiscales"]
    return image


def levels(path):
    return [dataset["path"] for dataset in metadata(path)["datasets"]]


def computed(summary):
    return {task.name: task.completed for task in summary.tasks}


def test_levels_are_means_of_the_level_before(near, tmp_path):
    path = tmp_path / "a.zarr/raw"
    summary = volume(RAW, voxel_size=(4, 4, 4)).to_zarr(
        path, pyramid=True, progress=False, client=near
    )
    assert levels(path) == ["s0", "s1", "s2"]
    assert summary
    expected = RAW
    for name in levels(path):
        # Read by zarr itself.
        np.testing.assert_array_equal(zarr.open_array(str(path / name), mode="r")[:], expected)
        expected = coarsened(expected, (2, 2, 2), "mean")
    np.testing.assert_array_equal(dbw.open_volume(path)[:], RAW)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_each_level_tells_where_it_lies(near, tmp_path, zarr_format):
    path = tmp_path / "a.zarr/raw"
    made = volume(RAW, voxel_size=(5, 0.25, 0.25), offset=(10, 0, 1.5), unit="micrometer")
    made.to_zarr(path, pyramid=[(1, 2, 2), 2], zarr_format=zarr_format, progress=False, client=near)
    (Image04 if zarr_format == 2 else Image05).from_zarr(zarr.open_group(str(path), mode="r"))
    image = metadata(path)
    told = [
        [step[step["type"]] for step in dataset["coordinateTransformations"]]
        for dataset in image["datasets"]
    ]
    assert image["type"] == "mean"
    assert told == [
        [[5, 0.25, 0.25], [10, 0, 1.5]],
        [[5, 0.5, 0.5], [10, 0.125, 1.625]],
        [[10, 1, 1], [12.5, 0.375, 1.875]],
    ]
    # Here regions count, which begin where a voxel does.
    for name, factors in ("s1", (1, 2, 2)), ("s2", (2, 4, 4)):
        level = dbw.open_volume(path / name)
        assert level.offset == made.offset
        assert tuple(level.voxel_size) == tuple(v * f for v, f in zip(made.voxel_size, factors))
        assert level.unit == made.unit


@pytest.mark.parametrize(
    ("axes", "shape"), [("czyx", (2, 9, 10, 11)), ("tcyx", (3, 2, 17, 10)), ("yx", (17, 30))]
)
def test_time_and_channels_stay(near, tmp_path, axes, shape):
    values = RNG.normal(size=shape).astype(np.float32)
    volume(values, axes=axes).to_zarr(tmp_path / "a.zarr", pyramid=1, progress=False, client=near)
    factors = tuple(1 if axis in "tc" else 2 for axis in axes)
    level = dbw.open_volume(tmp_path / "a.zarr/s1")
    np.testing.assert_array_equal(level[:], coarsened(values, factors, "mean"))
    assert level.axes == tuple(axes)


def test_labels_of_relabel_are_most_frequent_ones(near, tmp_path):
    mask = (np.indices((20, 24, 22)).sum(0) % 9 < 3).astype(np.uint8)
    objects = dbw.relabel(dbw.connected_components(volume(mask)))
    objects.to_zarr(tmp_path / "a.zarr/cells", pyramid=2, progress=False, client=near)
    expected = dbw.open_volume(tmp_path / "a.zarr/cells")[:]
    assert metadata(tmp_path / "a.zarr/cells")["type"] == "labels"
    for name in "s1", "s2":
        expected = coarsened(expected, (2, 2, 2), "labels")
        np.testing.assert_array_equal(
            dbw.open_volume(tmp_path / f"a.zarr/cells/{name}")[:], expected
        )


@pytest.mark.parametrize(
    ("make", "method"),
    [
        (lambda raw: raw, "mean"),
        (lambda raw: raw.astype("float32"), "mean"),
        (lambda raw: raw > 9, "labels"),
        (lambda raw: dbw.threshold(raw, 9), "labels"),
        (lambda raw: raw.astype("uint32"), "labels"),
        (lambda raw: dbw.relabel(dbw.connected_components(raw)), "labels"),
        (lambda raw: dbw.relabel(dbw.connected_components(raw)).checkpoint("k.zarr"), "labels"),
        (lambda raw: dbw.connected_components(raw).astype("uint64"), "labels"),
        (lambda raw: raw.astype("uint32").astype("uint16"), "labels"),
        (lambda raw: (raw > 9).astype("uint8").crop(raw.roi), "labels"),
        (lambda raw: raw.astype("float32").astype("uint16"), "mean"),
        (lambda raw: dbw.argmax(volume(RAW[:, :8, :8], axes="cyx")), "labels"),
    ],
    ids=[
        *("raw", "float", "bool", "mask", "wide", "objects", "kept objects", "components"),
        *("narrowed", "crop of a mask", "float and back", "classes"),
    ],
)
def test_what_values_are_says_by_which_method(near, tmp_path, monkeypatch, make, method):
    monkeypatch.chdir(tmp_path)
    make(volume(RAW[:8, :8, :8] // 128)).to_zarr(
        tmp_path / "a.zarr", pyramid=1, progress=False, client=near
    )
    assert metadata(tmp_path / "a.zarr")["type"] == method


@settings(max_examples=8)
@given(
    block=st.tuples(*[st.integers(3, 12)] * 2),
    shape=st.tuples(*[st.integers(5, 25)] * 2),
    steps=st.lists(st.tuples(st.integers(1, 3), st.integers(2, 3)), min_size=1, max_size=2),
    method=st.sampled_from(["mean", "labels", "mode"]),
)
def test_the_pyramid_is_that_of_the_whole_in_blocks_of_any_shape(
    near, tmp_path_factory, block, shape, steps, method
):
    values = np.random.default_rng(1).integers(0, 4, shape).astype(np.uint16)
    path = tmp_path_factory.mktemp("law") / "a.zarr"
    made = dbw.Volume.from_array(values, chunks=tuple(map(min, block, shape)))
    wanted = dbw.Pyramid(steps, method=method)
    made.to_zarr(path, pyramid=wanted, progress=False, client=near)
    for number, factors in enumerate(steps, 1):
        values = coarsened(values, factors, method)
        np.testing.assert_array_equal(dbw.open_volume(path / f"s{number}")[:], values)


@pytest.mark.parametrize(
    ("shape", "voxel_size", "steps"),
    [
        ((64, 64, 64), (4, 4, 4), [(2, 2, 2)] * 2),
        ((64, 64, 64), (40, 4, 4), [(1, 2, 2)] * 3 + [(2, 2, 2)] * 2),
        ((64, 64, 64), (6, 4, 4), [(1, 2, 2), (2, 2, 2), (2, 2, 2)]),
        ((1, 64, 64), (1, 4, 4), [(1, 2, 2)] * 2),
        ((16, 16, 16), (4, 4, 4), []),
    ],
)
def test_the_smallest_voxels_are_halved_until_a_level_fits_in_a_chunk(shape, voxel_size, steps):
    place = placement_of("zyx", voxel_size, unit="nm")
    frame = Frame(shape=shape, dtype=np.dtype("u1"), placement=place, chunks=(16, 16, 16))
    assert dbw.Pyramid().steps(frame, frame.chunks)[: len(steps)] == steps
    left = [
        ceil(n / f)
        for n, f in zip(shape, np.prod([(1, 1, 1), *dbw.Pyramid().steps(frame, frame.chunks)], 0))
    ]
    assert max(left) <= 16


def test_the_same_call_does_nothing_and_a_changed_chunk_what_lies_above(near, tmp_path):
    zarr.create_array(str(tmp_path / "in.zarr/raw"), data=RAW[:16, :16, :16], chunks=(8, 8, 8))
    path = tmp_path / "out.zarr/raw"

    def store(**options):
        made = dbw.open_volume(tmp_path / "in.zarr/raw") + np.uint8(0)
        return computed(made.to_zarr(path, progress=False, client=near, **options))

    assert store(pyramid=[2, 2], block_shape=(8, 8, 8)) == {"raw": 8, "raw: s1": 1, "raw: s2": 1}
    assert set(store().values()) == {0}
    zarr.open_array(str(tmp_path / "in.zarr/raw"))[:8, :8, :8] = 7
    # Levels that are there are kept true, also where none are asked for.
    assert store(on_change="redo") == {"raw": 1, "raw: s1": 1, "raw: s2": 1}
    expected = zarr.open_array(str(tmp_path / "in.zarr/raw"))[:]
    for name in "s1", "s2":
        expected = coarsened(expected, (2, 2, 2), "mean")
        np.testing.assert_array_equal(dbw.open_volume(path / name)[:], expected)
    assert dbw.status(path).is_current


def test_only_blocks_above_what_changed_are_made_anew(near, tmp_path):
    path = tmp_path / "a.zarr/raw"
    volume(RAW[:16, :16, :16], chunks=4).to_zarr(path, pyramid=1, progress=False, client=near)
    (path / "s0/c/0/0/0").unlink()
    again = volume(RAW[:16, :16, :16], chunks=4).to_zarr(path, progress=False, client=near)
    assert computed(again) == {"raw": 1, "raw: s1": 0}
    (path / "s1/c/1/1/1").unlink()
    assert dbw.status(path).problems
    again = volume(RAW[:16, :16, :16], chunks=4).to_zarr(path, progress=False, client=near)
    assert computed(again) == {"raw": 0, "raw: s1": 1}


def test_levels_that_were_altered_or_are_to_be_others_are_asked_about(near, tmp_path):
    path = tmp_path / "a.zarr/raw"
    volume(RAW).to_zarr(path, pyramid=1, progress=False, client=near)
    with pytest.raises(dbw.OutputChanged, match=r"mean.*max"):
        volume(RAW).to_zarr(path, pyramid=dbw.Pyramid(1, method="max"), progress=False, client=near)
    zarr.open_array(str(path / "s1"))[:8, :8, :8] = 1
    with pytest.raises(dbw.OutputChanged, match=r"s1 has .* aren't the files"):
        volume(RAW).to_zarr(path, progress=False, client=near)
    wanted = dbw.Pyramid(1, method="max")
    volume(RAW).to_zarr(path, pyramid=wanted, on_change="redo", progress=False, client=near)
    np.testing.assert_array_equal(dbw.open_volume(path / "s1")[:], coarsened(RAW, (2, 2, 2), "max"))


def test_what_replaces_an_image_replaces_its_levels(near, tmp_path):
    path = tmp_path / "a.zarr/raw"
    volume(RAW).to_zarr(path, pyramid=2, progress=False, client=near)
    volume(RAW + 1).to_zarr(path, on_change="redo", progress=False, client=near)
    np.testing.assert_array_equal(
        dbw.open_volume(path / "s1")[:], coarsened(RAW + 1, (2, 2, 2), "mean")
    )
    volume(RAW).to_zarr(path, overwrite=True, progress=False, client=near)
    assert levels(path) == ["s0"]
    assert not (path / "s1").exists()


def test_a_region_that_is_repaired_is_repaired_in_levels(near, tmp_path):
    path = tmp_path / "a.zarr/raw"
    volume(RAW).to_zarr(path, pyramid=1, progress=False, client=near)
    region = dbw.Roi((0, 0, 0), (8, 8, 8))
    volume(RAW).to_zarr(path, roi=region, progress=False, client=near)
    assert dbw.status(path).is_current


def test_a_checkpoint_has_levels_too(near, tmp_path):
    kept = volume(RAW).checkpoint(tmp_path / "a.zarr/raw", pyramid=1)
    (kept + np.uint8(1)).to_zarr(tmp_path / "a.zarr/more", progress=False, client=near)
    np.testing.assert_array_equal(
        dbw.open_volume(tmp_path / "a.zarr/raw/s1")[:], coarsened(RAW, (2, 2, 2), "mean")
    )


def test_a_quantised_prediction_keeps_its_meaning(near, tmp_path):
    made = dbw.Volume.from_array(RAW, stands_for=(-1, 1), chunks=(8, 8, 8))
    made.to_zarr(tmp_path / "a.zarr", pyramid=1, progress=False, client=near)
    assert dbw.open_volume(tmp_path / "a.zarr/s1").frame.stands_for == (-1, 1)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (0, "a positive number"),
        ([], "a list of factors"),
        ([(1, 1, 1)], "a list of factors"),
        ("all", "a list of factors"),
        ([2.5], "a list of factors"),
        ([(2, 2)], "one for each of the 3 axes"),
        ([64, 2], "can't be made coarser"),
        (9, "can be halved 5 times"),
    ],
)
def test_pyramids_that_cant_be_are_refused(tmp_path, given, match):
    with pytest.raises(ValueError, match=match):
        volume(RAW).to_zarr(tmp_path / "a.zarr", pyramid=given, progress=False)
    assert not (tmp_path / "a.zarr").exists()


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="one of labels, mean"):
        dbw.Pyramid(method="median")


def foreign(path, values, name="0", zarr_format=2, **more):
    """An image as another tool writes it."""
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    separator = {"name": "v2", "separator": "/"} if zarr_format == 2 else None
    group.create_array(
        name,
        data=values,
        chunks=(8, 8, 8),
        chunk_key_encoding=separator,
        dimension_names="zyx" if zarr_format == 3 else None,
    )
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"]
    steps = [{"type": "scale", "scale": [1, 0.5, 0.5]}]
    dataset = {"path": name, "coordinateTransformations": steps}
    image = {"axes": axes, "datasets": [dataset], "name": "theirs", **more}
    if zarr_format == 2:
        group.attrs["multiscales"] = [{"version": "0.4", **image}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    group.attrs["theirs"] = 1


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_levels_are_added_to_what_others_wrote(near, tmp_path, zarr_format):
    path = tmp_path / "a.zarr"
    foreign(path, RAW, zarr_format=zarr_format)
    assert dbw.pyramid(path, 2, progress=False, client=near)
    (Image04 if zarr_format == 2 else Image05).from_zarr(zarr.open_group(str(path), mode="r"))
    group = zarr.open_group(str(path), mode="r")
    assert (levels(path), metadata(path)["name"], group.attrs["theirs"]) == (
        ["0", "1", "2"],
        "theirs",
        1,
    )
    assert metadata(path)["datasets"][1]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1, 1, 1]},
        {"type": "translation", "translation": [0, 0.25, 0.25]},
    ]
    expected = coarsened(RAW, (1, 2, 2), "mean")
    np.testing.assert_array_equal(group["1"][:], expected)
    np.testing.assert_array_equal(group["2"][:], coarsened(expected, (2, 2, 2), "mean"))
    assert set(computed(dbw.pyramid(path, 2, progress=False, client=near)).values()) == {0}
    group = zarr.open_group(str(path), mode="r+")
    group["0"][:8, :8, :8] = 0
    assert sum(computed(dbw.pyramid(path, 2, progress=False, client=near)).values()) > 0
    np.testing.assert_array_equal(group["1"][:], coarsened(group["0"][:], (1, 2, 2), "mean"))


def test_levels_of_others_stay_and_more_are_added_after_them(near, tmp_path):
    path = tmp_path / "a.zarr"
    foreign(path, RAW)
    group = zarr.open_group(str(path), mode="r+")
    theirs = RAW[::2, ::2, ::2]
    group.create_array("1", data=theirs, chunks=(8, 8, 8))
    (image,) = group.attrs["multiscales"]
    image["datasets"].append(
        {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [2, 1, 1]}]}
    )
    group.attrs["multiscales"] = [image]
    dbw.pyramid(path, [2], progress=False, client=near)
    assert levels(path) == ["0", "1", "2"]
    np.testing.assert_array_equal(group["1"][:], theirs)
    np.testing.assert_array_equal(group["2"][:], coarsened(theirs, (2, 2, 2), "mean"))


def test_to_zarr_and_pyramid_go_on_with_each_others_levels(near, tmp_path):
    path = tmp_path / "a.zarr/raw"
    made = volume(RAW, voxel_size=(0.5, 0.25, 0.25), unit="micrometer")
    made.to_zarr(path, pyramid=1, progress=False, client=near)
    assert computed(dbw.pyramid(path, 2, progress=False, client=near)) == {
        "raw: s1": 0,
        "raw: s2": 2,
    }
    assert set(computed(made.to_zarr(path, pyramid=2, progress=False, client=near)).values()) == {0}


def test_an_array_that_is_called_like_a_level_becomes_one(near, tmp_path):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    made = group.create_array("s0", data=LABELS, chunks=(8, 8, 8))
    made.attrs.update({"resolution": [8, 4, 4], "offset": [8, 0, 0], "units": ["nm"] * 3})
    dbw.pyramid(tmp_path / "a.zarr/s0", [2], progress=False, client=near)
    assert levels(tmp_path / "a.zarr") == ["s0", "s1"]
    assert tuple(dbw.open_volume(tmp_path / "a.zarr").offset) == (8, 0, 0)
    np.testing.assert_array_equal(group["s1"][:], coarsened(LABELS, (2, 2, 2), "labels"))


def test_labels_of_an_image_have_labels_as_levels(near, tmp_path):
    zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    small = volume(LABELS.astype(np.uint8))
    small.to_zarr(tmp_path / "a.zarr/labels/cells", pyramid=1, progress=False, client=near)
    assert metadata(tmp_path / "a.zarr/labels/cells")["type"] == "labels"
    # Also where they are stored as they are elsewhere.
    cells = dbw.open_volume(tmp_path / "a.zarr/labels/cells")
    cells.to_zarr(tmp_path / "b.zarr", pyramid=1, progress=False, client=near)
    assert metadata(tmp_path / "b.zarr")["type"] == "labels"


def test_what_has_no_place_for_levels_is_refused(near, tmp_path):
    zarr.create_array(str(tmp_path / "a.zarr/raw"), data=RAW, chunks=(8, 8, 8))
    with pytest.raises(ValueError, match="to_zarr\\(other, pyramid=True\\)"):
        dbw.pyramid(tmp_path / "a.zarr/raw")
    np.save(tmp_path / "raw.npy", RAW)
    with pytest.raises(OSError, match="no levels can be added"):
        dbw.pyramid(tmp_path / "raw.npy")


def test_what_is_not_finished_is_refused(near, tmp_path):
    made = volume(RAW)
    made.to_zarr(
        tmp_path / "a.zarr", roi=dbw.Roi((0, 0, 0), (8, 8, 8)), progress=False, client=near
    )
    with pytest.raises(ValueError, match="1 of 48 blocks are done"):
        dbw.pyramid(tmp_path / "a.zarr")


def test_the_record_of_a_level_says_how_it_was_made(near, tmp_path):
    volume(RAW).to_zarr(tmp_path / "a.zarr/raw", pyramid=1, progress=False, client=near)
    document = json.loads((tmp_path / "a.zarr/raw/s1/zarr.json").read_text())
    ours = document["attributes"]["dask_blockwise"]
    assert ours["level"] == {"factors": [2, 2, 2], "method": "mean"}
    assert ours["end"]


def test_a_plan_has_a_row_for_each_task(near, tmp_path):
    kept = volume(RAW).checkpoint(tmp_path / "a.zarr/kept", pyramid=1)
    made = kept + np.uint8(1)
    summary = made.to_zarr(tmp_path / "a.zarr/result", pyramid=2, progress=False, client=near)
    plan = made.plan(pyramid=2)
    assert {stage.name: stage.blocks for stage in plan.stages} == computed(summary)


def test_no_level_is_stored_over(near, tmp_path):
    volume(RAW).to_zarr(tmp_path / "a.zarr/raw", pyramid=1, progress=False, client=near)
    with pytest.raises(FileExistsError, match="s1 exists already"):
        volume(RAW).to_zarr(tmp_path / "a.zarr/raw/s1", progress=False, client=near)
    level = dbw.open_volume(tmp_path / "a.zarr/raw/s1")
    with pytest.raises(ValueError, match="is what this volume is computed from"):
        level.to_zarr(tmp_path / "a.zarr/raw", overwrite=True, progress=False, client=near)


def test_a_level_that_is_lost_is_missed(near, tmp_path):
    path = tmp_path / "a.zarr/raw"
    volume(RAW).to_zarr(path, pyramid=3, progress=False, client=near)
    shutil.rmtree(path / "s2")
    assert "the level before s3 isn't there" in str(dbw.status(path))
    with pytest.raises(ValueError, match=r"lacks the level s2, of which s3 is made.*pyramid=3"):
        volume(RAW).to_zarr(path, progress=False, client=near)
    volume(RAW).to_zarr(path, pyramid=3, progress=False, client=near)
    assert dbw.status(path).is_current


def test_the_method_that_is_told_is_the_last(near, tmp_path):
    volume(RAW).to_zarr(tmp_path / "a.zarr", pyramid=1, progress=False, client=near)
    dbw.pyramid(tmp_path / "a.zarr", 1, method="max", progress=False, client=near)
    assert metadata(tmp_path / "a.zarr")["type"] == "max"


def test_levels_in_a_bucket(near, bucket):
    path = f"{bucket}/levels/a.zarr/raw"
    volume(RAW, chunks=16).to_zarr(path, pyramid=1, progress=False, client=near)
    dbw.pyramid(path, 2, progress=False, client=near)
    expected = coarsened(coarsened(RAW, (2, 2, 2), "mean"), (2, 2, 2), "mean")
    np.testing.assert_array_equal(dbw.open_volume(f"{path}/s2")[:], expected)
    assert dbw.status(path, trust=True).is_current


def test_two_runs_dont_make_the_same_levels_at_once(near, tmp_path):
    volume(RAW).to_zarr(tmp_path / "a.zarr/raw", progress=False, client=near)
    with (
        Claim(tmp_path / "a.zarr/raw/s1/.dask_blockwise"),
        pytest.raises(BlockingIOError, match="Another run has been writing to"),
    ):
        dbw.pyramid(tmp_path / "a.zarr/raw", 1, progress=False, client=near)
