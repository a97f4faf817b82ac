"""Volumes in Neuroglancer: where they lie, and what it is given of them."""

import io
import json
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browsers
import numpy as np
import pytest
from matplotlib.image import imread

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume
from dask_blockwise.volumes.seen.annotations import Place, annotation_layer

neuroglancer = pytest.importorskip("neuroglancer", reason="needs dask_blockwise[view]")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def server() -> Iterator[None]:
    yield
    neuroglancer.stop()


def layer(viewer: Any, name: str) -> Any:
    (found,) = [one for one in viewer.state.to_json()["layers"] if one["name"] == name]
    return found


def served(viewer: Any, name: str, *asked: str) -> bytes:
    """What the page asks the viewer's server for."""
    key = layer(viewer, name)["source"][0]["url"].removeprefix("python://volume/")
    parts = [part if part != "KEY" else key for part in asked]
    url = f"{neuroglancer.server.get_server_url()}/neuroglancer/{'/'.join(parts)}"
    content: bytes = urllib.request.urlopen(url).read()
    return content


def given(viewer: Any, name: str, begin: Any, end: Any, scale: Any = None) -> np.ndarray[Any, Any]:
    """Voxels of a box, as the page asks for them."""
    box = (",".join(map(str, corner)) for corner in (scale or (1,) * len(begin), begin, end))
    content = zlib.decompress(served(viewer, name, "npz", "KEY", *box))
    return np.asarray(np.load(io.BytesIO(content)))


def test_a_lazy_volume_is_computed_where_one_looks() -> None:
    seen = []

    def inverted(array: Any) -> Any:
        seen.append(array.shape)
        return 255 - array

    raw = np.random.default_rng(0).integers(0, 256, (64, 64, 64)).astype(np.uint8)
    volume = Volume.from_array(raw, voxel_size=(40, 4, 4), unit="nanometer")
    lazy = dbw.map_overlap(inverted, volume, halo=(1, 2, 2), dtype=np.uint8)
    viewer = lazy.view(volume)
    assert not seen
    box = given(viewer, "inverted", (8, 8, 8), (16, 24, 40))
    np.testing.assert_array_equal(box, 255 - raw[8:16, 8:24, 8:40])
    assert seen == [(10, 20, 36)]
    # From afar it would be computed all.
    assert json.loads(served(viewer, "inverted", "info", "KEY"))["maxDownsampling"] == 1


def test_it_lies_at_its_place_in_the_world(capsys: pytest.CaptureFixture[str]) -> None:
    place: Any = {"voxel_size": (0.04, 0.004, 0.004), "unit": "micrometer"}
    whole = Volume.from_array(np.zeros((8, 20, 20), np.uint8), offset=(0.08, 0.006, 0), **place)
    part = whole.crop(Roi(tuple(whole.offset + whole.voxel_size * 2), whole.voxel_size * 3))
    viewer = whole.view(part=part)
    transform = layer(viewer, "array")["source"][0]["transform"]
    assert transform["outputDimensions"] == {"z": [4e-8, "m"], "y": [4e-9, "m"], "x": [4e-9, "m"]}
    assert [row[-1] for row in transform["matrix"]] == [2, 1.5, 0]
    cropped = layer(viewer, "part")["source"][0]["transform"]
    assert [row[-1] for row in cropped["matrix"]] == [4, 3.5, 2]
    assert viewer.state.to_json()["displayDimensions"] == ["x", "y", "z"]
    url = viewer.get_viewer_url()
    assert url in capsys.readouterr().out
    assert b"neuroglancer" in urllib.request.urlopen(url).read().lower()


@pytest.mark.parametrize(
    ("dtype", "kind", "sent"),
    [
        ("uint8", "image", "uint8"),
        ("int16", "image", "int16"),
        ("float64", "image", "float32"),
        ("float16", "image", "float32"),
        ("bool", "image", "uint8"),
        ("int64", "segmentation", "uint64"),
        ("uint64", "segmentation", "uint64"),
    ],
)
def test_values_are_such_as_the_viewer_knows(dtype: str, kind: str, sent: str) -> None:
    array = (np.arange(60) % 2).reshape(3, 4, 5).astype(dtype)
    viewer = Volume.from_array(array).view()
    assert layer(viewer, "array")["type"] == kind
    box = given(viewer, "array", (0, 0, 0), (3, 4, 5))
    assert box.dtype == sent
    np.testing.assert_array_equal(box, array.astype(sent))


def test_channels_are_colours_of_one_place() -> None:
    array = np.random.default_rng(0).random((2, 3, 4, 5)).astype(np.float32)
    viewer = Volume.from_array(array, axes="czyx").view()
    shown = layer(viewer, "array")
    assert "emitRGB(vec3(red(), green(), 0.0))" in shown["shader"]
    assert [*shown["source"][0]["transform"]["outputDimensions"]] == ["c^", "z", "y", "x"]
    np.testing.assert_array_equal(given(viewer, "array", (1, 0, 0, 0), (2, 3, 4, 5)), array[1:])


