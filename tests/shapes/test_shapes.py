"""Meshes and skeletons beside the voxels that they are of."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise import Volume
from dask_blockwise.cli import main
from dask_blockwise.shapes import by_object
from dask_blockwise.shapes.boxes import ObjectBox, boxes_of
from dask_blockwise.volumes.objects import Gathering
from dask_blockwise.volumes.options import StoreOptions
from dask_blockwise.volumes.running import run_all

SIZE, OFFSET = (10, 4, 4), (100, -40, 8)


@pytest.fixture(scope="module")
def labels() -> Any:
    """A ball across blocks, a tube from border to border, and a single voxel."""
    z, y, x = np.indices((40, 48, 64))
    array = np.zeros(z.shape, np.uint64)
    array[((z - 20) * 10) ** 2 + ((y - 24) * 4) ** 2 + ((x - 40) * 4) ** 2 < 60**2] = 7
    array[:, 4:9, 10:15] = 2**40
    array[3, 30, 3] = 9
    return array


@pytest.fixture(scope="module")
def stored(labels: Any, tmp_path_factory: pytest.TempPathFactory, near: Any) -> Volume:
    path = tmp_path_factory.mktemp("stored") / "a.zarr/x"
    volume = Volume.from_array(
        labels, voxel_size=SIZE, offset=OFFSET, unit="nanometer", chunks=(16, 16, 32)
    )
    volume.to_zarr(path, client=near, progress=False, pyramid=1)
    return dbw.open_volume(path)


def mesh_at(folder: Path, number: int) -> tuple[Any, Any]:
    """Vertices (x, y, z) and triangles, as the format has them."""
    (fragment,) = json.loads((folder / f"{number}:0").read_text())["fragments"]
    content = (folder / fragment).read_bytes()
    count = int(np.frombuffer(content, "<u4", 1)[0])
    vertices = np.frombuffer(content, "<f4", 3 * count, 4).reshape(-1, 3)
    return vertices, np.frombuffer(content, "<u4", offset=4 + 12 * count).reshape(-1, 3)


def volume_of(vertices: Any, triangles: Any) -> float:
    """Within a closed surface, by the divergence theorem."""
    a, b, c = (vertices[triangles[:, n]].astype(float) for n in range(3))
    return float(abs((a * np.cross(b, c)).sum()) / 6)


def test_boxes_are_those_of_numpy(labels: Any, stored: Volume, tmp_path: Path, near: Any) -> None:
    def found_in(stored: Volume, *wanted: Any) -> list[ObjectBox]:
        gathering = Gathering(stored, {}, str(tmp_path / "boxes"), StoreOptions())
        run = partial(run_all, client=near, progress=False)
        return boxes_of(gathering, run, wanted or None)

    found = {box.id: (box.begin, box.end) for box in found_in(stored)}
    for number in np.unique(labels[labels > 0]).tolist():
        at = np.argwhere(labels == number)
        assert found.pop(number) == (tuple(at.min(0)), tuple(at.max(0) + 1))
    assert not found
    with pytest.raises(ValueError, match=r"no objects \[5\]"):
        found_in(stored, 7, 5)


def test_meshes_enclose_the_voxels(labels: Any, stored: Volume, tmp_path: Path, near: Any) -> None:
    pytest.importorskip("zmesh", reason="needs dask_blockwise[shapes]")
    summary = dbw.meshes(stored, tmp_path, reduction=0, client=near, progress=False)
    assert summary
    assert json.loads((tmp_path / "info").read_text())["@type"] == "neuroglancer_legacy_mesh"
    for number in 7, 2**40:
        vertices, triangles = mesh_at(tmp_path, number)
        at = np.argwhere(labels == number)
        expected = len(at) * np.prod(SIZE)
        # Marching cubes cut the corners of voxels.
        assert volume_of(vertices, triangles) == pytest.approx(expected, rel=0.1)
        low = np.array(OFFSET) + at.min(0) * SIZE
        high = np.array(OFFSET) + (at.max(0) + 1) * SIZE
        np.testing.assert_allclose(vertices.min(0)[::-1], low, atol=0.01)
        np.testing.assert_allclose(vertices.max(0)[::-1], high, atol=0.01)


def test_meshes_of_some_objects_with_fewer_triangles(
    stored: Volume, tmp_path: Path, near: Any
) -> None:
    pytest.importorskip("zmesh", reason="needs dask_blockwise[shapes]")
    for folder, reduction in ("all", 0), ("few", 20):
        options: Any = {"reduction": reduction, "client": near, "progress": False}
        dbw.meshes(stored, tmp_path / folder, ids=[7], max_error=8, **options)
    (full, every), (less, few) = (mesh_at(tmp_path / name, 7) for name in ("all", "few"))
    assert len(few) < len(every) / 2
    assert volume_of(less, few) == pytest.approx(volume_of(full, every), rel=0.1)
    assert not (tmp_path / "few/9:0").exists()


def test_large_objects_are_taken_from_a_coarser_level(
    labels: Any, stored: Volume, tmp_path: Path, near: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("zmesh", reason="needs dask_blockwise[shapes]")
    monkeypatch.setattr(by_object, "_MOST_VOXELS", 12**3 * 3)
    dbw.meshes(stored, tmp_path, ids=[7], reduction=0, client=near, progress=False)
    expected = (labels == 7).sum() * np.prod(SIZE)
    vertices, triangles = mesh_at(tmp_path, 7)
    assert volume_of(vertices, triangles) == pytest.approx(expected, rel=0.15)
    middle = np.array(OFFSET) + (np.array([20, 24, 40]) + 0.5) * SIZE
    np.testing.assert_allclose((vertices.min(0) + vertices.max(0))[::-1] / 2, middle, atol=8)
    monkeypatch.setattr(by_object, "_MOST_VOXELS", 8)
    with pytest.raises(ValueError, match=r"boxes of objects \[7\].*dbw\.pyramid"):
        dbw.meshes(stored, tmp_path, ids=[7], client=near, progress=False)


def test_a_skeleton_runs_along_its_tube(stored: Volume, tmp_path: Path, near: Any) -> None:
    pytest.importorskip("kimimaro", reason="needs dask_blockwise[shapes]")
    options: Any = {"client": near, "progress": False}
    dbw.skeletons(stored, tmp_path, ids=[2**40], const=30, **options)
    info = json.loads((tmp_path / "info").read_text())
    assert info["vertex_attributes"][0]["id"] == "radius"
    content = (tmp_path / str(2**40)).read_bytes()
    count, lines = np.frombuffer(content, "<u4", 2).tolist()
    points = np.frombuffer(content, "<f4", 3 * count, 8).reshape(-1, 3)
    edges = np.frombuffer(content, "<u4", 2 * lines, 8 + 12 * count).reshape(-1, 2)
    radius = np.frombuffer(content, "<f4", offset=8 + 12 * count + 8 * lines)
    assert radius.shape == (count,)
    # Within its section of 5 voxels, and to one voxel at its middle but for the ends.
    for axis, middle in (0, 8 + 12.5 * 4), (1, -40 + 6.5 * 4):
        away = np.abs(points[:, axis] - middle)
        assert away.max() <= 2 * 4
        assert np.median(away) <= 4
    assert sorted(points[[0, -1], 2].tolist()) == [105, 495]
    length = np.linalg.norm(np.diff(points[edges], axis=1)[:, 0], axis=1).sum()
    assert length == pytest.approx(390, rel=0.1)


@pytest.mark.parametrize("make", [dbw.meshes, dbw.skeletons], ids=["meshes", "skeletons"])
def test_what_has_no_shape_is_refused(make: Any, stored: Volume, tmp_path: Path) -> None:
    pytest.importorskip("zmesh", reason="needs dask_blockwise[shapes]")
    pytest.importorskip("kimimaro", reason="needs dask_blockwise[shapes]")
    with pytest.raises(TypeError, match=r"need labels, which are integers.*make objects of it"):
        make(stored.astype("float32"), tmp_path)
    with pytest.raises(TypeError, match="labels along z, y and x"):
        make(Volume.from_array(np.ones((4, 4), np.uint8)), tmp_path)
    lazy = dbw.connected_components(stored)
    with pytest.raises(ValueError, match="store it"):
        make(lazy, tmp_path)


@pytest.mark.parametrize(
    ("command", "library", "made"),
    [("meshes", "zmesh", "7:0"), ("skeletons", "kimimaro", "7")],
    ids=["meshes", "skeletons"],
)
def test_commands_make_what_functions_make(
    command: str,
    library: str,
    made: str,
    stored: Volume,
    tmp_path: Path,
    near: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip(library, reason="needs dask_blockwise[shapes]")
    getattr(dbw, command)(stored, tmp_path / "function", ids=[7], client=near, progress=False)
    main(f"{command} {stored.path} {tmp_path / 'command'} --ids 7 --no-progress".split())
    said = capsys.readouterr().out
    assert f"{command.capitalize()} are in {tmp_path / 'command'}" in said
    assert " 0 B written" not in said
    names = {file.name for file in (tmp_path / "command").iterdir()}
    assert {made, "info"} <= names
    assert names == {file.name for file in (tmp_path / "function").iterdir()}
    for name in names:
        by_command, by_function = (tmp_path / how / name for how in ("command", "function"))
        assert by_command.read_bytes() == by_function.read_bytes()


@pytest.mark.parametrize("make", [dbw.meshes, dbw.skeletons], ids=["meshes", "skeletons"])
def test_a_folder_of_something_else_is_left_as_it_is(make, tmp_path):
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[1:3, 1:3, 1:3] = 1
    info = tmp_path / "info"
    info.write_text('{"@type": "neuroglancer_multiscale_volume"}')
    with pytest.raises(FileExistsError, match=r"neuroglancer_multiscale_volume.*another folder"):
        make(dbw.Volume.from_array(labels), tmp_path, progress=False)
    assert "volume" in info.read_text()


def test_objects_in_the_last_voxels_of_few_are_whole_in_a_coarser_level(
    tmp_path: Path, near: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("zmesh", reason="needs dask_blockwise[shapes]")
    plate = np.zeros((10, 27, 27), np.uint64)
    plate[8, 3:24, 3:24] = 5
    options: Any = {"client": near, "progress": False}
    Volume.from_array(plate, voxel_size=(2, 2, 2), unit="nm").to_zarr(
        tmp_path / "a.zarr/plates", pyramid=[3], **options
    )
    monkeypatch.setattr(by_object, "_MOST_VOXELS", 200)
    labels = dbw.open_volume(tmp_path / "a.zarr/plates")
    dbw.meshes(labels, tmp_path / "mesh", reduction=0, **options)
    vertices, _ = mesh_at(tmp_path / "mesh", 5)
    # A coarse voxel of 6 nanometers along z, in which the plate lies.
    np.testing.assert_allclose(vertices.min(0), (6, 6, 12), atol=0.1)
    np.testing.assert_allclose(vertices.max(0), (48, 48, 18), atol=0.1)


@pytest.mark.parametrize("within", ["a.zarr", "a.zarr/x", "a.zarr/x/s0", "a.zarr/x/s0/mesh"])
def test_files_of_arrays_are_left_alone(within: str, tmp_path: Path, near: Any) -> None:
    pytest.importorskip("zmesh", reason="needs dask_blockwise[shapes]")
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[1:3, 1:3, 1:3] = 1
    Volume.from_array(labels).to_zarr(tmp_path / "a.zarr/x", client=near, progress=False)
    stored, before = dbw.open_volume(tmp_path / "a.zarr/x"), sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError, match="don't belong: choose a folder of their own"):
        dbw.meshes(stored, tmp_path / within, client=near, progress=False)
    assert sorted(tmp_path.rglob("*")) == before
