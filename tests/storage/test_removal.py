"""Removal may be broken off anywhere: marks never outlive chunks, and the same call goes on."""

import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from regions import box, whole

from dask_blockwise.geometry.placement import Placement
from dask_blockwise.storage import removal
from dask_blockwise.storage.arrays import create_array, create_image, exists, open_array, remove
from dask_blockwise.storage.documents import list_names, put, remove_documents
from dask_blockwise.storage.location import is_remote, location_of
from dask_blockwise.storage.removal import MARKS

YX = Placement(("y", "x"), (4, 4), (0, 0), "nanometer")
# Whether an image or an array alone, of which version, by shards or not.
KINDS = [(create_image, 3, None), (create_image, 2, None), (create_array, 3, (2, 4))]
kinds = pytest.mark.parametrize("kind", KINDS, ids=["image", "image of zarr 2", "array of shards"])


class Broken(Exception):
    """A run that ends."""


def made_by(create, zarr_format, shards):
    """A function that makes an array, or an image of one, at a path."""
    placed = (YX,) if create is create_image else ()

    def make(path):
        return create(
            path, *placed, (4, 4), "u1", chunks=(2, 2), shards=shards, zarr_format=zarr_format,
            overwrite=True, attributes={"a": 1},
        )  # fmt: skip

    return make


def filled(make, path):
    """An array with chunks and marks."""
    array = make(path)
    array.write(whole(array), np.ones(array.shape, np.uint8))
    for name in ("done.bin", "task.json"):
        put(f"{array.location}/{MARKS}", name, b"{}")
    return array


def names_below(path):
    location = location_of(path)
    if is_remote(location):
        return list_names(location)
    return sorted(str(f.relative_to(location)) for f in Path(location).rglob("*") if f.is_file())


def check_what_is_left(before, after):
    """Chunks are whole where a mark is left; documents are there while a chunk is."""

    def parts(names):
        marks = {name for name in names if MARKS in name}
        documents = {name for name in names if "/" not in name or name.split("/")[-1][0] in ".z"}
        return marks, set(names) - marks - documents, documents - marks

    (_, chunks, documents), (marks, chunks_left, documents_left) = parts(before), parts(after)
    assert not marks or chunks_left == chunks
    assert not chunks_left or documents_left == documents


def breaking(monkeypatch, after):
    """Nothing is removed from disk after so many files and folders."""
    removed = count()
    for name in ("unlink", "rmdir"):
        own = getattr(os, name)

        def act(*args, own=own, **options):
            if next(removed) >= after:
                raise Broken
            own(*args, **options)

        monkeypatch.setattr(os, name, act)


def broken_off(monkeypatch, after, act):
    """Whether the act was, before its end."""
    with monkeypatch.context() as patch:
        breaking(patch, after)
        try:
            act()
        except Broken:
            return True
    return False


@kinds
def test_overwriting_that_is_broken_off_is_done_again(tmp_path, monkeypatch, kind):
    make = made_by(*kind)
    make(tmp_path / "new.zarr")
    for after in count():
        path = tmp_path / f"{after}.zarr"
        filled(make, path)
        before = names_below(path)
        if not broken_off(monkeypatch, after, lambda path=path: make(path)):
            break
        check_what_is_left(before, names_below(path) if path.exists() else [])
        array = make(path)
        assert names_below(path) == names_below(tmp_path / "new.zarr")
        assert not array.read(whole(array)).any()
    assert after > 8


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_removing_that_is_broken_off_is_done_again(tmp_path, monkeypatch, zarr_format):
    for after in count():
        top = tmp_path / f"{after}.zarr"
        path = top / "scratch/x"
        filled(made_by(create_array, zarr_format, None), path)
        broken = broken_off(monkeypatch, after, lambda path=path: remove(path))
        remove(path)
        assert not (top / "scratch").exists()
        if not broken:
            break
    assert exists(top)
    assert after > 8


REMOVE = """
import os, signal, sys
from itertools import count
from dask_blockwise.storage.arrays import create_array
path, after = sys.argv[1:]
removed, unlink = count(), os.unlink
def act(*args, **options):
    if next(removed) >= int(after):
        os.kill(os.getpid(), signal.SIGKILL)
    unlink(*args, **options)
os.unlink = act
create_array(path, (4, 4), "u1", chunks=(2, 2), overwrite=True)
"""


@pytest.mark.parametrize("after", [1, 5])
def test_overwriting_that_is_killed_is_done_again(tmp_path, after):
    make = made_by(create_array, 3, None)
    filled(make, tmp_path / "a.zarr")
    command = [sys.executable, "-c", REMOVE, tmp_path / "a.zarr", str(after)]
    assert subprocess.run(command, timeout=60, check=False).returncode == -9
    assert bool(list((tmp_path / "a.zarr").rglob("done.bin"))) == (after < 1)
    assert not make(tmp_path / "a.zarr").read(box((0, 4), (0, 4))).any()


@kinds
def test_overwriting_in_a_bucket_that_is_broken_off_is_done_again(bucket, monkeypatch, kind):
    make, path = made_by(*kind), f"{bucket}/removal/a b{kind[1]}.zarr/x"
    make(path)
    new = names_below(path)
    for after in count():
        filled(make, path)
        before, left = names_below(path), iter(range(after))

        def act(location, names, left=left):
            allowed = [name for name in names if next(left, None) is not None]
            remove_documents(location, allowed)
            if len(allowed) < len(names):
                raise Broken

        with monkeypatch.context() as patch:
            patch.setattr(removal, "remove_documents", act)
            try:
                make(path)
                break
            except Broken:
                check_what_is_left(before, names_below(path))
        array = make(path)
        assert names_below(path) == new
        assert not array.read(whole(array)).any()
    assert after == len(before)
    remove(open_array(path).location)


def test_what_tells_of_a_run_outlives_room_being_made(tmp_path, bucket):
    for top in (tmp_path, f"{bucket}/claimed"):
        make, path = made_by(create_image, 3, None), f"{top}/a.zarr/x"
        array = filled(make, path)
        put(f"{array.location}/{MARKS}", "run.json", b"{}")
        assert not make(path).read(whole(array)).any()
        assert names_below(path) == [f"s0/{MARKS}/run.json", "s0/zarr.json", "zarr.json"]
        remove(array.location)
        assert names_below(path) == ["zarr.json"]


def test_a_run_that_is_told_of_needs_no_array_to_be_there(tmp_path):
    put(f"{tmp_path}/a.zarr/x/s0/{MARKS}", "run.lock", b"")
    assert made_by(create_image, 3, None)(tmp_path / "a.zarr/x").shape == (4, 4)
    put(f"{tmp_path}/b.zarr/x/s0", "run.lock", b"")
    with pytest.raises(FileExistsError, match="is no zarr"):
        made_by(create_image, 3, None)(tmp_path / "b.zarr/x")


def test_links_are_not_followed(tmp_path):
    make, kept = made_by(create_array, 3, None), tmp_path / "kept"
    filled(make, kept)
    filled(make, tmp_path / "a.zarr")
    (tmp_path / "a.zarr/c/0/link").symlink_to(kept)
    make(tmp_path / "a.zarr")
    (tmp_path / "b.zarr").symlink_to(kept)
    with pytest.raises(OSError, match=r"b\.zarr can't be removed: it is a link"):
        make(tmp_path / "b.zarr")
    assert open_array(kept).read(box((0, 4), (0, 4))).all()
