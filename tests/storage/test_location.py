"""Paths: from any working folder, at the root, in the home folder; nothing is read beside them."""

import json
import os
import re
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise.storage.arrays import create_array, create_image, exists, open_array, remove
from dask_blockwise.storage.location import folders_above, kvstore_spec, location_of
from dask_blockwise.volumes.volume import Volume

ONES = np.ones((4, 4, 4), np.uint8)


@pytest.fixture
def below_the_root():
    """A folder directly in a folder of the root."""
    top = next((p for p in ("/tmp", "/var/tmp") if Path(p).is_dir()), None)
    if top is None or not os.access(top, os.W_OK):
        pytest.skip("no folder in the root may be written")
    with tempfile.TemporaryDirectory(dir=top) as folder:
        yield Path(folder)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("name", ["", "raw"])
def test_an_array_near_the_root_opens_from_the_root(below_the_root, monkeypatch, name, relative):
    path = below_the_root / name
    monkeypatch.chdir("/")
    create_array(path, (4,), "u1", chunks=(4,))
    given = path.relative_to("/") if relative else path
    assert dbw.open_volume(given).shape == (4,)
    remove(given)
    assert not exists(path)


def test_a_volume_is_written_and_read_from_the_root(below_the_root, monkeypatch):
    monkeypatch.chdir("/")
    given = str(below_the_root).lstrip("/")
    create_image(
        f"{given}/raw", Volume.from_array(ONES, (40, 4, 4)).placement, (4, 4, 4), "u1",
        chunks=(4, 4, 4),
    )  # fmt: skip
    assert dbw.open_volume(f"{given}/raw").voxel_size == (40, 4, 4)
    assert dbw.open_volume(f"//{given}/raw//").voxel_size == (40, 4, 4)


def test_what_the_working_folder_holds_says_nothing_of_arrays_elsewhere(
    below_the_root, tmp_path, monkeypatch
):
    create_array(below_the_root, (4, 4), "u1", chunks=(4, 4))
    step = {"type": "scale", "scale": [7, 7]}
    level = {"path": str(below_the_root)[1:], "coordinateTransformations": [step]}
    image = {"axes": ["y", "x"], "datasets": [level]}
    (tmp_path / ".zattrs").write_text(json.dumps({"multiscales": [image]}))
    monkeypatch.chdir(tmp_path)
    assert dbw.open_volume(below_the_root).voxel_size == (1, 1)


def test_nothing_at_the_root(monkeypatch):
    monkeypatch.chdir("/")
    for path in ("/", ".", "//"):
        with pytest.raises(FileNotFoundError, match="No array at"):
            dbw.open_volume(path)
    with pytest.raises(FileNotFoundError, match=r"no such file or folder\. / has"):
        dbw.open_volume("nothing.zarr")


def test_the_home_folder_is_meant_by_its_sign(tmp_path, monkeypatch):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(elsewhere)
    assert Volume.from_array(ONES).to_zarr("~/out.zarr/a", progress=False)
    made = dbw.create_volume(Path("~/out.zarr/b"), shape=(4, 4), dtype="u1")
    assert (home / "out.zarr/a").is_dir()
    assert (made.shape, (home / "out.zarr/b/s0").is_dir()) == ((4, 4), True)
    assert dbw.open_volume("~/out.zarr/a").shape == dbw.open_volume("file://~/out.zarr/a").shape
    assert open_array("~/out.zarr/a/s0").location == f"{home}/out.zarr/a/s0"
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("path", ["", " ", "file://"])
def test_an_empty_path_is_refused(path):
    for act in (location_of, dbw.open_volume, exists):
        with pytest.raises(ValueError, match="A path is needed"):
            act(path)


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("C:\\data\\a.zarr\\raw", "/mnt/c/data/a.zarr/raw (as WSL has it)"),
        ("D:/a.zarr", "/mnt/d/a.zarr (as WSL has it)"),
        ("a.zarr\\raw", "such as a.zarr/raw."),
        ("s3:/bucket/a.zarr", "a URL has two: give s3://bucket/a.zarr."),
        ("https:/host/a.zarr", "a URL has two: give https://host/a.zarr."),
    ],
)
def test_a_path_of_another_kind_is_refused_before_anything_is_written(
    path, mend, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    volume = dbw.Volume.from_array(np.eye(4))
    for act in (dbw.open_volume, partial(volume.to_zarr, progress=False), dbw.status):
        with pytest.raises(ValueError, match=re.escape(mend)):
            act(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "library"),
    [("a.nii.gz", "nibabel"), ("a.NPZ", "np.load"), ("a.czi", "bioio"), ("a.mrc", "mrcfile")],
)
def test_a_file_of_another_kind_says_what_reads_it(name, library, tmp_path):
    (tmp_path / name).write_bytes(b"1")
    with pytest.raises(FileNotFoundError, match=f"{library}.*Volume.from_array"):
        dbw.open_volume(tmp_path / name)


@pytest.mark.parametrize("path", [None, 3, b"a.zarr"])
def test_what_is_no_path_is_refused(path):
    for act in (location_of, dbw.open_volume):
        with pytest.raises(TypeError, match="A path is a text, or one of pathlib, got"):
            act(path)


def test_the_root_is_one():
    assert {location_of(path) for path in ("/", "//", "///", "file:///", "/a/..")} == {"/"}
    assert kvstore_spec("/") == {"driver": "file", "path": "/"}
    assert list(folders_above("/a")) == [("/", "a")]
    assert list(folders_above("/")) == [("/", "")]
    assert list(folders_above("gs://bucket/a/b")) == [
        ("gs://bucket/a", "b"),
        ("gs://bucket", "a/b"),
    ]