def test_from_afar_coarse_levels_are_read(tmp_path: Path, near: Any) -> None:
    array = np.random.default_rng(0).integers(0, 256, (50, 64, 64)).astype(np.uint8)
    path = tmp_path / "a.zarr/raw"
    Volume.from_array(array, chunks=(16, 16, 16)).to_zarr(
        path, client=near, progress=False, pyramid=2
    )
    viewer = dbw.view(path)
    fine, coarse, coarsest = dbw.open_levels(path)
    box = given(viewer, "raw", (2, 3, 4), (12, 13, 14), scale=(4, 4, 4))
    np.testing.assert_array_equal(box, coarsest[2:12, 3:13, 4:14])
    box = given(viewer, "raw", (20, 0, 0), (25, 9, 9), scale=(2, 2, 2))
    np.testing.assert_array_equal(box, coarse[20:25, :9, :9])
    box = given(viewer, "raw", (0, 0, 0), (5, 5, 5))
    np.testing.assert_array_equal(box, fine[:5, :5, :5])


def test_every_volume_of_a_container_is_a_layer(tmp_path: Path, near: Any) -> None:
    container = tmp_path / "a.zarr"
    labels = np.ones((8, 8, 8), np.uint32)
    for name, array in ("em", labels.astype(np.uint8)), ("em/labels/cells", labels):
        Volume.from_array(array).to_zarr(container / name, client=near, progress=False)
    fragments = dbw.connected_components(dbw.open_volume(container / "em"))
    dbw.relabel(fragments, match="touch", keep_scratch=True).to_zarr(
        container / "objects", client=near, progress=False
    )
    (container / "broken").mkdir()
    (container / "broken/zarr.json").write_text(json.dumps({"node_type": "array"}))
    with pytest.warns(UserWarning, match="broken isn't shown"):
        viewer = dbw.view(container)
    kinds = {one["name"]: one["type"] for one in viewer.state.to_json()["layers"]}
    assert kinds == {"em": "image", "em/labels/cells": "segmentation", "objects": "segmentation"}


def test_a_container_without_volumes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(FileNotFoundError, match=r"empty\.zarr"):
        dbw.view(tmp_path / "empty.zarr")


def test_layers_called_alike_are_numbered() -> None:
    volume = Volume.from_array(np.zeros((4, 4), np.uint8))
    viewer = volume.view(volume, volume + 1, array=volume)
    names = [one["name"] for one in viewer.state.to_json()["layers"]]
    assert names == ["array", "array (2)", "add 1", "array (3)"]


def test_places_are_a_layer_of_points() -> None:
    volume = Volume.from_array(np.zeros((4, 8), np.uint8), voxel_size=(4, 4), unit="nanometer")
    places = [Place((1, 2), 0.1, "split", (3, 7)), Place((3, 5), 0.2, "merged", (9,))]
    viewer = volume.view(doubts=annotation_layer(places, volume.placement))
    shown = layer(viewer, "doubts")
    assert shown["type"] == "annotation"
    assert [point["point"] for point in shown["annotations"]] == [[3.5, 5.5], [1.5, 2.5]]
    dimensions = shown["source"]["transform"]["outputDimensions"]
    assert dimensions == {"y": [4e-9, "m"], "x": [4e-9, "m"]}


@pytest.mark.browser
def test_the_page_draws_in_a_browser() -> None:
    """Red where the image is bright, in the middle of the page."""
    array = np.zeros((3, 64, 64), np.uint8)
    array[0] = 255
    array[0, :8] = 0
    viewer = Volume.from_array(array, axes="cyx", voxel_size=(4, 4), unit="nanometer").view()
    with browsers.page(600, 400) as page:
        page.goto(viewer.get_viewer_url(), wait_until="commit")
        for _ in range(60):
            page.wait_for_timeout(500)
            picture = imread(io.BytesIO(page.screenshot()), "png")[..., :3]
            red = (picture[..., 0] > 0.8) & (picture[..., 1:].max(-1) < 0.2)
            if red.sum() > 2000:
                break
    assert red.sum() == pytest.approx(64 * 56, rel=0.1)


def test_levels_of_few_voxels_are_shown_where_they_lie(tmp_path: Path, near: Any) -> None:
    array = np.random.default_rng(0).integers(0, 256, (12, 64, 64)).astype(np.uint8)
    path = tmp_path / "a.zarr/raw"
    Volume.from_array(array).to_zarr(path, client=near, progress=False, pyramid=[8])
    _, coarse = dbw.open_levels(path)
    box = given(dbw.view(path), "raw", (0, 1, 2), (2, 8, 8), scale=(8, 8, 8))
    np.testing.assert_array_equal(box, coarse[0:2, 1:8, 2:8])
