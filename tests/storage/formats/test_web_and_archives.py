"""Volumes on a web server and in zip archives: read as on a disk, refused where that can't be."""

import gzip
import json
import re
import shutil
import threading
import zipfile
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import UnsupportedOperation
from pathlib import Path
from urllib.parse import quote

import numcodecs
import numpy as np
import pytest
from made_by_others import VALUES, changed, n5_array, packed, precomputed_scale, zarr_array

import dask_blockwise as dbw
from dask_blockwise.storage import documents

CHUNK = "0.1"


class Server(SimpleHTTPRequestHandler):
    """Files of a folder; other answers to some names."""

    def send_head(self):
        self.server.asked.append(self.path)
        for ending, code in self.server.answers.items():
            if self.path.endswith(ending):
                self.send_error(code)
                return None
        if Path(self.translate_path(self.path)).is_dir():
            self.send_error(404)
            return None
        return super().send_head()

    def copyfile(self, source, outputfile):
        """The part of a file that was asked for, to which the head belongs that was sent."""
        begin, end = self.part
        source.seek(begin)
        outputfile.write(source.read(end - begin))

    def send_response(self, code, message=None):
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        file = Path(self.translate_path(self.path))
        size = file.stat().st_size if file.is_file() else 0
        self.part = 0, size
        if code == 200 and asked and self.server.gives_parts:
            first, last = asked.groups()
            begin = int(first) if first else max(0, size - int(last))
            self.part = begin, min(size, int(last) + 1 if first and last else size)
            code = 206
        super().send_response(code, message)
        if code == 206:
            self.send_header("Content-Range", f"bytes {self.part[0]}-{self.part[1] - 1}/{size}")

    def send_header(self, keyword, value):
        if keyword == "Content-Length" and self.part[1]:
            value = str(self.part[1] - self.part[0])
        super().send_header(keyword, value)

    def log_message(self, *_):
        pass


@pytest.fixture
def web(tmp_path, monkeypatch):
    """The address of the folder, and the server; what fails is soon given up."""
    retries = {"max_retries": 1, "initial_delay": "10ms", "max_delay": "10ms"}
    monkeypatch.setattr(documents, "_WEB_RETRIES", retries)
    documents._shared_cache.cache_clear()
    handler = partial(Server, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.answers, server.gives_parts, server.asked = {}, True, []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", server
        server.shutdown()


def zipped(folder, name="a.zip"):
    return Path(shutil.make_archive(str(folder.with_name("packed")), "zip", folder)).rename(
        folder.with_name(name)
    )


MADE = {
    "zarr 2": zarr_array,
    "zarr 2, nested": partial(zarr_array, separator="/"),
    "zarr 2 of zarr-python": partial(zarr_array, compressors=numcodecs.LZMA()),
    "zarr 3": partial(zarr_array, zarr_format=3, separator="/"),
    "shards": partial(zarr_array, zarr_format=3, separator="/", shards=(6, 6)),
    "N5": n5_array,
    "precomputed": precomputed_scale,
    "compressed as files": lambda f: packed(precomputed_scale(f), ".gz", gzip.compress),
}


@pytest.mark.parametrize("kind", MADE)
def test_a_web_server(tmp_path, web, kind):
    MADE[kind](tmp_path / "a b#?%é.zarr")
    volume = dbw.open_volume(f"{web[0]}/{quote('a b#?%é.zarr')}/")
    np.testing.assert_array_equal(np.squeeze(volume[:]), VALUES)
    on_disk = dbw.open_volume(tmp_path / "a b#?%é.zarr")
    assert volume.placement == on_disk.placement


@pytest.mark.parametrize("kind", MADE)
def test_an_archive(tmp_path, kind):
    MADE[kind](tmp_path / "a/labels/cells 1%")
    file = zipped(tmp_path / "a", "a.zarr.ZIP")
    volume = dbw.open_volume(file / "labels/cells 1%")
    np.testing.assert_array_equal(np.squeeze(volume[:]), VALUES)
    assert volume.placement == dbw.open_volume(tmp_path / "a/labels/cells 1%").placement


def test_an_archive_of_ome_zarr(tmp_path, near):
    image = dbw.Volume.from_array(VALUES, voxel_size=(8, 4), offset=(16, 0), unit="nanometer")
    image.to_zarr(tmp_path / "a.zarr", progress=False)
    file = zipped(tmp_path / "a.zarr", "a.ozx")
    volume = dbw.open_volume(file)
    assert (volume.roi, volume.unit) == (image.roi, "nanometer")
    made = dbw.map_overlap(np.negative, volume, halo=0)
    for done in (1, 0):
        summary = made.to_zarr(tmp_path / "out.zarr/a", progress=False)
        assert summary.tasks[0].completed == done
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "out.zarr/a")[:], np.negative(VALUES))
    assert dbw.status(tmp_path / "out.zarr/a").is_current
    image = dbw.Volume.from_array(VALUES + 1, voxel_size=(8, 4), offset=(16, 0), unit="nanometer")
    image.to_zarr(tmp_path / "a.zarr", progress=False, overwrite=True)
    zipped(tmp_path / "a.zarr", "a.ozx")
    assert "input" in dbw.status(tmp_path / "out.zarr/a").changes[0]


def test_an_archive_on_a_web_server(tmp_path, web):
    zarr_array(tmp_path / "a/raw", 3, "/")
    zipped(tmp_path / "a")
    np.testing.assert_array_equal(dbw.open_volume(f"{web[0]}/a.zip/raw")[:], VALUES)


def test_a_folder_that_is_called_like_an_archive(tmp_path):
    np.testing.assert_array_equal(dbw.open_volume(zarr_array(tmp_path / "a.zip"))[:], VALUES)


def test_what_an_archive_has_is_said(tmp_path):
    zarr_array(tmp_path / "a/raw", 3, "/")
    n5_array(tmp_path / "a/b/em")
    with pytest.raises(FileNotFoundError, match=r"Its archive has b/em, raw\."):
        dbw.open_volume(zipped(tmp_path / "a") / "cells")
    (tmp_path / "b.zip").write_bytes(b"no archive")
    with pytest.raises(OSError, match=r"b\.zip/zarr\.json can't be read: its zip") as seen:
        dbw.open_volume(tmp_path / "b.zip")
    assert "tensorstore" not in str(seen.value).lower()


@pytest.mark.parametrize("code", [401, 403, 416, 429, 500, 503])
@pytest.mark.parametrize("kind", ["zarr 2", "zarr 2 of zarr-python", "compressed as files"])
def test_a_server_that_fails_is_never_fill_value(tmp_path, web, kind, code):
    MADE[kind](tmp_path / "a")
    volume = dbw.open_volume(f"{web[0]}/a", on_corrupt="fill")
    web[1].answers.update({"0.1": code, "13-16_0-3_2-3.gz": code, "13-16_0-3_2-3": code})
    with pytest.raises(OSError, match=r"a(/s)? can't be (read|opened)") as seen:
        volume[:]
    assert "damaged" not in str(seen.value)


def test_each_document_is_asked_for_once(tmp_path, web):
    """And once more by the library that reads the voxels."""
    url, server = web
    precomputed_scale(tmp_path / "made")
    for path in "made", "made/s":
        server.asked.clear()
        dbw.open_volume(f"{url}/{path}")
        assert max(map(server.asked.count, server.asked)) <= 2, path
    server.asked.clear()
    changed(tmp_path / "made", "info", lambda info: info["scales"][0].update(resolution=[8, 8, 40]))
    assert dbw.open_volume(f"{url}/made").voxel_size == (40, 8, 8)


def test_a_server_that_gives_no_parts_of_files(tmp_path, web):
    zarr_array(tmp_path / "a", 3, "/", shards=(6, 6))
    web[1].gives_parts = False
    with pytest.raises(OSError, match=r"c/0/\d: .*It doesn't give parts of files: copy"):
        dbw.open_volume(f"{web[0]}/a", on_corrupt="fill")[:]


def test_a_chunk_that_is_not_there(tmp_path, web):
    (zarr_array(tmp_path / "a") / CHUNK).unlink()
    expected = VALUES.copy()
    expected[:3, 3:6] = 0
    np.testing.assert_array_equal(dbw.open_volume(f"{web[0]}/a")[:], expected)
    with pytest.raises(OSError, match=r"0\.1 is missing"):
        dbw.open_volume(f"{web[0]}/a", on_missing="raise")[:]


def test_names_of_chunks_are_tried(tmp_path, web):
    folder = zarr_array(tmp_path / "a", separator="/")
    document = json.loads((folder / ".zarray").read_text()) | {"dimension_separator": "."}
    (folder / ".zarray").write_text(json.dumps(document))
    np.testing.assert_array_equal(dbw.open_volume(f"{web[0]}/a")[:], VALUES)
    shutil.move(folder / "0", tmp_path / "0")
    shutil.move(folder / "1", tmp_path / "1")
    with pytest.warns(UserWarning, match=r"a has none of 6 chunks .*'0\.0'.*on_missing='raise'"):
        dbw.open_volume(f"{web[0]}/a")


def test_metadata_that_may_not_be_read(tmp_path, web):
    zarr_array(tmp_path / "a")
    web[1].answers.update({".zarray": 403, "zarr.json": 403})
    with pytest.raises(FileNotFoundError, match=r"may not be read\. Check the address, and ask"):
        dbw.open_volume(f"{web[0]}/a")
    del web[1].answers[".zarray"]
    with pytest.warns(UserWarning, match=r"zarr\.json may not be read.*voxel size.*taken as 1"):
        dbw.open_volume(f"{web[0]}/a")
    web[1].answers.clear()
    web[1].answers["a/.zattrs"] = 403
    with pytest.warns(UserWarning, match=r"a/\.zattrs may not be read.*voxel size"):
        dbw.open_volume(f"{web[0]}/a")
    web[1].answers.update({".zarray": 500})
    with pytest.raises(OSError, match=r"a/\.zarray can't be read: .*500"):
        dbw.open_volume(f"{web[0]}/a")


def test_a_run_from_a_web_server(tmp_path, web, near):
    zarr_array(tmp_path / "a", 3, "/")
    made = dbw.map_overlap(np.negative, dbw.open_volume(f"{web[0]}/a"), halo=0)
    made.to_zarr(tmp_path / "out.zarr/a", progress=False)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "out.zarr/a")[:], np.negative(VALUES))
    (unknown,) = dbw.status(tmp_path / "out.zarr/a").unknown
    assert "doesn't tell" in unknown
    with pytest.raises(UnsupportedOperation, match=r"known by its content.*copy it to a disk"):
        made.to_zarr(tmp_path / "out.zarr/b", progress=False, verify="content")


@contextmanager
def refused():
    with pytest.raises(UnsupportedOperation, match=r"can't be written: .*only read\. Store what"):
        yield


def test_writing_is_refused_before_any_work(tmp_path, web, near):
    zarr_array(tmp_path / "a/raw", 3, "/")
    file = zipped(tmp_path / "a")
    before = file.read_bytes()

    def never(values):
        raise AssertionError("it was computed")

    computed = dbw.map_overlap(never, dbw.Volume.from_array(VALUES), halo=0, dtype="u1")
    for place in (str(file), web[0]):
        with refused():
            computed.to_zarr(f"{place}/out", progress=False)
        with refused():
            computed.checkpoint(f"{place}/out").to_zarr(tmp_path / "out.zarr/a", progress=False)
        with refused():
            dbw.create_volume(f"{place}/out", shape=(4, 4), dtype="u1")
        with refused():
            computed.objects(path=f"{place}/out")
        raw = dbw.open_volume(f"{place}/raw" if place == str(file) else f"{place}/a/raw")
        with refused():
            raw[raw.roi] = VALUES
    assert file.read_bytes() == before
    assert not (tmp_path / "out.zarr").exists()


def test_what_is_there_is_not_changed(tmp_path, web, near):
    image = tmp_path / "a/image"
    volume = dbw.Volume.from_array(VALUES, chunks=(2, 2))
    volume.to_zarr(image, client=near, progress=False, pyramid=1)
    file = zipped(tmp_path / "a")
    before = file.read_bytes()
    for place in f"{file}/image", f"{web[0]}/a/image":
        with refused():
            dbw.pyramid(place, client=near, progress=False)
        with refused():
            dbw.image_label(place, colors={1: "#ff0000"})
        with pytest.raises(UnsupportedOperation, match="marks of blocks aren't found"):
            dbw.status(place)
    assert file.read_bytes() == before


def test_what_would_be_an_archive_is_not_written(tmp_path):
    volume = dbw.Volume.from_array(VALUES)
    for path in (tmp_path / "out.zip", tmp_path / "out.ozx/a"):
        with pytest.raises(UnsupportedOperation, match=r"by its name .*/out\.(zip|ozx) would be"):
            volume.to_zarr(path, progress=False)
    assert not list(tmp_path.iterdir())
    zarr_array(tmp_path / "a.zip/raw", 3, "/")
    assert dbw.create_volume(tmp_path / "a.zip/b", shape=(4, 4), dtype="u1").shape == (4, 4)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(FileNotFoundError, match="Its archive has no array"):
        dbw.open_volume(tmp_path / "empty.zip")


def test_a_url_as_a_path_of_python(tmp_path, web):
    zarr_array(tmp_path / "a")
    np.testing.assert_array_equal(dbw.open_volume(Path(f"{web[0]}/a"))[:], VALUES)


@pytest.mark.parametrize("name", ["a b", "a#b", "a?b", "a%20b", "é", "100%"])
def test_names_on_a_disk(tmp_path, near, name):
    zarr_array(tmp_path / name / "raw", 3, "/")
    folder = tmp_path / name / "raw"
    for path in (folder, str(folder), f"file://{quote(str(folder))}", folder.as_uri()):
        np.testing.assert_array_equal(dbw.open_volume(path)[:], VALUES)
    there = f"file://localhost{quote(str(folder))}/"
    assert dbw.open_volume(there).path == str(folder)
    made = dbw.Volume.from_array(VALUES)
    made.to_zarr(f"file://{quote(str(tmp_path / name))}/out.zarr/a", progress=False)
    assert (tmp_path / name / "out.zarr/a/s0").is_dir()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host/a", "give a local path, or s3://, gs://, http:// or https://; copy it"),
        ("precomputed://gs://bucket/a", "leave precomputed:// out"),
        ("http://host/a.zarr?token=1", "Leave what comes after it out, or write %3F"),
    ],
)
def test_addresses_of_other_kinds(url, message):
    with pytest.raises(ValueError, match=message):
        dbw.open_volume(url)


def test_an_archive_of_stored_and_deflated_files(tmp_path):
    folder = zarr_array(tmp_path / "a", 3, "/")
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(tmp_path / f"{kind}.zip", "w", kind) as archive:
            for file in folder.rglob("*"):
                archive.write(file, file.relative_to(folder))
        np.testing.assert_array_equal(dbw.open_volume(tmp_path / f"{kind}.zip")[:], VALUES)
